package playbooks

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rmqprov/rmqprov/inventory"
)

var update = flag.Bool("update", false, "write the golden files anew")

// load reads an inventory and binds it; env holds environment variables.
func load(t *testing.T, path string, env map[string]string) ([]Stack, string) {
	t.Helper()
	look := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	inv, files, diags := inventory.Load(path, inventory.Options{Env: look})
	if inv == nil {
		t.Fatal(diags)
	}
	stacks, d := Bind(inv)
	diags = append(diags, d...)
	all := Sources(diags)
	for name, f := range files {
		all[name] = f
	}
	var text bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&text, all, 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return stacks, text.String()
}

// golden compares with a file under testdata/golden.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update accepts):\n%s", path, diff)
	}
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// goldenStacks compares everything that Bind made of an inventory: what is
// written to managers, and what becomes services.
func goldenStacks(t *testing.T, dir string, stacks []Stack) {
	t.Helper()
	for _, s := range stacks {
		for _, f := range s.Files {
			golden(t, filepath.Join(dir, s.Name, f.Name), f.Content)
		}
		golden(t, filepath.Join(dir, s.Name, "services.json"), indented(t, s.Services))
		s.Services, s.Files, s.Inputs, s.Range = nil, nil, nil, hcl.Range{}
		for i := range s.Configs {
			s.Configs[i].Content = nil // among the files
		}
		for i := range s.Slots {
			s.Slots[i].Range = hcl.Range{}
		}
		golden(t, filepath.Join(dir, s.Name, "stack.json"), indented(t, s))
	}
}

func TestBindContract(t *testing.T) {
	stacks, diags := load(t, "testdata/inventory.hcl", map[string]string{"RMQ_ADMIN_PASSWORD": "correct-horse"})
	if diags != "" {
		t.Errorf("diagnostics:\n%s", diags)
	}
	goldenStacks(t, "contract", stacks)
}

// A folder of the user's own works as the embedded ones do: loops in compose
// files, swarm's own templates, compose's own variables, hooks for a slot.
func TestBindOwnFolder(t *testing.T) {
	stacks, diags := load(t, "testdata/own.hcl", nil)
	if diags != "" {
		t.Errorf("diagnostics:\n%s", diags)
	}
	goldenStacks(t, "own", stacks)
	got := stacks[0].Hooks[1].ExecFor("shard-02")
	if want := []string{"app", "drop", "shard-02.orders"}; !slices.Equal(got, want) {
		t.Errorf("ExecFor: %q, want %q", got, want)
	}
}

// A compose file that stands alone becomes what `docker stack deploy` makes of
// it, with configs and secrets named after their content.
func TestBindPlainFile(t *testing.T) {
	stacks, diags := load(t, "testdata/plain.hcl", nil)
	if diags != "" {
		t.Errorf("diagnostics:\n%s", diags)
	}
	goldenStacks(t, "plain", stacks)
}

// What is sensitive stands in Secret.Value, and nowhere else in what Bind
// returns: the rest goes into plans, files and the swarm's readable objects.
func TestSecretsStayHidden(t *testing.T) {
	stacks, _ := load(t, "testdata/inventory.hcl", map[string]string{"RMQ_ADMIN_PASSWORD": "correct-horse"})
	found := 0
	for _, s := range stacks {
		for i := range s.Secrets {
			if s.Secrets[i].Value == "correct-horse" {
				found++
				s.Secrets[i].Value = ""
			}
		}
		if v := s.Inputs["admin_password"]; s.Name == "rabbitmq" && !sensitive(v) {
			t.Error("the input admin_password is not marked")
		}
		s.Inputs = nil
		if text := indented(t, s); bytes.Contains(text, []byte("correct-horse")) {
			t.Errorf("stack %s shows the password", s.Name)
		}
		for _, f := range s.Files {
			if bytes.Contains(f.Content, []byte("correct-horse")) {
				t.Errorf("%s/%s shows the password", s.Name, f.Name)
			}
		}
	}
	if found != 1 {
		t.Errorf("the password is the value of %d secrets, want 1", found)
	}
}

// The same inventory binds to the same stacks: plans are compared byte by byte.
func TestBindIsStable(t *testing.T) {
	first, _ := load(t, "testdata/inventory.hcl", nil)
	want := indented(t, first)
	for range 5 {
		again, _ := load(t, "testdata/inventory.hcl", nil)
		if !bytes.Equal(indented(t, again), want) {
			t.Fatal("two runs bound different stacks")
		}
	}
}

// Another value is another object; so is another form of it. A generated value
// is known by its generation.
func TestSecretObjects(t *testing.T) {
	objects := func(password string) []SecretObject {
		stacks, diags := load(t, "testdata/inventory.hcl", map[string]string{"RMQ_ADMIN_PASSWORD": password})
		if diags != "" {
			t.Fatal(diags)
		}
		i := slices.IndexFunc(stacks[1].Secrets, func(s Secret) bool { return s.Name == "admin_password" })
		return stacks[1].Secrets[i].Objects
	}
	one, other, none := objects("one"), objects("other"), objects("")
	for i := range one {
		if one[i].Object == other[i].Object {
			t.Errorf("%s is the name for two values", one[i].Object)
		}
	}
	if !slices.Equal(one, objects("one")) {
		t.Error("one value has two names")
	}
	if want := "rabbitmq_admin_password-g1"; none[0].Object != want {
		t.Errorf("generated: %s, want %s", none[0].Object, want)
	}
}

