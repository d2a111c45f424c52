//go:build lab

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/rmqprov/rmqprov/provision/e2e/lab"
)

// The cluster of the documentation on EC2: hosts found by tag, keys from their
// consoles, and a security group, which is looked at past rmqprov.
func TestEC2(t *testing.T) {
	l := bringUp(t, "ec2", "10.88.0.0/24", "debian13")
	c := newCloud(t, l)
	t.Run("what is missing is told", c.testMissing)
	t.Run("what AWS denies is told", c.testDenied)
	t.Run("from nothing to a cluster", c.testApply)
	if t.Failed() {
		return
	}
	t.Run("a second apply has nothing to do", c.testSettled)
	t.Run("what these credentials may do is tried", c.testDoctor)
	t.Run("without a key pair", c.testInstanceConnect)
	t.Run("operators move", c.testStaleRule)
	t.Run("a rule goes missing, and somebody adds one", c.testDrift)
	t.Run("two runs at once", c.testTwoRuns)
	t.Run("a host is lost and a new one comes", c.testReplaced)
	t.Run("destroy", c.testDestroy)
}

// account is a lab's EC2 with an inventory for it.
type account struct {
	*lab.Lab
	*ec2.Client
	file string // the inventory
	env  []string
	wire *wire
}

// newCloud writes the documentation's inventory, with the images and the mirror
// that the lab has, and gives rmqprov a home with the lab's key.
func newCloud(t *testing.T, l *lab.Lab) *account {
	t.Helper()
	if err := l.Do(t.Context(), "images", "redis:8.0"); err != nil {
		t.Fatal(err)
	}
	vars := exported(t, filepath.Join(l.Dir(), "env"))
	dir := t.TempDir()
	c := &account{Lab: l, file: filepath.Join(dir, "inventory"), wire: tap(t, vars["AWS_ENDPOINT_URL_EC2"])}
	c.Client = ec2.New(ec2.Options{
		BaseEndpoint: aws.String(vars["AWS_ENDPOINT_URL_EC2"]), Region: vars["AWS_REGION"],
		Credentials: credentials.NewStaticCredentialsProvider("lab", "lab", ""),
	})
	key, err := os.ReadFile(filepath.Join(l.Dir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".ssh", "id_ed25519"), string(key))
	c.env = []string{
		"HOME=" + dir, "XDG_CONFIG_HOME=" + filepath.Join(dir, ".config"), "SSH_AUTH_SOCK=", "AWS_ENDPOINT_URL_EC2=" + c.wire.URL,
		"AWS_ENDPOINT_URL_EC2_INSTANCE_CONNECT=" + vars["AWS_ENDPOINT_URL_EC2_INSTANCE_CONNECT"],
		"AWS_ACCESS_KEY_ID=lab", "AWS_SECRET_ACCESS_KEY=lab", "AWS_EC2_METADATA_DISABLED=true",
	}
	write(t, filepath.Join(c.file, "inventory.hcl"), documented(t))
	write(t, filepath.Join(c.file, "lab.hcl"), fmt.Sprintf("docker { registry_mirrors = [%q] }\n", mirror(t, l)))
	if err := os.CopyFS(filepath.Join(c.file, "playbooks", "orders"), os.DirFS("testdata/orders")); err != nil {
		t.Fatal(err)
	}
	return c
}

// documented is the inventory as the documentation has it, with images that the
// lab can build.
func documented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../playbooks/testdata/inventory-ec2.hcl")
	if err != nil {
		t.Fatal(err)
	}
	return replaced(t, string(text), map[string]string{
		`stack "consul"   { playbook = "consul" }`: "stack \"consul\" {\n  playbook = \"consul\"\n  inputs   = { image = \"consul:1.8.7\" }\n}",
		`playbook   = "rabbitmq"`:                  "playbook   = \"rabbitmq\"\n  inputs     = { image = \"rabbitmq:4.0.5\" }",
	})
}

