package inventory

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

func testScope() *Scope {
	env := func(name string) (string, bool) { return "home", name == "HOME" }
	return &Scope{Functions: Functions("testdata/good/folder", env), env: env}
}

// evaluate gives an expression's value as JSON, or what is wrong with it.
func evaluate(t testing.TB, text string, ctx *hcl.EvalContext) string {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "test.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	v, diags := Evaluate(expr, ctx)
	if diags.HasErrors() {
		return "! " + diags[0].Detail
	}
	v, marks := v.UnmarkDeep()
	got, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if len(marks) > 0 {
		return "sensitive " + string(got)
	}
	return string(got)
}

// TestFunctions has at least one line for each function; a result that starts
// with ! is a part of the message.
func TestFunctions(t *testing.T) {
	t.Parallel()
	scope := testScope()
	ctx := scope.With(map[string]cty.Value{"secret": cty.StringVal("hunter2").Mark(Sensitive{})})
	tested := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(functionTable), "\n") {
		text, want, ok := strings.Cut(line, " => ")
		if !ok {
			t.Fatalf("no => in %q", line)
		}
		name, _, _ := strings.Cut(text, "(")
		tested[strings.TrimSpace(name)] = true
		got := evaluate(t, text, ctx)
		if message, failed := strings.CutPrefix(want, "!"); failed {
			if !strings.HasPrefix(got, "!") || !strings.Contains(got, strings.TrimSpace(message)) {
				t.Errorf("%s gives %s, want the message %s", text, got, message)
			}
		} else if got != want {
			t.Errorf("%s gives %s, want %s", text, got, want)
		}
	}
	for _, name := range sortedKeys(scope.Functions) {
		if !tested[name] {
			t.Errorf("%s is not tested", name)
		}
	}
}

