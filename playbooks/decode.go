package playbooks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
)

// The blocks of a playbook.hcl. Nearly everything is kept as an expression:
// what it means depends on the inputs, which come later.

type playbookRoot struct {
	Playbooks []playbookBlock `hcl:"playbook,block"`
}

type playbookBlock struct {
	Name        string         `hcl:"name,label"`
	Description string         `hcl:"description,optional"`
	Inputs      []inputBlock   `hcl:"input,block"`
	Checks      []checkBlock   `hcl:"check,block"`
	Locals      []localsBlock  `hcl:"locals,block"`
	Secrets     []secretBlock  `hcl:"secret,block"`
	Slots       []slotsBlock   `hcl:"slots,block"`
	Ports       []portBlock    `hcl:"port,block"`
	Requires    *requiresBlock `hcl:"requires,block"`
	Versions    *versionsBlock `hcl:"versions,block"`
	Consoles    []consoleBlock `hcl:"console,block"`
	Stack       *stackBlock    `hcl:"stack,block"`
	Configs     []configBlock  `hcl:"config,block"`
	Gates       []gateBlock    `hcl:"gate,block"`
	Before      []hookBlock    `hcl:"before,block"`
	After       []hookBlock    `hcl:"after,block"`
	On          []hookBlock    `hcl:"on,block"`
	Backups     []backupBlock  `hcl:"backup,block"`
	Proofs      []proofBlock   `hcl:"proof,block"`
	DefRange    hcl.Range      `hcl:",def_range"`
}

type inputBlock struct {
	Name        string         `hcl:"name,label"`
	Type        hcl.Expression `hcl:"type,optional"`
	Default     *hcl.Attribute `hcl:"default,optional"`
	Sensitive   bool           `hcl:"sensitive,optional"`
	Description string         `hcl:"description,optional"`
	Validations []ruleBlock    `hcl:"validation,block"`
	DefRange    hcl.Range      `hcl:",def_range"`
}

type ruleBlock struct {
	Condition hcl.Expression `hcl:"condition"`
	Error     hcl.Expression `hcl:"error_message"`
}

type checkBlock struct {
	Name      string         `hcl:"name,label"`
	Condition hcl.Expression `hcl:"condition"`
	Error     hcl.Expression `hcl:"error_message"`
}

type localsBlock struct {
	Body hcl.Body `hcl:",remain"`
}

type secretBlock struct {
	Name     string         `hcl:"name,label"`
	Value    hcl.Expression `hcl:"value,optional"`
	Generate hcl.Expression `hcl:"generate,optional"`
	Encoding hcl.Expression `hcl:"encoding,optional"`
	Format   hcl.Expression `hcl:"format,optional"`
	Of       hcl.Expression `hcl:"of,optional"`
	DefRange hcl.Range      `hcl:",def_range"`
}

type slotsBlock struct {
	Name     string         `hcl:"name,label"`
	Count    hcl.Expression `hcl:"count"`
	DefRange hcl.Range      `hcl:",def_range"`
}

type portBlock struct {
	Name     string         `hcl:"name,label"`
	Number   hcl.Expression `hcl:"number"`
	Protocol hcl.Expression `hcl:"protocol,optional"`
	From     hcl.Expression `hcl:"from"`
	Note     hcl.Expression `hcl:"note,optional"`
	When     hcl.Expression `hcl:"when,optional"`
	DefRange hcl.Range      `hcl:",def_range"`
}

type requiresBlock struct {
	Memory hcl.Expression `hcl:"memory,optional"`
	Disk   hcl.Expression `hcl:"disk,optional"`
}

type versionsBlock struct {
	Series hcl.Expression `hcl:"series,optional"`
	Paths  hcl.Expression `hcl:"paths"`
}

type consoleBlock struct {
	Name     string         `hcl:"name,label"`
	Port     hcl.Expression `hcl:"port"`
	Path     hcl.Expression `hcl:"path,optional"`
	User     hcl.Expression `hcl:"user,optional"`
	Secret   hcl.Expression `hcl:"secret,optional"`
	When     hcl.Expression `hcl:"when,optional"`
	DefRange hcl.Range      `hcl:",def_range"`
}

type stackBlock struct {
	File     hcl.Expression `hcl:"file,optional"`
	Roll     hcl.Expression `hcl:"roll,optional"`
	Form     hcl.Expression `hcl:"form,optional"`
	DefRange hcl.Range      `hcl:",def_range"`
}

type configBlock struct {
	Name     string         `hcl:"name,label"`
	File     hcl.Expression `hcl:"file"`
	DefRange hcl.Range      `hcl:",def_range"`
}

type gateBlock struct {
	Name     string         `hcl:"name,label"`
	Exec     hcl.Expression `hcl:"exec"`
	Mend     hcl.Expression `hcl:"mend,optional"`
	On       hcl.Expression `hcl:"on,optional"`
	Service  hcl.Expression `hcl:"service,optional"`
	Within   hcl.Expression `hcl:"within,optional"`
	Note     hcl.Expression `hcl:"note,optional"`
	When     hcl.Expression `hcl:"when,optional"`
	DefRange hcl.Range      `hcl:",def_range"`
}

type hookBlock struct {
	Moment     string         `hcl:"moment,label"`
	Name       hcl.Expression `hcl:"name,optional"`
	Exec       hcl.Expression `hcl:"exec"`
	Undo       hcl.Expression `hcl:"undo,optional"`
	On         hcl.Expression `hcl:"on,optional"`
	Within     hcl.Expression `hcl:"within,optional"`
	Note       hcl.Expression `hcl:"note,optional"`
	When       hcl.Expression `hcl:"when,optional"`
	DefRange   hcl.Range      `hcl:",def_range"`
	LabelRange hcl.Range      `hcl:"moment,label_range"`
}

