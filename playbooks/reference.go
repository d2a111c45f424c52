package playbooks

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rmqprov/rmqprov/inventory"
)

// Reference describes the blocks of a playbook.hcl, as the loader takes them.
func Reference() []inventory.BlockDoc {
	var docs []inventory.BlockDoc
	for _, b := range blocksOf(reflect.TypeFor[playbookBlock]()) {
		docs = append(docs, describe(b, ""))
	}
	return docs
}

// field is an attribute, label or block of a block's Go type.
type field struct {
	name, kind string // kind: "label", "optional", "block" or "", which is required
	typ        reflect.Type
}

func fieldsOf(block reflect.Type) []field {
	var fields []field
	for i := range block.NumField() {
		name, kind, _ := strings.Cut(block.Field(i).Tag.Get("hcl"), ",")
		if name == "" || strings.HasSuffix(kind, "range") {
			continue
		}
		fields = append(fields, field{name, kind, block.Field(i).Type})
	}
	return fields
}

func blocksOf(block reflect.Type) []field {
	return slices.DeleteFunc(fieldsOf(block), func(f field) bool { return f.kind != "block" })
}

// element is the type of one block, where there may be several or none.
func (f field) element() reflect.Type {
	if f.typ.Kind() == reflect.Slice || f.typ.Kind() == reflect.Pointer {
		return f.typ.Elem()
	}
	return f.typ
}

func describe(block field, holder string) inventory.BlockDoc {
	path := holder + block.name
	doc := inventory.BlockDoc{Name: block.name, Form: block.name + " { … }", Single: block.typ.Kind() == reflect.Pointer, Note: blockNotes[path]}
	for _, f := range fieldsOf(block.element()) {
		switch f.kind {
		case "label":
			doc.Form = fmt.Sprintf("%s %q { … }", block.name, sampleLabel(block.name))
		case "block":
			doc.Blocks = append(doc.Blocks, describe(f, path+"."))
		default:
			note := argNotes[path+"."+f.name]
			if note.Name = f.name; f.kind == "" {
				note.Type += ", required"
			}
			doc.Args = append(doc.Args, note)
		}
	}
	return doc
}

// sampleLabel is an example of a block's label.
func sampleLabel(block string) string {
	if known := moments[block]; known != nil {
		return known[0]
	}
	return "name"
}

// undocumented lists what has no note, and the notes of what there is not.
func undocumented() (missing, idle []string) {
	seen := map[string]bool{}
	var visit func(docs []inventory.BlockDoc, holder string)
	visit = func(docs []inventory.BlockDoc, holder string) {
		for _, d := range docs {
			path := holder + d.Name
			if seen[path] = true; d.Note == "" {
				missing = append(missing, path)
			}
			for _, a := range d.Args {
				if seen[path+"."+a.Name] = true; a.Note == "" {
					missing = append(missing, path+"."+a.Name)
				}
			}
			visit(d.Blocks, path+".")
		}
	}
	visit(Reference(), "")
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(blockNotes)), slices.Sorted(maps.Keys(argNotes))) {
		if !seen[name] {
			idle = append(idle, name)
		}
	}
	return missing, idle
}

const hookNote = "A command that is run at a moment of a member's life."

var blockNotes = map[string]string{
	"input":            "What the inventory may set; without a default it must. null stands for the default. It is written `input.NAME`.",
	"input.validation": "A demand on the value. There may be several.",
	"check":            "A demand on the inventory, such as a network.",
	"locals":           "Values with names: any argument, written `local.NAME`.",
	"secret":           "A Docker secret. Without a value, or with null or `\"\"`, one is made once.",
	"slots":            "Members with fixed names, `NAME-01` and on, each bound to a host by a node label. While a host is down, no member is stopped whose stop would leave less than a majority of its set.",
	"port":             "A port of the hosts.",
	"requires":         "What a host must have before a container of the stack comes to it.",
	"console":          "Something to look at in a browser.",
	"stack":            "The compose file, and how its members start and change.",
	"config":           "A file of the folder, as a template, and as a Docker config.",
	"gate":             "A condition that holds before anything goes on: a command in a container that exits 0.",
	"before":           hookNote + " `\"stop\"`: a member is about to be stopped or changed; a failure stops the roll. `\"upgrade\"`: once, before the first of the members that run gets another image.",
	"after":            hookNote + " `\"form\"`: the stack stands for the first time; `\"join\"`: a member has come to a stack that stood already; `\"change\"`: a stack that stood already was changed.",
	"on":               hookNote + " `\"lost\"`: a member will not come back with its disk. `\"recover\"`: of most members none will, and those that are left go on without them. `\"risk\"`: something is about to stop on a member's host; it asks whether the others are a majority without it, and changes nothing.",
	"versions":         "From which version of the system one may go to which at once, told by the images' tags. A plan that goes another way, or back, is refused.",
	"backup":           "What `rmqprov backup` keeps of the stack. Its commands leave nothing on a disk.",
	"proof":            "A check from outside, through every host.",
}

