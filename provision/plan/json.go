package plan

// Document is the plan's JSON form. Sensitive values read Hidden in it.
type Document struct {
	Steps   []DocumentStep `json:"steps"`
	Summary Counts         `json:"summary"`
	LeftOut []LeftOut      `json:"left_out,omitempty"`
	Notes   []string       `json:"notes,omitempty"`
}

// DocumentStep is a step in a Document.
type DocumentStep struct {
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

// Document is the plan for programs.
func (p *Plan) Document() Document {
	counts := p.Summary()
	counts.Update, counts.Run = counts.Update+counts.Run, 0
	out := Document{Steps: []DocumentStep{}, Summary: counts, LeftOut: p.LeftOut, Notes: p.Notes}
	for _, s := range p.Steps {
		step := DocumentStep{s.ID, jsonAction(s.Kind), s.Host, s.Summary, s.Why, s.Disrupts, s.Changes, s.After}
		if step.Changes == nil {
			step.Changes = []Change{}
		}
		if step.After == nil {
			step.After = []ID{}
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}
