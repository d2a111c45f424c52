package inventory

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// loadText loads one file that holds the text.
func loadText(t testing.TB, text string, opts Options) (*Inventory, Sources, hcl.Diagnostics) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "inventory.hcl")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(path, opts)
}

// minimal is what every inventory needs.
const minimal = `
cluster "rmq" {}
host "node-1" { address = "10.0.0.11" }
`

// mustLoad loads a text in which nothing is wrong, beside the minimum.
func mustLoad(t testing.TB, text string, opts Options) *Inventory {
	t.Helper()
	inv, sources, diags := loadText(t, minimal+text, opts)
	if len(diags) > 0 {
		t.Fatal(printed(t, sources, diags))
	}
	return inv
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := "testdata/good/folder"
	got, sources, diags := Load(dir, Options{Env: testEnv})
	if len(diags) > 0 {
		t.Fatal(printed(t, sources, diags))
	}
	want := &Inventory{
		Dir:     dir,
		Cluster: Cluster{Name: "rmq", Region: "eu-west-1"},
		SSH: SSH{User: "admin", Port: 2222, HostKeys: "known_hosts", KnownHosts: "/home/me/.ssh/rmq_hosts",
			Jump: "me@bastion.example.com:2200,10.1.1.1", SudoPassword: "x-hunter2", DialTimeout: 90 * time.Second, InstanceConnect: true},
		Hosts: []Host{
			{Name: "node-1", Address: "10.0.0.11", Private: "192.168.7.11", Role: "manager", Zone: "eu-west-1a",
				InstanceID: "i-0123456789abcdef0", Type: "m6i.large", Labels: map[string]string{"rack": "a", "disk.type": "nvme"}},
			{Name: "node-2", Address: "10.0.0.12", Role: "manager", User: "root", Port: 22},
			{Name: "node-3", Address: "node-3.example.com", Role: "manager"},
			{Name: "node-4", Address: "fd00::4", Role: "worker"},
		},
		SecurityGroup: &SecurityGroup{Name: "rmq", Adopt: "sg-0123456789abcdef0", Clients: []string{"172.31.0.0/16", "fd00::/8"}, Operators: []string{"203.0.113.7/32"}},
		Docker: Docker{
			RegistryMirrors: []string{"http://10.78.0.1:5000"}, InsecureRegistries: []string{"10.0.0.0/8", "registry.example.com:5000"},
			LogMaxSize: "10m", LogMaxFile: 5,
			Settings: map[string]any{"live-restore": false, "max-concurrent-uploads": 2.0,
				"default-ulimits": map[string]any{"nofile": map[string]any{"Name": "nofile", "Hard": 20000.0, "Soft": 20000.0}}},
		},
		Swarm:    Swarm{AddressPools: []string{"10.99.0.0/16"}, SubnetSize: 26, DataPathPort: 4790},
		Networks: []Network{{Name: "prod", Subnet: "10.20.0.0/24", MTU: 1400, Attachable: true, Encrypted: true}, {Name: "spare"}},
		Stacks: []Stack{
			{Name: "consul", Playbook: "consul"},
			{Name: "rabbitmq", Playbook: "rabbitmq", DependsOn: []string{"consul"}},
			{Name: "orders", Playbook: "./playbooks/orders", DependsOn: []string{"rabbitmq", "consul"}},
		},
		Files: []File{
			{Name: "motd", Path: "/etc/motd", Content: []byte("Welcome to NODE-1 of rmq in eu-west-1.\n"), Hosts: []string{"node-1", "node-2"}, Mode: 0o644, Owner: "root", Group: "root"},
			{Name: "motd-elsewhere", Path: "/etc/motd", Content: []byte("Welcome to ${banner}.\n"), Hosts: []string{"node-3"}, Mode: fs.FileMode(0o600), Owner: "999", Group: "adm", Restart: []string{"nginx.service", "getty@tty1"}},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(hcl.Range{}, &Scope{}, map[string]Input{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"node-1", "node-2", "node-3"}, got.Managers()); diff != "" {
		t.Errorf("managers (-want +got)\n%s", diff)
	}
}

func TestInputs(t *testing.T) {
	t.Parallel()
	inv, sources, diags := Load("testdata/good/folder", Options{Env: testEnv})
	if len(diags) > 0 {
		t.Fatal(printed(t, sources, diags))
	}
	secret := cty.StringVal("hunter2").Mark(Sensitive{})
	for _, test := range []struct {
		stack int
		name  string
		want  cty.Value
		line  int
	}{
		{0, "image", cty.StringVal("registry.example.com/consul:1.8.7"), 32},
		{0, "password", secret, 32},
		{1, "subnet", cty.StringVal("10.20.0.0/24"), 39},
		{1, "addresses", cty.TupleVal([]cty.Value{cty.StringVal("10.0.0.11"), cty.StringVal("10.0.0.12"), cty.StringVal("node-3.example.com"), cty.StringVal("fd00::4")}), 40},
		{1, "password", secret, 41},
		{1, "plain", cty.StringVal("x"), 42},
	} {
		got := inv.Stacks[test.stack].Inputs[test.name]
		if !got.Value.RawEquals(test.want) {
			t.Errorf("%s of %s is %#v, want %#v", test.name, inv.Stacks[test.stack].Name, got.Value, test.want)
		}
		if got.Range.Start.Line != test.line {
			t.Errorf("%s of %s stands at %s, want line %d", test.name, inv.Stacks[test.stack].Name, got.Range, test.line)
		}
	}
}

func TestUnevaluatedInputs(t *testing.T) {
	t.Parallel()
	inv, _, diags := loadText(t, minimal+`
stack "a" {
  playbook = "consul"
  inputs   = { good = 1, bad = uper("x"), nested = [var.nope] }
}
stack "b" {
  playbook = "consul"
  inputs   = mrge({}, {})
}`, Options{})
	if len(diags) != 3 {
		t.Fatalf("want three mistakes: %v", diags)
	}
	a := inv.Stacks[0].Inputs
	if !a["good"].Value.IsWhollyKnown() || a["bad"].Value.IsWhollyKnown() || a["nested"].Value.IsWhollyKnown() {
		t.Errorf("only what could be evaluated is to be known: %#v", a)
	}
	if inv.Stacks[1].Inputs != nil {
		t.Errorf("inputs that could not be evaluated are to be nil: %#v", inv.Stacks[1].Inputs)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	inv := mustLoad(t, `stack "a" { playbook = "consul" }`, Options{})
	if inv.SSH != (SSH{HostKeys: "known_hosts"}) {
		t.Errorf("ssh: %+v", inv.SSH)
	}
	if diff := cmp.Diff(Docker{LogMaxSize: "50m", LogMaxFile: 3}, inv.Docker, cmpopts.IgnoreTypes(hcl.Range{})); diff != "" {
		t.Errorf("docker (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(Swarm{SubnetSize: 24, DataPathPort: 4789}, inv.Swarm, cmpopts.IgnoreTypes(hcl.Range{})); diff != "" {
		t.Errorf("swarm (-want +got)\n%s", diff)
	}
	if inv.Stacks[0].Inputs == nil {
		t.Error("no inputs are an empty map, not nil")
	}
}

// TestPrecedence holds that what is nearer to the command line is stronger.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	env := func(name string) (string, bool) { return "from env", name == "RMQPROV_VAR_name" }
	none := func(string) (string, bool) { return "", false }
	a, b := "testdata/vars/a.hcl", "testdata/vars/b.json"
	for _, test := range []struct {
		name string
		opts Options
		want string
	}{
		{"default", Options{Env: none}, "from default"},
		{"environment", Options{Env: env}, "from env"},
		{"file", Options{Env: env, VarFiles: []string{a}}, "from a"},
		{"later file", Options{Env: env, VarFiles: []string{a, b}}, "from b"},
		{"earlier file", Options{Env: env, VarFiles: []string{b, a}}, "from a"},
		{"flag", Options{Env: env, VarFiles: []string{a, b}, Vars: map[string]string{"name": "from flag"}}, "from flag"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inv := mustLoad(t, `
variable "name"   { default = "from default" }
variable "number" { default = 1 }
variable "lists"  { default = [] }
host "named" { 
  address = "10.0.0.12"
  labels  = { name = var.name }
}`, test.opts)
			if got := inv.Hosts[1].Labels["name"]; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestVariableTypes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		block, flag, want string
	}{
		{`type = string`, `5`, `"5"`},
		{`type = number`, `5`, `5`},
		{`type = bool`, `true`, `true`},
		{``, `["a"]`, `"[\"a\"]"`},
		{`type = list(string)`, `["a", 1]`, `["a","1"]`},
		{`type = set(string)`, `["b", "a", "b"]`, `["a","b"]`},
		{`type = map(number)`, `{ a = "1" }`, `{"a":1}`},
		{`type = object({ a = string, b = optional(number, 7) })`, `{ a = "x" }`, `{"a":"x","b":7}`},
		{`type = any`, `x`, `"x"`},
		{"type = string\nsensitive = true", `x`, `"x"`},
		{"type = number\ndefault = null", ``, `null`},
	} {
		t.Run(test.block+" "+test.flag, func(t *testing.T) {
			t.Parallel()
			opts := Options{}
			if test.flag != "" {
				opts.Vars = map[string]string{"x": test.flag}
			}
			inv := mustLoad(t, "variable \"x\" {\n"+test.block+"\n}\nfile \"x\" {\npath = \"/x\"\ncontent = jsonencode(var.x)\n}", opts)
			if got := string(inv.Files[0].Content); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestOutside pins what is said about mistakes outside of the files.
func TestOutside(t *testing.T) {
	t.Parallel()
	sensitive := minimal + "variable \"name\" {\n  sensitive = true\n  type = number\n}\n"
	for _, test := range []struct {
		name, text string
		opts       Options
		want       []string // parts of what is printed
		silent     []string
	}{
		{"unknown variable", minimal + `variable "region" { default = "x" }`, Options{Vars: map[string]string{"regoin": "y", "size": "1"}},
			[]string{`Error: Unknown variable "regoin" in --var`, `Did you mean "region"?`, `Error: Unknown variable "size" in --var`, `Known: "region".`}, nil},
		{"unknown in a file", minimal + `variable "nam" { default = "x" }`, Options{VarFiles: []string{"testdata/vars/a.hcl"}},
			[]string{`Warning: Unknown variable "name" at testdata/vars/a.hcl:2`, `Did you mean "nam"?`}, []string{"from a"}},
		{"no such file", minimal, Options{VarFiles: []string{"testdata/vars/none.hcl"}},
			[]string{"Cannot read a file of variables", "none.hcl", "--var-file"}, nil},
		{"broken file", minimal, Options{VarFiles: []string{"testdata/vars/broken.hcl"}},
			[]string{"testdata/vars/broken.hcl line 1", "NAME = VALUE"}, []string{"hunter2"}},
		{"blocks in a file", minimal, Options{VarFiles: []string{"testdata/vars/blocks.hcl"}},
			[]string{"testdata/vars/blocks.hcl line 2", "NAME = VALUE"}, nil},
		{"calls in a file", minimal + "variable \"name\" {}\nvariable \"other\" {}", Options{VarFiles: []string{"testdata/vars/calls.hcl"}},
			[]string{`Variable "name" is no plain value`}, []string{"No value"}},
		{"sensitive of the wrong type", sensitive, Options{Vars: map[string]string{"name": "hunter2"}},
			[]string{`Wrong type for variable "name"`, "--var", "a number is required"}, []string{"hunter2"}},
		{"sensitive of the wrong type in a file", sensitive, Options{VarFiles: []string{"testdata/vars/a.hcl"}},
			[]string{"testdata/vars/a.hcl:2", "a number is required"}, []string{"from a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, sources, diags := loadText(t, test.text, test.opts)
			got := printed(t, sources, diags)
			for _, part := range test.want {
				if !strings.Contains(got, part) {
					t.Errorf("%q is not said:\n%s", part, got)
				}
			}
			for _, part := range test.silent {
				if strings.Contains(got, part) {
					t.Errorf("%q is said:\n%s", part, got)
				}
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"rmqprov init":         "testdata/none.hcl",
		"holds no file":        t.TempDir(),
		"Give the path":        filepath.Join(t.TempDir(), "none"),
		"Cannot read the inve": "testdata/none/none.hcl",
	} {
		inv, sources, diags := Load(path, Options{})
		if got := printed(t, sources, diags); inv != nil || !strings.Contains(got, name) {
			t.Errorf("%s: %q is not said:\n%s", path, name, got)
		}
	}
}

// TestVarFileInFolder holds that a file of variables beside the inventory is
// not read as a part of it.
func TestVarFileInFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	vars := filepath.Join(dir, "prod.hcl")
	for path, text := range map[string]string{
		filepath.Join(dir, "inventory.hcl"): minimal + `variable "x" {}`,
		vars:                                `x = 1`,
		filepath.Join(dir, ".hidden.hcl"):   `nonsense`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, sources, diags := Load(dir, Options{VarFiles: []string{dir + "/./prod.hcl"}}); len(diags) > 0 {
		t.Fatal(printed(t, sources, diags))
	}
}

// TestExample loads the example that `rmqprov init` writes.
func TestExample(t *testing.T) {
	t.Parallel()
	inv, sources, diags := loadText(t, string(Example()), Options{})
	if len(diags) > 0 {
		t.Fatal(printed(t, sources, diags))
	}
	if len(inv.Hosts) != 3 || len(inv.Stacks) != 3 || len(inv.Managers()) != 3 {
		t.Errorf("an incomplete example: %+v", inv)
	}
	formatted, diags := Format(Example())
	if diff := cmp.Diff(string(formatted), string(Example())); diff != "" || len(diags) > 0 {
		t.Errorf("the example is not formatted (-formatted +example):\n%s", diff)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	got, diags := Format([]byte("ssh {\nuser=\"me\"\n  identity   = \"x\" # key\n}\n"))
	want := "ssh {\n  user     = \"me\"\n  identity = \"x\" # key\n}\n"
	if len(diags) > 0 || string(got) != want {
		t.Errorf("got %s %v", got, diags)
	}
	if got, diags := Format([]byte("ssh {\n")); got != nil || !diags.HasErrors() {
		t.Errorf("a syntax error is formatted: %s", got)
	}
}

func TestManagers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ roles, want string }{
		{"", ""},
		{"-", "a"},
		{"--", "a"},
		{"---", "abc"},
		{"----", "abc"},
		{"-----", "abcde"},
		{"-------", "abcde"},
		{"w---", "bcd"},
		{"w--", "b"},
		{"-m-", "b"},
		{"mmw", "ab"},
	} {
		var inv Inventory
		for i, role := range test.roles {
			words := map[rune]string{'m': "manager", 'w': "worker"}
			inv.Hosts = append(inv.Hosts, Host{Name: string(rune('a' + i)), Role: words[role]})
		}
		if got := strings.Join(inv.Managers(), ""); got != test.want {
			t.Errorf("%s: managers are %q, want %q", test.roles, got, test.want)
		}
	}
}

// TestEnvOfContract holds that an unset environment variable is passed through
// as an empty value, which means: not given.
func TestEnvOfContract(t *testing.T) {
	t.Parallel()
	set := map[string]string{"LAB_KEY": "/keys/lab", "LAB_KNOWN_HOSTS": "/keys/known_hosts", "RMQ_ADMIN_PASSWORD": "hunter2"}
	for _, test := range []struct {
		name                           string
		env                            map[string]string
		identity, knownHosts, password string
	}{
		{"unset", nil, "", "", ""},
		{"set", set, "/keys/lab", "/keys/known_hosts", "hunter2"},
	} {
		inv, _, diags := Load("testdata/good/three-hosts.hcl", Options{Env: func(name string) (string, bool) {
			value, ok := test.env[name]
			return value, ok
		}})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		password := inv.Stacks[1].Inputs["admin_password"].Value
		if want := cty.StringVal(test.password).Mark(Sensitive{}); !password.RawEquals(want) {
			t.Errorf("%s: the password is %#v", test.name, password)
		}
		if inv.SSH.Identity != test.identity || inv.SSH.KnownHosts != test.knownHosts {
			t.Errorf("%s: ssh is %+v", test.name, inv.SSH)
		}
	}
}

// TestDiscoveredHosts holds that names of hosts that are not known yet are not
// called wrong.
func TestDiscoveredHosts(t *testing.T) {
	t.Parallel()
	inv, sources, diags := loadText(t, `
cluster "rmq" { region = "eu-west-1" }
discover "ec2" {
  filters = { "tag:Cluster" = "rmq", "vpc-id" = ["vpc-1", "vpc-2"] }
  address = "public"
}
file "a" {
  path    = "/a"
  content = ""
  hosts   = ["web-1"]
}`, Options{})
	if len(diags) > 0 {
		t.Fatal(printed(t, sources, diags))
	}
	want := Discover{Kind: "ec2", Region: "eu-west-1", Address: "public", Filters: map[string][]string{"tag:Cluster": {"rmq"}, "vpc-id": {"vpc-1", "vpc-2"}}}
	if diff := cmp.Diff(want, inv.Discover[0], cmpopts.IgnoreTypes(hcl.Range{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// FuzzLoad holds that no text makes Load panic, say nothing about an unusable
// value, or say something else on a second run.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.hcl", "testdata/good/*.hcl", "testdata/good/folder/*.hcl"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		files := []source{{name: "fuzz.hcl", text: text}}
		dir := filepath.Join(os.TempDir(), "no-such-folder")
		inv, sources, diags := load(dir, files, Options{})
		said := printed(t, sources, diags)
		if inv != nil && !diags.HasErrors() {
			for _, s := range inv.Stacks {
				for name, in := range s.Inputs {
					if !in.Value.IsWhollyKnown() {
						t.Errorf("input %s of %s is unknown, and nothing is said", name, s.Name)
					}
				}
			}
		}
		_, sources, diags = load(dir, files, Options{})
		if again := printed(t, sources, diags); again != said {
			t.Errorf("a second run says something else:\n%s\n%s", said, again)
		}
	})
}

// Formatting twice is formatting once, and line ends stay what they are.
func TestFormatSettles(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	settled := 0
	for _, name := range append(files, "example.hcl") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range [][]byte{text, bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))} {
			once, diags := Format(src)
			if diags.HasErrors() {
				continue // what cannot be parsed is left alone
			}
			settled++
			if twice, _ := Format(once); !bytes.Equal(once, twice) {
				t.Errorf("%s changes again", name)
			}
			if crlf := []byte("\r\n"); bytes.Count(src, crlf) != bytes.Count(once, crlf) {
				t.Errorf("%s: line ends have changed", name)
			}
		}
	}
	if settled < 100 {
		t.Errorf("only %d texts could be formatted", settled)
	}
}
