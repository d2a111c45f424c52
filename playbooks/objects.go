package playbooks

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"golang.org/x/crypto/argon2"
)

// bindSecrets first takes the blocks that hold a value, then those that put
// another one's value into a different form.
func (b *binder) bindSecrets() {
	names := map[string]cty.Value{}
	for _, block := range b.playbook.Secrets {
		if isAbsent(block.Of) {
			b.stack.Secrets = append(b.stack.Secrets, b.secret(block, names))
		}
	}
	for _, block := range b.playbook.Secrets {
		if !isAbsent(block.Of) {
			b.secretOf(block, names)
		}
	}
	b.names["secret"] = cty.ObjectVal(names)
}

func (b *binder) secret(block secretBlock, names map[string]cty.Value) Secret {
	s := Secret{
		Name:     block.Name,
		Generate: b.number(block.Generate, "generate"),
		Encoding: b.oneOf(block.Encoding, "encoding", "alphanumeric", "alphanumeric", "base64", "hex"),
	}
	if !isAbsent(block.Value) {
		s.Value = b.secretText(block.Value, "value")
	}
	if s.Value != "" {
		s.Generate = 0
	} else if !isAbsent(block.Generate) && (s.Generate < 8 || s.Generate > 1024) {
		b.fail(block.Generate.Range(), "Wrong length", "A generated secret has 8 to 1024 characters, and generate says how many.")
	} else if s.Generate < 1 {
		b.fail(block.DefRange, "A secret without a value", "secret %q has no value, and `generate` does not say how long one should be made.", block.Name)
	}
	s.Objects = []SecretObject{b.secretObject(block, s)}
	names[block.Name] = nameObject(s.Objects[0].Object)
	return s
}

// secretOf adds another Docker secret made of a value that is there already.
func (b *binder) secretOf(block secretBlock, names map[string]cty.Value) {
	of := b.text(block.Of, "of")
	i := slices.IndexFunc(b.stack.Secrets, func(s Secret) bool { return s.Name == of })
	if i < 0 {
		b.fail(block.Of.Range(), "Unknown secret", "There is no secret %q that has a value of its own.%s", of, didYouMean(of, b.secretNames()))
		names[block.Name] = cty.DynamicVal // so that templates do not complain again
		return
	}
	s := &b.stack.Secrets[i]
	object := b.secretObject(block, *s)
	s.Objects = append(s.Objects, object)
	names[block.Name] = nameObject(object.Object)
}

func (b *binder) secretNames() []string {
	var names []string
	for _, s := range b.stack.Secrets {
		names = append(names, s.Name)
	}
	return names
}

// secretObject names a Docker secret so that another value or another form is
// another object. The name of a generated one cannot follow its value, which
// nobody knows here: it counts generations.
func (b *binder) secretObject(block secretBlock, s Secret) SecretObject {
	format := b.text(block.Format, "format")
	if format != "" && strings.Count(format, "%s") != 1 {
		b.fail(block.Format.Range(), "Wrong format", "format must hold %%s exactly once: the place of the value.")
	}
	suffix := "g1"
	if format != "" {
		suffix += "-" + shortHash([]byte(format))[:4]
	}
	if s.Value != "" {
		suffix = slowHash(b.inv.Cluster.Name+"/"+b.want.Name+"/"+block.Name+"/"+format, s.Value)
	}
	return SecretObject{Object: objectName(b.want.Name, block.Name, suffix), Format: format}
}

// hashed remembers slow hashes: the same stacks are bound more than once in a
// run, and a value is hashed once for each secret made of it.
var hashed sync.Map

// slowHash is a hash that goes into names which everybody may read. It takes
// some 20 ms, so that a name is no quick way to try passwords; its 32 bits
// tell two values apart and give away nothing more.
func slowHash(salt, value string) string {
	key := [2]string{salt, value}
	if h, ok := hashed.Load(key); ok {
		return h.(string)
	}
	h := hex.EncodeToString(argon2.IDKey([]byte(value), []byte("rmqprov/"+salt), 1, 19*1024, 1, 4))
	hashed.Store(key, h)
	return h
}

func shortHash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:4])
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

// objectName is STACK_NAME-SUFFIX as swarm allows it: at most 64 characters of
// letters, digits, dots, dashes and underscores. The suffix, which makes the
// name unique, is never cut.
func objectName(stack, name, suffix string) string {
	front := notInNames.ReplaceAllString(stack+"_"+name, "-")
	return strings.TrimRight(front[:min(len(front), 63-len(suffix))], "-._") + "-" + suffix
}

func nameObject(name string) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(name)})
}

// bindConfigs renders the config files.
func (b *binder) bindConfigs() {
	names := map[string]cty.Value{}
	for _, block := range b.playbook.Configs {
		content, ok := b.render(b.text(block.File, "file"), block.File.Range())
		if !ok {
			names[block.Name] = cty.DynamicVal
			continue
		}
		object := objectName(b.want.Name, block.Name, shortHash([]byte(content)))
		b.stack.Configs = append(b.stack.Configs, Config{Name: block.Name, Object: object, Content: []byte(content)})
		names[block.Name] = nameObject(object)
	}
	b.names["config"] = cty.ObjectVal(names)
}

// render evaluates a file of the playbook as an HCL template. It is not ok
// when something is wrong, which is then reported.
func (b *binder) render(name string, at hcl.Range) (text string, ok bool) {
	if name == "" || !fs.ValidPath(path.Clean(name)) {
		if name != "" || !b.diags.HasErrors() {
			b.fail(at, "Not a file of the playbook", "%q is no path within the playbook's folder. Copy the file there, and name it by where it is in the folder.", name)
		}
		return "", false
	}
	src, err := b.folder.read(name)
	if err != nil {
		b.fail(at, "File missing", "The playbook names the file %q, but: %v.", name, err)
		return "", false
	}
	tmpl, d := hclsyntax.ParseTemplate(src, b.folder.path(name), hcl.InitialPos)
	b.diags = append(b.diags, d...)
	if d.HasErrors() {
		return "", false
	}
	v := b.eval(tmpl, b.scope)
	if sensitive(v) {
		b.fail(tmpl.Range(), "A sensitive value in a file",
			"%s would hold a sensitive value, and this file can be read by everybody. Put the value into a `secret` block, with a `format` where the program wants it inside a text.", b.folder.path(name))
		return "", false
	}
	v, err = convert.Convert(v, cty.String)
	if err != nil {
		b.fail(tmpl.Range(), "Not a text", "%s: %v.", b.folder.path(name), err)
		return "", false
	}
	if !v.IsKnown() || v.IsNull() {
		return "", false
	}
	return v.AsString(), true
}
