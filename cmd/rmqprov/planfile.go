package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/rmqprov/rmqprov/provision/plan"
)

// savedPlan is a plan in a file, with all that tells whether it still holds. No
// sensitive value is in it: of those there is a salted, slow digest.
type savedPlan struct {
	Format    int               `json:"rmqprov_plan"` // first: a plan file is known by it
	Version   string            `json:"version"`
	Made      time.Time         `json:"made"`
	By        string            `json:"by"`
	Inventory string            `json:"inventory"` // absolute path
	VarFiles  []string          `json:"var_files,omitempty"`
	Vars      []string          `json:"vars,omitempty"` // as --var gave them; none that is sensitive
	Targets   []string          `json:"targets,omitempty"`
	Around    bool              `json:"allow_unreachable,omitempty"`
	Salt      []byte            `json:"salt"`
	Files     map[string]string `json:"files"`     // by absolute path: the digest
	Variables map[string]string `json:"variables"` // by name: the value as JSON, or the digest
	Actions   string            `json:"actions"`   // digest of what the steps do, to the last byte
	Plan      plan.Document     `json:"plan"`

	file string // where it was read from
}

// planFormat is the form of plan files that this version writes and reads.
const planFormat = 1

var planFile = regexp.MustCompile(`^\s*\{\s*"rmqprov_plan"\s*:`)

// digest tells two contents apart and gives nothing away: a short secret is not
// found by trying.
func (s *savedPlan) digest(content []byte) string {
	return "argon2:" + hex.EncodeToString(argon2.IDKey(content, s.Salt, 1, 19*1024, 1, 16))
}