func replaced(t *testing.T, text string, by map[string]string) string {
	t.Helper()
	for from, to := range by {
		if !strings.Contains(text, from) {
			t.Fatalf("the inventory has no %q", from)
		}
		text = strings.Replace(text, from, to, 1)
	}
	return text
}

// edit changes the inventory.
func (c *account) edit(t *testing.T, by map[string]string) {
	t.Helper()
	file := filepath.Join(c.file, "inventory.hcl")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, replaced(t, string(text), by))
}

func write(t *testing.T, file, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o700)
	if err = errors.Join(err, os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// exported reads a file of export NAME='VALUE' lines.
func exported(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		vars[name] = strings.Trim(value, "'")
	}
	return vars
}

// mirror is the lab's registry, as the inventory that the lab writes names it.
func mirror(t *testing.T, l *lab.Lab) string {
	t.Helper()
	text, err := os.ReadFile(l.Inventory())
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `registry_mirrors = ["`)
	address, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("%s names no mirror", l.Inventory())
	}
	return address
}

// run runs rmqprov with the account's environment; without a terminal, nobody
// can be asked.
func (c *account) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := c.Rmqprov(t.Context(), args...)
	cmd.Env = append(cmd.Env, c.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is run for what must go well.
func (c *account) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.run(t, args...)
	if err != nil {
		t.Fatalf("rmqprov %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused is run for what must fail, saying all these things.
func (c *account) refused(t *testing.T, says []string, args ...string) {
	t.Helper()
	out, err := c.run(t, args...)
	if ended, ok := errors.AsType[*exec.ExitError](err); !ok || ended.ExitCode() != 1 {
		t.Fatalf("rmqprov %s: %v, not exit status 1\n%s", strings.Join(args, " "), err, out)
	}
	contains(t, out, says...)
}

func contains(t *testing.T, out string, says ...string) {
	t.Helper()
	flat := strings.Join(strings.Fields(out), " ")
	for _, s := range says {
		if !strings.Contains(flat, s) {
			t.Errorf("not told: %q in\n%s", s, out)
		}
	}
}

func (c *account) testMissing(t *testing.T) {
	dir := t.TempDir()
	nobody := filepath.Join(dir, "nobody.hcl")
	write(t, nobody, "cluster \"rmq\" { region = \"ap-southeast-1\" }\ndiscover \"ec2\" { filters = { \"tag:Cluster\" = \"other\" } }\n")
	c.refused(t, []string{`finding instances where tag:Cluster = "other": region ap-southeast-1 has no such instance that runs`, `tag:Cluster = "other" matches nothing`}, "plan", nobody)
	few := filepath.Join(dir, "few.hcl")
	write(t, few, `cluster "rmq" { region = "ap-southeast-1" }
discover "ec2" { filters = { "tag:Cluster" = "rmq", "availability-zone" = ["ap-southeast-1a", "ap-southeast-1b"] } }
network "prod" { subnet = "10.0.1.0/24" }
stack "consul" {
  playbook = "consul"
  inputs   = { servers = 3 }
}
`)
	c.refused(t, []string{"3 members on 2 hosts", `availability-zone = "ap-southeast-1a or ap-southeast-1b" and tag:Cluster = "rmq" matches 2 instances that run: node-1 (i-`}, "plan", few)
}

func (c *account) testDenied(t *testing.T) {
	for _, f := range []struct{ action, code, says string }{
		{"DescribeInstances", "UnauthorizedOperation", "AWS denies ec2:DescribeInstances to these credentials. Allow that action"},
		{"DescribeInstances", "AuthFailure", "AWS does not accept the credentials (AuthFailure): log in again"},
		{"GetConsoleOutput", "UnauthorizedOperation", "AWS denies ec2:GetConsoleOutput"},
		{"DescribeSecurityGroups", "UnauthorizedOperation", "AWS denies ec2:DescribeSecurityGroups"},
	} {
		c.wire.answer(f.action, f.code)
		c.refused(t, []string{f.says}, "plan", c.file)
		c.wire.answer("", "")
	}
	if got := c.groups(t); len(got) > 0 {
		t.Errorf("plan made %v", got)
	}
}

func (c *account) testApply(t *testing.T) {
	out := c.must(t, "apply", c.file) // it disrupts nothing, so nobody need be asked
	contains(t, out, "create security group rmq in vpc-", "open 2377/tcp from the group itself", "0 failed, 0 not done")
	c.must(t, "verify", c.file)
	if err := c.Whole(t.Context()); err != nil {
		t.Error(err)
	}
	want := []string{
		"tcp 15672 203.0.113.7/32", "tcp 1936 203.0.113.7/32", "tcp 22 203.0.113.7/32", "tcp 2377 self", "tcp 5672 172.31.0.0/16",
		"tcp 7946 self", "tcp 8081 172.31.0.0/16", "tcp 8500 203.0.113.7/32", "udp 4789 self", "udp 7946 self",
	}
	if got := c.rules(t); !slices.Equal(got, want) {
		t.Errorf("the group's rules are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c.checkAttached(t)
	c.checkPins(t)
	// It runs where the instance type is what its compose file asks for, and its config has types and zones.
	const orders = "orders of rmq on t3.medium in ap-southeast-1a ap-southeast-1b ap-southeast-1c"
	for _, h := range c.Hosts() {
		if _, body, err := lab.Get(t.Context(), "http://"+h.Address+":8081/", "", ""); err != nil || string(body) != orders {
			t.Errorf("orders on %s: %q, %v", h.Name, body, err)
		}
	}
}

// checkAttached is for instances of which each has the group beside its default
// one.
func (c *account) checkAttached(t *testing.T) {
	t.Helper()
	running := c.instances(t)
	if len(running) != 3 {
		t.Fatalf("%d instances run", len(running))
	}
	group := c.group(t)
	for id, i := range running {
		var names []string
		for _, g := range i.NetworkInterfaces[0].Groups {
			names = append(names, *g.GroupName)
		}
		slices.Sort(names)
		if !slices.Equal(names, []string{"default", "rmq"}) {
			t.Errorf("%s has the groups %v, and %s is the cluster's", id, names, group)
		}
	}
}

// checkPins holds the pinned keys against those that the lab gave its hosts.
func (c *account) checkPins(t *testing.T) {
	t.Helper()
	given, err := os.ReadFile(filepath.Join(c.Dir(), "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	pinned := c.pins(t)
	running := c.instances(t)
	for line := range strings.Lines(string(given)) {
		found := false
		for id, i := range running {
			found = found || strings.HasPrefix(line, *i.PrivateIpAddress+" ") && strings.Contains(pinned, strings.TrimSpace(line)+" "+id+"\n")
		}
		if !found {
			t.Errorf("not pinned: %s", line)
		}
	}
}

func (c *account) pins(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(c.file), ".config", "rmqprov", "rmq", "known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (c *account) testSettled(t *testing.T) {
	calls := c.wire.writes()
	contains(t, c.must(t, "plan", "--detailed-exitcode", c.file), "Nothing to do")
	contains(t, c.must(t, "apply", c.file), "Nothing to do")
	contains(t, c.must(t, "status", c.file), "Nothing has drifted")
	if made := c.wire.writes() - calls; made > 0 {
		t.Errorf("%d calls changed something", made)
	}
}

// doctor's dry runs change nothing, and name what is denied.
func (c *account) testDoctor(t *testing.T) {
	before := c.rules(t)
	contains(t, c.must(t, "doctor", c.file), "these credentials may do ec2:ModifyNetworkInterfaceAttribute, ec2:AuthorizeSecurityGroupIngress, ec2:RevokeSecurityGroupIngress",
		"Nothing is wrong.")
	c.wire.answer("AuthorizeSecurityGroupIngress", "UnauthorizedOperation")
	c.refused(t, []string{"WRONG these credentials may not do ec2:AuthorizeSecurityGroupIngress", "1 thing is wrong."}, "doctor", c.file)
	c.wire.answer("", "")
	if got := c.rules(t); !slices.Equal(got, before) {
		t.Errorf("rules are\n%s\nand were\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
	}
}

func (c *account) testStaleRule(t *testing.T) {
	c.edit(t, map[string]string{`operators = ["203.0.113.7/32"]`: `operators = ["203.0.113.8/32", "198.51.100.0/24"]`})
	out := c.must(t, "apply", c.file) // what nothing needs any more is closed without asking
	contains(t, out, "open 8500/tcp from 198.51.100.0/24", "+ security_group.rule.tcp-22-203.0.113.8/32 open 22/tcp from 203.0.113.8/32",
		"rule: (none) → 22/tcp from 203.0.113.8/32", "close 22/tcp from 203.0.113.7/32", "rule: 22/tcp from 203.0.113.7/32 (rmq: SSH) → (none)")
	got := strings.Join(c.rules(t), "\n")
	if strings.Contains(got, "203.0.113.7/32") || strings.Count(got, "198.51.100.0/24") != 4 || strings.Count(got, "203.0.113.8/32") != 4 {
		t.Errorf("rules:\n%s", got)
	}
	c.testSettled(t)
}

func (c *account) testDrift(t *testing.T) {
	before := c.rules(t)
	c.revoke(t, "udp 4789 self")
	c.authorize(t, 3306, "0.0.0.0/0")
	contains(t, c.must(t, "plan", c.file), "open 4789/udp from the group itself", "close 3306/tcp from 0.0.0.0/0 (somebody else added it",
		"! closes 3306/tcp from 0.0.0.0/0, which somebody else opened")
	c.refused(t, []string{"there is no terminal to ask on; nothing was changed", "closes 3306/tcp from 0.0.0.0/0"}, "apply", c.file)
	if got := c.rules(t); !slices.Contains(got, "tcp 3306 0.0.0.0/0") || slices.Contains(got, "udp 4789 self") {
		t.Errorf("without approval the rules became %v", got)
	}
	c.must(t, "apply", "--yes", c.file)
	if got := c.rules(t); !slices.Equal(got, before) {
		t.Errorf("rules are\n%s\nand were\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
	}
}

func (c *account) testTwoRuns(t *testing.T) {
	before := c.rules(t)
	for _, r := range []string{"udp 4789 self", "tcp 2377 self", "tcp 5672 172.31.0.0/16"} {
		c.revoke(t, r)
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if out, err := c.run(t, "apply", "--yes", "--lock-wait", "3m", c.file); err != nil {
				t.Errorf("one of two: %v\n%s", err, out)
			}
		})
	}
	both.Wait()
	if got := c.rules(t); !slices.Equal(got, before) {
		t.Errorf("rules are\n%s\nand were\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
	}
}

// A host dies with its disks; another instance of its name is found in its place.
func (c *account) testReplaced(t *testing.T) {
	before := c.instances(t)
	if err := c.Do(t.Context(), "replace", "node-2"); err != nil {
		t.Fatal(err)
	}
	var fresh string
	for id, i := range c.instances(t) {
		if _, ok := before[id]; !ok {
			fresh = id
			t.Logf("%s came at %s", id, *i.PrivateIpAddress)
		}
	}
	out := c.must(t, "apply", "--yes", c.file)
	contains(t, out, "attach security group", "to "+fresh, "another machine stands in its place")
	c.must(t, "verify", c.file)
	c.checkAttached(t)
	c.checkPins(t)
	c.testSettled(t)
}

func (c *account) testDestroy(t *testing.T) {
	out := c.must(t, "destroy", "--yes", "--volumes", c.file)
	contains(t, out, "detach security group", "delete security group")
	if got := c.groups(t); len(got) > 0 {
		t.Errorf("left are the groups %v", got)
	}
	for id, i := range c.instances(t) {
		if groups := i.NetworkInterfaces[0].Groups; len(groups) != 1 || *groups[0].GroupName != "default" {
			t.Errorf("%s has the groups %v", id, groups)
		}
	}
	contains(t, c.must(t, "destroy", "--yes", c.file), "Nothing of this cluster is there")
}

// instances are those that run, by id.
func (c *account) instances(t *testing.T) map[string]types.Instance {
	t.Helper()
	out, err := c.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"running"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]types.Instance{}
	for _, r := range out.Reservations {
		for _, i := range r.Instances {
			found[*i.InstanceId] = i
		}
	}
	return found
}

// groups are the ids of the groups with the cluster's tag.
func (c *account) groups(t *testing.T) []string {
	t.Helper()
	out, err := c.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{
		Filters: []types.Filter{{Name: aws.String("tag:rmqprov.cluster"), Values: []string{"rmq"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, g := range out.SecurityGroups {
		ids = append(ids, *g.GroupId)
	}
	return ids
}

func (c *account) group(t *testing.T) string {
	t.Helper()
	ids := c.groups(t)
	if len(ids) != 1 {
		t.Fatalf("groups with the cluster's tag: %v", ids)
	}
	return ids[0]
}

func (c *account) seenRules(t *testing.T) map[string]string {
	t.Helper()
	id := c.group(t)
	out, err := c.DescribeSecurityGroupRules(t.Context(), &ec2.DescribeSecurityGroupRulesInput{
		Filters: []types.Filter{{Name: aws.String("group-id"), Values: []string{id}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, r := range out.SecurityGroupRules {
		if aws.ToBool(r.IsEgress) {
			continue
		}
		from := aws.ToString(r.CidrIpv4)
		if g := r.ReferencedGroupInfo; g != nil {
			from = strings.Replace(aws.ToString(g.GroupId), id, "self", 1)
		}
		found[fmt.Sprintf("%s %d %s", *r.IpProtocol, *r.FromPort, from)] = *r.SecurityGroupRuleId
	}
	return found
}

// rules are the group's, as "tcp 22 203.0.113.7/32" each.
func (c *account) rules(t *testing.T) []string {
	t.Helper()
	var all []string
	for r := range c.seenRules(t) {
		all = append(all, r)
	}
	slices.Sort(all)
	return all
}

// revoke takes a rule away by hand.
func (c *account) revoke(t *testing.T, rule string) {
	t.Helper()
	id := c.group(t)
	_, err := c.RevokeSecurityGroupIngress(t.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: &id, SecurityGroupRuleIds: []string{c.seenRules(t)[rule]}})
	if err != nil {
		t.Fatal(err)
	}
}

// authorize adds a rule by hand.
func (c *account) authorize(t *testing.T, port int32, cidr string) {
	t.Helper()
	id := c.group(t)
	_, err := c.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &id, IpProtocol: aws.String("tcp"), FromPort: &port, ToPort: &port, CidrIp: &cidr,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wire stands between rmqprov and the emulator. It counts the calls that change
// something, and refuses an action as AWS would.
type wire struct {
	*httptest.Server

	mu           sync.Mutex
	changed      int
	action, code string
}

func tap(t *testing.T, endpoint string) *wire {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if code := w.note(r); code != "" {
			rw.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(rw, `<Response><Errors><Error><Code>%s</Code><Message>You are not authorized to perform this operation.</Message></Error></Errors><RequestID>1</RequestID></Response>`, code)
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// note counts a call, and returns the error code that it gets, if any.
func (w *wire) note(r *http.Request) string {
	body, _ := io.ReadAll(r.Body) // what is cut short the emulator refuses
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	action := form.Get("Action")
	w.mu.Lock()
	defer w.mu.Unlock()
	if !strings.HasPrefix(action, "Describe") && !strings.HasPrefix(action, "Get") {
		w.changed++
	}
	if action == w.action {
		return w.code
	}
	return ""
}

// answer makes an action fail from now on; "" none.
func (w *wire) answer(action, code string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.action, w.code = action, code
}

func (w *wire) writes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}
