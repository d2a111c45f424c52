package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/cmd/internal/docs"
	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/playbooks"
)

func newRoot() *cobra.Command {
	a := &app{environment: environment{Version: "v1.0.0", Env: noEnv}, stop: &interrupts{}}
	root := a.command()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

// everyCommand visits the commands that are shown, and the hidden ones of ours.
func everyCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		everyCommand(sub, visit)
	}
}

func TestEveryCommandHasExamplesThatParse(t *testing.T) {
	everyCommand(newRoot(), func(c *cobra.Command) {
		if c.Parent() != nil && (c.Name() == "help" || c.Name() == "completion" || c.Parent().Name() == "completion") {
			return // cobra's own
		}
		examples := docs.InShell(c.Example, "rmqprov", 1)
		if len(examples) == 0 {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, e := range examples {
			if err := e.Try(newRoot()); err != nil {
				t.Errorf("%s, example %q: %v", c.CommandPath(), e.Words, err)
			}
		}
	})
}

// repository is the root of it; tests go to other folders.
var repository = func() string {
	root, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return root
}()

func documents(t *testing.T) []string {
	t.Helper()
	found, err := docs.Files(os.DirFS(repository))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// offline are the commands of docs that are carried out: they touch no host.
var offline = []string{"init", "validate", "fmt", "playbook list", "playbook show", "version", "completion", "secret list", "man"}

// What docs tell readers to type is taken by the program, and carried out where
// that needs no host.
func TestCommandsOfTheDocs(t *testing.T) {
	for _, name := range documents(t) {
		for _, c := range docs.Commands(document(t, name), "rmqprov") {
			if err := c.Try(newRoot()); err != nil {
				t.Errorf("%s:%d: rmqprov %s: %v", name, c.Line, strings.Join(c.Words, " "), err)
				continue
			}
			if isOffline(c) {
				if said, err := carryOut(t, c.Words); err != nil {
					t.Errorf("%s:%d: rmqprov %s: %v\n%s", name, c.Line, strings.Join(c.Words, " "), err, said)
				}
			}
		}
	}
}

var placeholder = regexp.MustCompile(`^[A-Z/]+$|^\[`)

// isOffline says whether a command line can be carried out: it has no
// placeholder, and its verb, whose words may stand apart, needs no host. Prose
// may only name a verb.
func isOffline(c docs.Command) bool {
	words := c.Words
	return !(c.Prose && len(words) < 3) && !slices.ContainsFunc(words, placeholder.MatchString) && slices.ContainsFunc(offline, func(verb string) bool {
		first, second, _ := strings.Cut(verb, " ")
		return words[0] == first && (second == "" || slices.Contains(words, second))
	})
}

// carryOut runs a command beside a sample inventory, under the names that the
// docs give it.
func carryOut(t *testing.T, words []string) (said string, err error) {
	dir := t.TempDir()
	t.Chdir(dir)
	if words[0] != "init" {
		for _, file := range append(inventoriesAmong(words), defaultFile) {
			write(t, file, sampleText())
		}
		write(t, "prod.vars.hcl", `token = "x"`)
		if err := os.CopyFS("playbooks/orders", os.DirFS(filepath.Join(repository, "cmd/rmqprov/testdata/docs/orders"))); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	status := run(environment{Args: words, Stdout: &out, Stderr: &out, Env: noEnv, Version: "v1.0.0"})
	if status != statusDone {
		err = fmt.Errorf("exit status %d", status)
	}
	return out.String(), err
}

func inventoriesAmong(words []string) []string {
	var files []string
	for _, w := range words[1:] {
		switch {
		case strings.HasSuffix(w, "/") && !strings.HasPrefix(w, "./playbooks"):
			files = append(files, filepath.Join(w, "cluster.hcl"))
		case strings.HasSuffix(w, ".hcl") && !strings.HasSuffix(w, ".vars.hcl"):
			files = append(files, w)
		}
	}
	return files
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// assumed are the blocks that an inventory of the docs leaves out.
var assumed = []struct{ kind, name, text string }{
	{"variable", "admin_password", `variable "admin_password" { default = "" }`},
	{"variable", "token", `variable "token" { default = "" }`},
	{"cluster", "", `cluster "rmq" {}`},
	{"host", "", "host \"node-1\" { address = \"10.0.0.11\" }\nhost \"node-2\" { address = \"10.0.0.12\" }\nhost \"node-3\" { address = \"10.0.0.13\" }"},
	{"network", "", `network "prod" { subnet = "10.20.0.0/24" }`},
	{"stack", "consul", `stack "consul" { playbook = "consul" }`},
	{"stack", "rabbitmq", "stack \"rabbitmq\" {\n  playbook   = \"rabbitmq\"\n  depends_on = [stack.consul]\n}"},
	{"stack", "haproxy", "stack \"haproxy\" {\n  playbook   = \"haproxy\"\n  depends_on = [stack.rabbitmq]\n}"},
}

// sampleText has one stack: each costs time.
func sampleText() string {
	var b strings.Builder
	for _, s := range assumed {
		if s.kind != "stack" || s.name == "consul" {
			b.WriteString(s.text + "\n")
		}
	}
	return b.String()
}

// completed adds to a piece of an inventory what it leaves out.
func completed(piece string, body *hclsyntax.Body) string {
	text := piece
	stacks := slices.ContainsFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "stack" })
	for _, s := range assumed {
		if s.kind == "stack" && !stacks {
			continue // they would cost the most of the time
		}
		there := slices.ContainsFunc(body.Blocks, func(b *hclsyntax.Block) bool {
			kind := b.Type
			if kind == "discover" {
				kind = "host"
			}
			return kind == s.kind && (s.name == "" || b.Labels[0] == s.name)
		})
		if !there {
			text += "\n" + s.text
		}
	}
	return text
}

// The inventories of the docs, and pieces of inventories, are sound.
func TestInventoriesOfTheDocs(t *testing.T) {
	for _, name := range documents(t) {
		for _, block := range docs.Blocks(document(t, name)) {
			if block.Language != "hcl" || strings.Contains(block.Text, "…") {
				continue
			}
			if diags := examine(t, block.Text); diags.HasErrors() {
				t.Errorf("%s:%d: %v", name, block.Line, diags)
			}
		}
	}
}

func examine(t *testing.T, text string) hcl.Diagnostics {
	dir := t.TempDir()
	file, diags := inventory.Parse([]byte(text), "docs.hcl")
	if diags.HasErrors() {
		return diags
	}
	body := file.Body.(*hclsyntax.Body)
	if slices.ContainsFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "playbook" }) {
		return nil // playbooks have tests of their own
	}
	for _, own := range []string{"playbooks/orders", "orders"} {
		if err := os.CopyFS(filepath.Join(dir, own), os.DirFS(filepath.Join(repository, "cmd/rmqprov/testdata/docs/orders"))); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "orders.yml"), "services: { orders: { image: \"orders:${TAG:-1}\" } }\n")
	write(t, filepath.Join(dir, "orders", "Dockerfile"), "FROM scratch\n")
	path := filepath.Join(dir, defaultFile)
	write(t, path, completed(text, body))
	inv, _, diags := inventory.Load(path, inventory.Options{Env: noEnv})
	if inv != nil {
		_, more := playbooks.Bind(inv)
		diags = append(diags, more...)
	}
	return diags
}