const functionTable = `
abs(-3) => 3
alltrue([true, true]) => true
alltrue([true, false]) => false
alltrue([]) => true
alltrue([true, null]) => false
anytrue([false, true]) => true
anytrue([]) => false
base64decode("aGk=") => "hi"
base64decode("%") => ! illegal base64
base64decode("/w==") => ! no text
base64encode("hi") => "aGk="
basename("/a/b.txt") => "b.txt"
can(tonumber("x")) => false
can(1) => true
ceil(1.2) => 2
chomp("a\n") => "a"
chunklist(["a", "b", "c"], 2) => [["a","b"],["c"]]
cidrhost("10.0.0.0/24", 11) => "10.0.0.11"
cidrhost("10.0.0.0/24", 300) => ! prefix of 24
cidrhost("10.0.0.0", 1) => ! Write "10.0.0.0/32" for it alone
cidrhost("10.0.0.0/24", 1.5) => ! whole number
cidrnetmask("10.0.0.0/20") => "255.255.240.0"
cidrnetmask("fd00::/64") => ! IPv6
cidrsubnet("10.0.0.0/16", 8, 5) => "10.0.5.0/24"
cidrsubnet("10.0.0.0/16", 8, 300) => ! 300
cidrsubnets("10.0.0.0/16", 8, 8, 4) => ["10.0.0.0/24","10.0.1.0/24","10.0.16.0/20"]
cidrsubnets("10.0.0.0/24", 1, 1, 1) => ! no room left
cidrsubnets("10.0.0.0/24", 9) => ! 1 to 8
cidrsubnets("10.0.0.0/24") => []
coalesce("", null, "c", "d") => "c"
coalesce("", secret) => sensitive "hunter2"
coalesce(null, "") => ! null or empty
coalesce(null, 5) => 5
coalescelist([], ["a"]) => ["a"]
compact(["a", "", "b"]) => ["a","b"]
concat(["a"], ["b"]) => ["a","b"]
contains(["a"], "a") => true
csvdecode("a,b\n1,2") => [{"a":"1","b":"2"}]
dirname("/a/b.txt") => "/a"
distinct(["a", "a"]) => ["a"]
element(["a", "b"], 3) => "b"
endswith("abc", "bc") => true
env("HOME") => "home"
env("NOT_SET") => ""
file("files/motd.tmpl") => "Welcome to ${banner}.\n"
file("none") => ! testdata/good/folder/none: no such file
file("files") => ! not a regular file
file("~/x") => ! home/x
filebase64("files/motd.tmpl") => "V2VsY29tZSB0byAke2Jhbm5lcn0uCg=="
fileexists("files/motd.tmpl") => true
fileexists("none") => false
fileexists("files") => ! not a regular file
filesha256("files/motd.tmpl") => "363b6f9735e8c2c43724eb23c34cb1c05c877e657dc71afab7c5a06678a23a39"
flatten([["a"], ["b", ["c"]]]) => ["a","b","c"]
floor(1.8) => 1
format("%s-%02d", "node", 3) => "node-03"
format("%s", secret) => sensitive "hunter2"
formatdate("YYYY", "2026-01-02T03:04:05Z") => "2026"
formatlist("%s:5672", ["a", "b"]) => ["a:5672","b:5672"]
indent(2, "a\nb") => "a\n  b"
index(["a", "b"], "b") => 1
index(["a"], "b") => ! does not have
index("a", "b") => ! a list is needed
issensitive(secret) => true
issensitive([secret]) => true
issensitive("a") => false
join(",", ["a", "b"]) => "a,b"
join(",", ["a", secret]) => sensitive "a,hunter2"
jsondecode("{\"a\":[1]}") => {"a":[1]}
jsonencode({ b = 1, a = ["x"] }) => "{\"a\":[\"x\"],\"b\":1}"
keys({ b = 1, a = 2 }) => ["a","b"]
length("abc") => 3
length(["a"]) => 1
length({ a = 1, b = 2 }) => 2
length(toset(["a", "a"])) => 1
length(5) => ! is needed, not number
log(8, 2) => 3
lookup({ a = 1 }, "b", 2) => 2
lower("A") => "a"
max(1, 3, 2) => 3
md5("a") => "0cc175b9c0f1b6a831c399e269772661"
merge({ a = 1, b = 1 }, { b = 2 }) => {"a":1,"b":2}
min(3, 1) => 1
nonsensitive(secret) => "hunter2"
nonsensitive("a") => "a"
one(["a"]) => "a"
one([]) => null
one(["a", "b"]) => ! at most one
one("a") => ! list or set
parseint("ff", 16) => 255
parseint(secret, 10) => ! not shown
pow(2, 10) => 1024
range(3) => [0,1,2]
regex("[0-9]+", "a12") => "12"
regexall("[0-9]", "a12") => ["1","2"]
replace("a.b", ".", "-") => "a-b"
replace("a12", "/[0-9]+/", "x") => "ax"
replace("/", "/", "x") => "x"
reverse(["a", "b"]) => ["b","a"]
sensitive("a") => sensitive "a"
setintersection(["a", "b"], ["b"]) => ["b"]
setproduct(["a"], ["b", "c"]) => [["a","b"],["a","c"]]
setsubtract(["a", "b"], ["b"]) => ["a"]
setunion(["a"], ["b"]) => ["a","b"]
sha1("a") => "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"
sha256("a") => "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
sha512("a") => "1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f5302860c652bf08d560252aa5e74210546f369fbbbce8c12cfc7957b2652fe9a75"
signum(-3) => -1
slice(["a", "b", "c"], 1, 2) => ["b"]
sort(["b", "a"]) => ["a","b"]
split(",", "a,b") => ["a","b"]
startswith("abc", "ab") => true
strcontains("abc", "b") => true
strrev("abc") => "cba"
substr("abc", 1, 1) => "b"
sum([1, 2.5]) => 3.5
sum([]) => 0
sum([1, null]) => ! null
templatefile("files/motd.tmpl", { banner = "x" }) => "Welcome to x.\n"
templatefile("files/motd.tmpl", { banner = secret }) => sensitive "Welcome to hunter2.\n"
templatefile("files/motd.tmpl", { baner = "x" }) => ! Did you mean "baner"?
title("a b") => "A B"
tobool("true") => true
tolist(["a", 1]) => ["a","1"]
tomap({ a = 1 }) => {"a":1}
tonumber("5") => 5
toset(["b", "a", "b"]) => ["a","b"]
tostring(5) => "5"
trim("xax", "x") => "a"
trimprefix("xa", "x") => "a"
trimspace(" a ") => "a"
trimsuffix("ax", "x") => "a"
try(tonumber("x"), 5) => 5
upper("a") => "A"
urlencode("a b/c") => "a+b%2Fc"
values({ b = 1, a = 2 }) => [2,1]
yamldecode("a: [1]") => {"a":[1]}
yamlencode({ a = [1] }) => "\"a\":\n- 1\n"
zipmap(["a"], [1]) => {"a":1}
nothing(1) => ! Terraform
uppr("a") => ! Did you mean "upper"?
`

