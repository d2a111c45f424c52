package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
)

const discovering = `
cluster "rmq" {}
discover "ec2" { filters = { "tag:Cluster" = "rmq" } }
host "db" {
  address = "10.0.0.9"
  role    = "worker"
  zone    = "mine"
}
network "prod" { subnet = "10.20.0.0/24" }
swarm { address_pools = ["10.30.0.0/16"] }
file "motd" {
  path    = "/etc/motd"
  content = "hello"
  hosts   = ["web-1"]
}
`

func TestWithHosts(t *testing.T) {
	t.Parallel()
	inv, sources, diags := loadText(t, discovering, Options{})
	if len(diags) > 0 {
		t.Fatal(printed(t, sources, diags))
	}
	before := *inv
	got, diags := inv.WithHosts([]Host{
		{Name: "web-1", Address: "10.0.0.11", InstanceID: "i-1"},
		{Name: "ip-10-0-0-9", Address: "10.0.0.9", InstanceID: "i-9", Zone: "theirs", Type: "m6i.large"},
	})
	if len(diags) > 0 {
		t.Fatal(printed(t, sources, diags))
	}
	want := []Host{
		{Name: "db", Address: "10.0.0.9", Role: "worker", Zone: "mine", InstanceID: "i-9", Type: "m6i.large"},
		{Name: "web-1", Address: "10.0.0.11", InstanceID: "i-1"},
	}
	if diff := cmp.Diff(want, got.Hosts, cmpopts.IgnoreTypes(hcl.Range{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(before, *inv, cmpopts.IgnoreTypes(&Scope{})); diff != "" {
		t.Errorf("the inventory itself was changed:\n%s", diff)
	}
	if where := got.Hosts[1].Range; where != inv.Discover[0].Range {
		t.Errorf("a discovered host stands at %s, want its discover block", where)
	}
}

func TestWithHostsMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		text  string
		found []Host
		want  []string
	}{
		{"same name", discovering, []Host{{Name: "web-1", Address: "10.0.0.11", InstanceID: "i-1"}, {Name: "web-1", Address: "10.0.0.12", InstanceID: "i-2"}},
			[]string{`Two instances are named "web-1"`}},
		{"no such host", discovering, []Host{{Name: "web-2", Address: "10.0.0.11"}}, []string{`Unknown host "web-1"`}},
		{"within an overlay", discovering, []Host{{Name: "web-1", Address: "203.0.113.5", Private: "10.20.0.5"}}, []string{`Subnet 10.20.0.0/24 covers host "web-1"`}},
		{"within a pool", discovering, []Host{{Name: "web-1", Address: "10.30.0.5"}}, []string{`Subnet 10.30.0.0/16 covers host "web-1"`}},
		{"only workers", discovering, nil, []string{"No manager", `Unknown host "web-1"`}},
		{"nothing", "cluster \"rmq\" {}\ndiscover \"ec2\" { filters = { \"tag:Cluster\" = \"rmq\" } }", nil, []string{"No instance found"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inv, sources, diags := loadText(t, test.text, Options{})
			if len(diags) > 0 {
				t.Fatal(printed(t, sources, diags))
			}
			_, diags = inv.WithHosts(test.found)
			var got []string
			for _, d := range diags {
				got = append(got, d.Summary)
				if d.Subject == nil {
					t.Errorf("%q has no place", d.Summary)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