// docs/reference says what the program takes.
func TestReferenceIsFresh(t *testing.T) {
	for _, p := range reference(newRoot()) {
		path := filepath.Join(repository, "docs/reference", p.name+".md")
		want := p.markdown()
		if *update {
			write(t, path, string(want))
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the code says (%v): `make reference` writes it anew", path, err)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Relative links of the docs lead to files that are there.
func TestLinksOfTheDocs(t *testing.T) {
	for _, name := range documents(t) {
		text := document(t, name)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := fs.Stat(os.DirFS(repository), filepath.ToSlash(filepath.Join(filepath.Dir(name), target))); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
}

var (
	required = regexp.MustCompile(`(?m)^\t(\S+) v\S+`)
	imported = regexp.MustCompile(`(?m)^(?:import )?\t?(?:[\w.]+ )?"([^"\s]+\.[^"\s]+/[^"\s]+)"$`)
	listed   = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
)

// docs/dependencies.md has a reason for each module that the code imports, and
// for no other.
func TestEveryDependencyHasAReason(t *testing.T) {
	reasons := map[string]bool{}
	for _, m := range listed.FindAllStringSubmatch(document(t, "docs/dependencies.md"), -1) {
		reasons[m[1]] = false
	}
	for module := range importedModules(t) {
		if _, ok := reasons[module]; !ok {
			t.Errorf("docs/dependencies.md has no reason for %s", module)
		}
		reasons[module] = true
	}
	for module, used := range reasons {
		if !used {
			t.Errorf("docs/dependencies.md has a reason for %s, which nothing imports", module)
		}
	}
}

// importedModules are the modules of go.mod that some file of ours imports.
func importedModules(t *testing.T) map[string]bool {
	var modules []string
	for _, m := range required.FindAllStringSubmatch(document(t, "go.mod"), -1) {
		modules = append(modules, m[1])
	}
	found := map[string]bool{}
	for _, dir := range []string{"cmd", "inventory", "playbooks", "provision"} {
		err := fs.WalkDir(os.DirFS(repository), dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			for _, m := range imported.FindAllStringSubmatch(document(t, path), -1) {
				if module := moduleOf(m[1], modules); module != "" {
					found[module] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// moduleOf is the longest of the modules that a package may be of.
func moduleOf(pkg string, modules []string) string {
	best := ""
	for _, m := range modules {
		if (pkg == m || strings.HasPrefix(pkg, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

// The docs name no target of make that there is not.
func TestTargetsOfTheDocs(t *testing.T) {
	makefile := document(t, "Makefile")
	for _, name := range documents(t) {
		for _, c := range docs.Commands(document(t, name), "make") {
			for _, word := range c.Words {
				if strings.HasPrefix(word, "-") || strings.Contains(word, "=") {
					continue
				}
				if !strings.Contains("\n"+makefile, "\n"+word+":") {
					t.Errorf("%s:%d: there is no target %s", name, c.Line, word)
				}
			}
		}
	}
}