// save writes a plan for a later apply.
func (a *app) save(path string, s source, from origin, p *plan.Plan) error {
	out := &savedPlan{
		Format: planFormat, Version: a.Version, Made: time.Now().UTC().Truncate(time.Second), By: a.operator(),
		Inventory: from.path, Targets: s.targets, Around: s.around, Salt: make([]byte, 16), Plan: p.Document(),
	}
	rand.Read(out.Salt) // never fails
	for _, name := range s.varFiles {
		out.VarFiles = append(out.VarFiles, absolute(name))
	}
	for _, given := range s.vars {
		if name, _, _ := strings.Cut(given, "="); !secret(from.variables[name]) {
			out.Vars = append(out.Vars, given)
		}
	}
	if err := out.vouch(from, p); err != nil {
		return err
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	if err := writePlanFile(path, append(text, '\n')); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	fmt.Fprintf(a.Stderr, "Saved: `rmqprov apply %s` does exactly this, or nothing where something has changed by then.\n", path)
	return nil
}

// vouch notes what the plan rests on.
func (s *savedPlan) vouch(from origin, p *plan.Plan) (err error) {
	s.Files, s.Variables = map[string]string{}, map[string]string{}
	for path, content := range from.files {
		s.Files[path] = s.digest(content)
	}
	for name, v := range from.variables {
		if s.Variables[name], err = valueText(v); err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
		if secret(v) {
			s.Variables[name] = s.digest([]byte(s.Variables[name]))
		}
	}
	s.Actions, err = s.actions(p)
	return err
}

// actions is the digest of what the steps do: their text leaves out the
// content of files and all that is sensitive.
func (s *savedPlan) actions(p *plan.Plan) (string, error) {
	var all bytes.Buffer
	for _, step := range p.Steps {
		text, err := json.Marshal(step.Action)
		if err != nil {
			return "", fmt.Errorf("defect: the action of step %s: %w", step.ID, err)
		}
		fmt.Fprintf(&all, "%s %T %s\n", step.ID, step.Action, text)
	}
	return s.digest(all.Bytes()), nil
}

// writePlanFile writes a file that only its owner may read. It takes the place of
// an earlier plan and of nothing else: --out inventory.hcl is a slip.
func writePlanFile(path string, text []byte) error {
	if earlier, err := begin(path); err == nil && !planFile.Match(earlier) {
		return fmt.Errorf("%s is there and is no plan; it stays as it is", path)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".rmqprov-plan-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = cmp.Or(err, f.Sync())
	if err = cmp.Or(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// begin reads what a file begins with.
func begin(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text := make([]byte, 128)
	n, err := io.ReadFull(f, text)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return text[:n], err
}

// readPlanFile reads a plan that was saved. It returns nil where the file is no
// plan but, as it seems, an inventory: whoever reads that says what is wrong.
func readPlanFile(path string) (*savedPlan, error) {
	if text, err := begin(path); err != nil || !planFile.Match(text) {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &savedPlan{file: path}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // so that numbers keep their digits
	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("%s is no whole plan: %w\n→ make a new one with `rmqprov plan --out`", path, err)
	}
	if s.Format != planFormat {
		return nil, fmt.Errorf("%s is a plan of form %d, written by rmqprov %s, and this one knows form %d\n→ apply it with that version, or make a new one", path, s.Format, s.Version, planFormat)
	}
	return s, nil
}

// source is where the plan came from, with what is given beside it: variables
// that are sensitive are not in the file.
func (s *savedPlan) source(given source) (source, error) {
	if len(given.targets) > 0 {
		return given, errors.New("--target does not go with a saved plan, whose steps are chosen already\n→ give it to `rmqprov plan --out`")
	}
	return source{
		file: s.Inventory, vars: slices.Concat(s.Vars, given.vars),
		varFiles: slices.Concat(s.VarFiles, given.varFiles), targets: s.Targets, around: s.Around || given.around,
	}, nil
}

// moved is the error of a plan that no longer holds.
func (s *savedPlan) moved(differences []string, version string) error {
	if len(differences) == 0 {
		return nil
	}
	const shown = 10
	if more := len(differences) - shown; more > 0 {
		differences = append(slices.Clone(differences[:shown]), fmt.Sprintf("and %d more", more))
	}
	text := fmt.Sprintf("the plan in %s, of %s by %s, no longer holds; nothing was touched:\n  - %s",
		s.file, s.Made.Format(time.RFC3339), s.By, strings.Join(differences, "\n  - "))
	if s.Version != version {
		text += fmt.Sprintf("\n  (it was made by rmqprov %s, and this is %s)", s.Version, version)
	}
	return fmt.Errorf("%s\n→ make a new one: rmqprov plan %s --out %s", text, s.Inventory, s.file)
}

// inventoryMoved lists what has changed in the files and variables.
func (s *savedPlan) inventoryMoved(from origin) ([]string, error) {
	now := &savedPlan{Salt: s.Salt}
	if err := now.vouch(from, &plan.Plan{}); err != nil {
		return nil, err
	}
	differences := differing(s.Files, now.Files, func(path, _, _ string) string { return path + " has changed" })
	return append(differences, differing(s.Variables, now.Variables, func(name, before, after string) string {
		if secret(from.variables[name]) {
			return fmt.Sprintf("variable %s, which is sensitive, has another value; give it the same way as to plan", name)
		}
		return fmt.Sprintf("variable %s was %s and is %s; give it the same way as to plan", name, before, after)
	})...), nil
}

// differing compares two sets of things by their names.
func differing(before, now map[string]string, changed func(name, before, now string) string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		switch after, ok := now[name]; {
		case !ok:
			out = append(out, name+" is gone")
		case after != before[name]:
			out = append(out, changed(name, before[name], after))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := before[name]; !ok {
			out = append(out, name+" is new")
		}
	}
	return out
}

// worldMoved lists what a plan made now has otherwise than the saved one.
func (s *savedPlan) worldMoved(p *plan.Plan) ([]string, error) {
	var out []string
	now := map[plan.ID]plan.DocumentStep{}
	for _, step := range p.Document().Steps {
		now[step.ID] = step
	}
	before := map[plan.ID]bool{}
	for _, step := range s.Plan.Steps {
		before[step.ID] = true
		switch fresh, ok := now[step.ID]; {
		case !ok:
			out = append(out, fmt.Sprintf("%s is no longer needed: %s", step.ID, step.Summary))
		case !alike(step, fresh):
			out = append(out, fmt.Sprintf("%s has become another step: it was %q (%s) and is %q (%s)", step.ID, step.Summary, step.Why, fresh.Summary, fresh.Why))
		}
	}
	for _, step := range p.Steps {
		if !before[step.ID] {
			out = append(out, fmt.Sprintf("%s is needed now: %s (%s)", step.ID, step.Summary, step.Why))
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	actions, err := s.actions(p)
	if err == nil && actions != s.Actions {
		out = append(out, "the steps read the same and do something else: the content of a file, a playbook or a secret has changed")
	}
	return out, err
}

// alike says that two steps read the same.
func alike(a, b plan.DocumentStep) bool {
	textA, errA := json.Marshal(a)
	textB, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(textA, textB)
}