func TestObjectName(t *testing.T) {
	long := strings.Repeat("x", 80)
	for _, c := range []struct{ stack, name, want string }{
		{"rmq", "rabbitmq.conf", "rmq_rabbitmq.conf-0123abcd"},
		{"rmq", "sites/a b.conf", "rmq_sites-a-b.conf-0123abcd"},
		{"rmq", long, "rmq_" + long[:51] + "-0123abcd"},
		{"rmq", strings.Repeat("y", 50) + "....", "rmq_" + strings.Repeat("y", 50) + "-0123abcd"},
	} {
		got := objectName(c.stack, c.name, "0123abcd")
		if got != c.want || len(got) > 64 {
			t.Errorf("objectName(%q, %q) = %q (%d characters), want %q", c.stack, c.name, got, len(got), c.want)
		}
	}
}

// What the configuration says depends on the version of RabbitMQ.
func TestRabbitMQVersions(t *testing.T) {
	for _, c := range []struct {
		image, version string
		has, lacks     []string
		form           []string // hooks after the set has formed
	}{
		{"rabbitmq:3.10.8", "", []string{"cluster_partition_handling = pause_minority"}, []string{"default_queue_type"}, []string{"queue-type"}},
		{"rabbitmq:3.13-management-alpine", "", []string{"cluster_partition_handling"}, []string{"default_queue_type"}, []string{"queue-type"}},
		{"rabbitmq:4.2.1-management", "", []string{"cluster_partition_handling", "default_queue_type = quorum"}, nil, nil},
		{"localhost:5000/mine/rabbitmq:v4.3", "", []string{"default_queue_type = quorum"}, []string{"cluster_partition_handling"}, nil},
		{"rabbitmq:latest", "4.3", []string{"default_queue_type = quorum"}, []string{"cluster_partition_handling"}, nil},
	} {
		t.Run(c.image, func(t *testing.T) {
			stack := bindRabbitMQ(t, c.image, c.version)
			conf := string(stack.Configs[0].Content)
			for _, text := range c.has {
				if !strings.Contains(conf, text) {
					t.Errorf("lacks %q", text)
				}
			}
			for _, text := range c.lacks {
				if strings.Contains(conf, text) {
					t.Errorf("has %q", text)
				}
			}
			var form []string
			for _, h := range stack.Hooks {
				if h.Moment == "after form" {
					form = append(form, h.Name)
				}
			}
			if !slices.Equal(form, c.form) {
				t.Errorf("after form: %q, want %q", form, c.form)
			}
		})
	}
}

func bindRabbitMQ(t *testing.T, image, version string) Stack {
	t.Helper()
	inputs := fmt.Sprintf("image = %q", image)
	if version != "" {
		inputs += fmt.Sprintf(", version = %q", version)
	}
	path := filepath.Join(t.TempDir(), "inventory.hcl")
	text := fmt.Sprintf(`
cluster "rmq" {}
host "a" { address = "10.0.0.1" }
host "b" { address = "10.0.0.2" }
host "c" { address = "10.0.0.3" }
network "prod" { subnet = "10.0.1.0/24" }
stack "rabbitmq" {
  playbook = "rabbitmq"
  inputs   = { %s }
}
`, inputs)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stacks, diags := load(t, path, nil)
	if diags != "" {
		t.Fatal(diags)
	}
	return stacks[0]
}

func TestBindDiscovered(t *testing.T) {
	stacks, diags := load(t, "testdata/inventory-ec2.hcl", nil)
	golden(t, "inventory-ec2.txt", []byte(diags))
	if len(stacks) != 4 {
		t.Errorf("%d stacks bound, want the 4 that the binary carries", len(stacks))
	}
}

// Every mistake is reported, at its place, and all of a file at once.
func TestBindMistakes(t *testing.T) {
	inventories, err := filepath.Glob("testdata/bad/*.hcl")
	if err != nil || len(inventories) == 0 {
		t.Fatal(inventories, err)
	}
	for _, path := range inventories {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, diags := load(t, path, nil)
			golden(t, filepath.Join("bad", strings.TrimSuffix(filepath.Base(path), ".hcl")+".txt"), []byte(diags))
		})
	}
}

// Each of the archives is a playbook with one kind of mistake. What it lacks
// of files is taken from a sound one.
func TestWrongPlaybooks(t *testing.T) {
	archives, err := filepath.Glob("testdata/wrong/*.txtar")
	if err != nil || len(archives) < 40 {
		t.Fatal(archives, err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			files := wrongPlaybook(t, path)
			t.Chdir(t.TempDir())
			writeFiles(t, files)
			_, diags := load(t, "inventory.hcl", nil)
			t.Chdir(here)
			if diags == "" {
				t.Error("nothing is said of it")
			}
			golden(t, filepath.Join("wrong", strings.TrimSuffix(filepath.Base(path), ".txtar")+".txt"), []byte(diags))
		})
	}
}

func wrongPlaybook(t *testing.T, path string) map[string][]byte {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"inventory.hcl": []byte(plainInventory), "p/playbook.hcl": []byte(plainPlaybook), "p/stack.yml": []byte(plainStack)}
	for _, f := range archive.Files {
		if files[f.Name] = f.Data; len(f.Data) == 0 {
			delete(files, f.Name)
		}
	}
	return files
}

func writeFiles(t *testing.T, files map[string][]byte) {
	t.Helper()
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
