package plan

import (
	"encoding/json"
	"io"
)

type jsonStep struct {
	ID       ID       `json:"id"`
	Action   Kind     `json:"action"`
	Host     string   `json:"host"`
	Summary  string   `json:"summary"`
	Why      string   `json:"why"`
	Disrupts string   `json:"disrupts,omitempty"`
	Changes  []Change `json:"changes"`
	After    []ID     `json:"after"`
}

// jsonAction keeps to the four words that programs know: a gate or a record
// brings the stack's state up to date.
func jsonAction(k Kind) Kind {
	if k == Run {
		return Update
	}
	return k
}

// WriteJSON prints the plan for programs.
func (p *Plan) WriteJSON(w io.Writer) error {
	counts := p.Summary()
	counts.Update, counts.Run = counts.Update+counts.Run, 0
	out := struct {
		Steps   []jsonStep `json:"steps"`
		Summary Counts     `json:"summary"`
	}{Steps: []jsonStep{}, Summary: counts}
	for _, s := range p.Steps {
		step := jsonStep{s.ID, jsonAction(s.Kind), s.Host, s.Summary, s.Why, s.Disrupts, s.Changes, s.After}
		if step.Changes == nil {
			step.Changes = []Change{}
		}
		if step.After == nil {
			step.After = []ID{}
		}
		out.Steps = append(out.Steps, step)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}