// TestIn holds that a playbook's functions read from its own folder only.
func TestIn(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"conf/a.conf": {Data: []byte("port = ${port}")}}
	ctx := testScope().In(fsys, map[string]cty.Value{"input": cty.ObjectVal(map[string]cty.Value{"port": cty.NumberIntVal(5672)})})
	for text, want := range map[string]string{
		`file("conf/a.conf")`:                                `"port = ${port}"`,
		`file("./conf/a.conf")`:                              `"port = ${port}"`,
		`templatefile("conf/a.conf", { port = input.port })`: `"port = 5672"`,
		`file("../inventory.hcl")`:                           `! Invalid value for "path" parameter: "../inventory.hcl" is outside of the playbook's folder.`,
		`file("/etc/passwd")`:                                `! Invalid value for "path" parameter: "/etc/passwd" is outside of the playbook's folder.`,
		`fileexists("conf/b.conf")`:                          `false`,
		`env("HOME")`:                                        `"home"`,
		`input.prt`:                                          `! This object does not have an attribute named "prt". Did you mean "port"?`,
	} {
		if got := evaluate(t, text, ctx); got != want {
			t.Errorf("%s gives %s, want %s", text, got, want)
		}
	}
}

// TestScopeVariables holds that all that is named in an inventory is there for
// what is evaluated later.
func TestScopeVariables(t *testing.T) {
	t.Parallel()
	inv, sources, diags := Load("testdata/good/folder", Options{Env: testEnv})
	if len(diags) > 0 {
		t.Fatal(printed(t, sources, diags))
	}
	ctx := &hcl.EvalContext{Variables: inv.Scope.Variables, Functions: inv.Scope.Functions}
	for text, want := range map[string]string{
		`var.region`:                    `"eu-west-1"`,
		`var.secret`:                    `sensitive "hunter2"`,
		`local.banner`:                  `"NODE-1 of rmq in eu-west-1"`,
		`cluster.name`:                  `"rmq"`,
		`host["node-1"].labels["rack"]`: `"a"`,
		`host.node-2.port`:              `22`,
		`network["prod"].mtu`:           `1400`,
		`stack.consul.name`:             `"consul"`,
		`keys(host)`:                    `["node-1","node-2","node-3","node-4"]`,
	} {
		if got := evaluate(t, text, ctx); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// FuzzEvaluate holds that no expression makes a function panic, with a
// sensitive value in it or without, and that a value that is not known is
// always reported.
func FuzzEvaluate(f *testing.F) {
	for _, line := range strings.Split(strings.TrimSpace(functionTable), "\n") {
		text, _, _ := strings.Cut(line, " => ")
		f.Add(text)
		f.Add(strings.ReplaceAll(text, `"a"`, "var.secret"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := source{name: "fuzz.hcl", text: []byte("variable \"secret\" {\n  default   = \"hunter2\"\n  sensitive = true\n}\nlocals {\n  x = " + text + "\n}\n" + minimal)}
		inv, _, diags := load("testdata/good/folder", []source{file}, Options{})
		if inv != nil && !diags.HasErrors() && !inv.Scope.Variables["local"].IsWhollyKnown() {
			t.Errorf("%s has no value, and nothing is said", text)
		}
		for _, d := range diags {
			if strings.Contains(d.Summary+d.Detail, "hunter2") && !strings.Contains(text, "hunter2") && !strings.Contains(text, "nonsensitive") {
				t.Errorf("%s gives the secret away: %s %s", text, d.Summary, d.Detail)
			}
		}
	})
}
