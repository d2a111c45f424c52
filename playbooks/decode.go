package playbooks

import (
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
	Consoles    []consoleBlock `hcl:"console,block"`
	Stack       *stackBlock    `hcl:"stack,block"`
	Configs     []configBlock  `hcl:"config,block"`
	Gates       []gateBlock    `hcl:"gate,block"`
	Before      []hookBlock    `hcl:"before,block"`
	After       []hookBlock    `hcl:"after,block"`
	On          []hookBlock    `hcl:"on,block"`
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
	DefRange hcl.Range      `hcl:",def_range"`
}

type consoleBlock struct {
	Name     string         `hcl:"name,label"`
	Port     hcl.Expression `hcl:"port"`
	Path     hcl.Expression `hcl:"path,optional"`
	User     hcl.Expression `hcl:"user,optional"`
	Secret   hcl.Expression `hcl:"secret,optional"`
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
	diags = append(diags, gohcl.DecodeBody(file.Body, nil, &root)...)
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
	return p, append(diags, uniqueNames(p)...)
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
	return diags
}