var argNotes = withHooks(map[string]inventory.ArgDoc{
	"input.type":                     {Type: "a type", Default: "any", Note: "`string`, `number`, `bool`, `list(string)` and so on."},
	"input.default":                  {Type: "any", Note: "What it is where the inventory gives nothing. Without a default, the inventory must."},
	"input.sensitive":                {Type: "bool", Default: "false", Note: "It is never printed, and may stand in `secret` blocks only."},
	"input.description":              {Type: "string", Note: "For `rmqprov playbook show`."},
	"input.validation.condition":     {Type: "bool", Note: "What must hold, of `input.NAME`."},
	"input.validation.error_message": {Type: "string", Note: "What is said where it does not."},
	"check.condition":                {Type: "bool", Note: "What must hold, of `hosts`, `networks` and inputs."},
	"check.error_message":            {Type: "string", Note: "What is said where it does not."},

	"secret.value":    {Type: "string", Note: "The value; it may be sensitive."},
	"secret.generate": {Type: "number", Note: "How long a value is made: 8 to 1024 characters, or bytes with another encoding."},
	"secret.encoding": {Type: "string", Default: "`\"alphanumeric\"`", Note: "How it is written: `\"alphanumeric\"`, `\"base64\"` or `\"hex\"`."},
	"secret.format":   {Type: "string", Note: "A text in which `%s` stands for the value."},
	"secret.of":       {Type: "string", Note: "The name of another secret, whose value this one has."},
	"slots.count":     {Type: "number", Note: "How many members."},
	"config.file":     {Type: "path", Note: "A file of the folder."},

	"port.number":     {Type: "number", Note: "The port."},
	"port.protocol":   {Type: "string", Default: "`\"tcp\"`", Note: "`\"tcp\"` or `\"udp\"`."},
	"port.from":       {Type: "string", Note: "Who reaches it: `\"clients\"`, `\"operators\"` or `\"hosts\"`."},
	"port.note":       {Type: "string", Note: "What it is for, in one line."},
	"port.when":       {Type: "bool", Default: "true", Note: "Whether the block counts."},
	"requires.memory": {Type: "number", Note: "MiB in all."},
	"requires.disk":   {Type: "number", Note: "MiB free."},
	"console.port":    {Type: "number", Note: "Its port on the hosts."},
	"console.path":    {Type: "string", Default: "`\"/\"`", Note: "Its path."},
	"console.user":    {Type: "string", Note: "Who logs in."},
	"console.secret":  {Type: "string", Note: "The name of the secret with the password."},
	"console.when":    {Type: "bool", Default: "true", Note: "Whether the block counts."},

	"stack.file": {Type: "path", Note: "The compose file."},
	"stack.roll": {Type: "string", Default: "the slots, where there is one set", Note: "The slots that change one at a time."},
	"stack.form": {Type: "string", Default: "`\"together\"`", Note: "How new members start: `\"together\"`, or `\"in turn\"`, each when the slot gates of the one before hold."},

	"gate.exec":    {Type: "list of strings", Note: "The command. `missing` stands for the members whose hosts are known to be down."},
	"gate.mend":    {Type: "list of strings", Note: "What apply runs where it does not hold at once."},
	"gate.on":      {Type: "string", Default: "`\"one\"`", Note: "Where it runs: `\"slot\"`, `\"one\"` or `\"each\"`."},
	"gate.service": {Type: "string", Default: "all", Note: "Only containers of this service."},
	"gate.within":  {Type: "duration", Default: "`\"5m\"`", Note: "How long it may take."},
	"gate.note":    {Type: "string", Note: "What it proves, in one line."},
	"gate.when":    {Type: "bool", Default: "true", Note: "Whether there is this gate."},

	"versions.paths":  {Type: "map of lists of strings", Note: "`{ \"3.13\" = [\"4.0\", \"4.1\"] }`: a series, and those that it may become. A longer key, such as `\"3.11.18\"`, counts from that version on."},
	"versions.series": {Type: "number", Default: "2", Note: "How many numbers of a version name a series."},

	"backup.exec":    {Type: "list of strings", Note: "The command, run in one member: what it prints is kept."},
	"backup.restore": {Type: "list of strings", Note: "The command that reads it from stdin, in one member. Without it, it is only kept."},
	"backup.within":  {Type: "duration", Default: "`\"5m\"`", Note: "How long either may take."},
	"backup.note":    {Type: "string", Note: "What it is, in one line."},
	"backup.when":    {Type: "bool", Default: "true", Note: "Whether there is such a thing."},

	"proof.protocol": {Type: "string", Note: "`\"amqp\"` publishes with confirm and consumes; `\"http\"` wants an answer."},
	"proof.port":     {Type: "number", Note: "The port on every host."},
	"proof.path":     {Type: "string", Note: "For http."},
	"proof.user":     {Type: "string", Note: "Who logs in."},
	"proof.secret":   {Type: "string", Note: "The name of the secret with the password."},
})

// withHooks adds the arguments that all hooks have.
func withHooks(notes map[string]inventory.ArgDoc) map[string]inventory.ArgDoc {
	for moment := range moments {
		notes[moment+".name"] = inventory.ArgDoc{Type: "string", Default: "the moment and a number", Note: "What plans call it."}
		notes[moment+".exec"] = inventory.ArgDoc{Type: "list of strings", Note: "The command. `slot.name` is the member concerned."}
		notes[moment+".undo"] = inventory.ArgDoc{Type: "list of strings", Note: "Takes it back where the stop that it was for does not come about: a run failed before it, or was interrupted."}
		notes[moment+".on"] = inventory.ArgDoc{Type: "string", Default: "`\"slot\"`", Note: "Where it runs: `\"slot\"`, `\"one\"`, `\"each\"` or `\"another\"`."}
		notes[moment+".within"] = inventory.ArgDoc{Type: "duration", Default: "`\"5m\"`", Note: "How long it may take."}
		notes[moment+".note"] = inventory.ArgDoc{Type: "string", Note: "What it is for, in one line."}
		notes[moment+".when"] = inventory.ArgDoc{Type: "bool", Default: "true", Note: "Whether it is run."}
	}
	return notes
}