type proofBlock struct {
	Name     string         `hcl:"name,label"`
	Protocol hcl.Expression `hcl:"protocol"`
	Port     hcl.Expression `hcl:"port"`
	Path     hcl.Expression `hcl:"path,optional"`
	User     hcl.Expression `hcl:"user,optional"`
	Secret   hcl.Expression `hcl:"secret,optional"`
	DefRange hcl.Range      `hcl:",def_range"`
}

// decode reads the structure of a playbook.hcl and evaluates nothing.
func (f *folder) decode() (*playbookBlock, hcl.Diagnostics) {
	file, diags := f.parse("playbook.hcl")
	if diags.HasErrors() {
		return nil, diags
	}
	var root playbookRoot
	diags = append(diags, plainer(gohcl.DecodeBody(file.Body, nil, &root))...)
	if diags.HasErrors() {
		return nil, diags
	}
	if len(root.Playbooks) != 1 {
		return nil, append(diags, problem(file.Body.MissingItemRange(), "Not one playbook",
			"The file must hold exactly one block `playbook \"NAME\" { … }`."))
	}
	p := &root.Playbooks[0]
	if p.Stack == nil {
		diags = append(diags, problem(p.DefRange, "No stack",
			"The playbook says nothing to deploy: add `stack { file = \"stack.yml\" }`."))
	}
	diags = append(diags, uniqueNames(p)...)
	return p, append(diags, missingArguments(p)...)
}

var withoutName = regexp.MustCompile(`^Missing \w+ for (\w+)$`)

// plainer rewrites what HCL says of blocks where it tells only half.
func plainer(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		if m := withoutName.FindStringSubmatch(d.Summary); m != nil {
			d.Detail = fmt.Sprintf("A name in quotes stands behind the word: %s \"NAME\" { … }.", m[1])
			if known := moments[m[1]]; known != nil {
				d.Detail = fmt.Sprintf("The moment stands behind the word: %s %q { … }. Known are %s.", m[1], known[0], listed(known))
			}
		}
		if name, ok := strings.CutPrefix(d.Detail, "Blocks of type "); ok && d.Summary == "Unsupported block type" && !strings.Contains(d.Detail, "mean") {
			name, _, _ = strings.Cut(name, " ")
			d.Detail = fmt.Sprintf("There is no block %s in this place. All blocks of a playbook stand within playbook \"NAME\" { … }; playbooks/README.md lists them.", name)
		}
	}
	return diags
}

// missingArguments reports what a block must have; gohcl takes every
// expression for optional.
func missingArguments(p *playbookBlock) hcl.Diagnostics {
	var diags hcl.Diagnostics
	need := func(kind, arg string, expr hcl.Expression, example string) {
		if isAbsent(expr) {
			diags = append(diags, problem(expr.Range(), "Missing "+arg, fmt.Sprintf("The block %s needs it: write %s = %s.", kind, arg, example)))
		}
	}
	for _, b := range p.Slots {
		need("slots "+quote(b.Name), "count", b.Count, "3")
	}
	for _, b := range p.Configs {
		need("config "+quote(b.Name), "file", b.File, `"app.conf"`)
	}
	for _, b := range p.Ports {
		need("port "+quote(b.Name), "number", b.Number, "8080")
		need("port "+quote(b.Name), "from", b.From, `"clients"`)
	}
	for _, b := range p.Consoles {
		need("console "+quote(b.Name), "port", b.Port, "8080")
	}
	for _, b := range p.Proofs {
		need("proof "+quote(b.Name), "protocol", b.Protocol, `"http"`)
		need("proof "+quote(b.Name), "port", b.Port, "8080")
	}
	for _, b := range p.Backups {
		need("backup "+quote(b.Name), "exec", b.Exec, `["true"]`)
	}
	for _, b := range p.Gates {
		need("gate "+quote(b.Name), "exec", b.Exec, `["true"]`)
	}
	for _, b := range slices.Concat(p.Before, p.After, p.On) {
		need("for "+quote(b.Moment), "exec", b.Exec, `["true"]`)
	}
	for _, b := range p.Checks {
		need("check "+quote(b.Name), "condition", b.Condition, "length(hosts) > 0")
		need("check "+quote(b.Name), "error_message", b.Error, `"What to do."`)
	}
	return diags
}

// uniqueNames complains about two blocks of one kind with the same label:
// the second would silently win.
func uniqueNames(p *playbookBlock) hcl.Diagnostics {
	var diags hcl.Diagnostics
	seen := map[string]hcl.Range{}
	note := func(kind, name string, at hcl.Range) {
		if first, ok := seen[kind+" "+name]; ok {
			diags = append(diags, problem(at, "Twice the same "+kind,
				kind+" "+quote(name)+" stands already at "+first.String()+". Rename one of the two."))
			return
		}
		seen[kind+" "+name] = at
	}
	for _, b := range p.Inputs {
		note("input", b.Name, b.DefRange)
	}
	for _, b := range p.Secrets {
		note("secret", b.Name, b.DefRange)
	}
	for _, b := range p.Slots {
		note("slots", b.Name, b.DefRange)
	}
	for _, b := range p.Configs {
		note("config", b.Name, b.DefRange)
	}
	for _, b := range p.Gates {
		note("gate", b.Name, b.DefRange)
	}
	for _, b := range p.Ports {
		note("port", b.Name, b.DefRange)
	}
	for _, b := range p.Consoles {
		note("console", b.Name, b.DefRange)
	}
	for _, b := range p.Proofs {
		note("proof", b.Name, b.DefRange)
	}
	for _, b := range p.Backups {
		note("backup", b.Name, b.DefRange)
	}
	return diags
}
