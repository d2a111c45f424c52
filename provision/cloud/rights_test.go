package cloud

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/cloud/group"
)

// dryEC2 answers dry runs as EC2 does, and fails the test at any other call.
func dryEC2(t *testing.T, denied string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		action := r.FormValue("Action")
		if r.FormValue("DryRun") != "true" {
			t.Errorf("%s is no dry run", action)
		}
		code, status := "DryRunOperation", http.StatusPreconditionFailed
		if action == denied {
			code, status = "UnauthorizedOperation", http.StatusForbidden
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>m</Message></Error></Errors><RequestID>r</RequestID></Response>", code)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	t.Setenv("AWS_REGION", "eu-central-1")
}

func TestRightsAreFoundByDryRuns(t *testing.T) {
	inv := &inventory.Inventory{Cluster: inventory.Cluster{Name: "rmq"}, SecurityGroup: &inventory.SecurityGroup{Name: "rmq"}}
	hosts := []group.Host{{Name: "node-1", VPC: "vpc-1", Interface: group.Interface{ID: "eni-1", Groups: []string{"sg-1"}}}, {Name: "node-2", VPC: "vpc-1"}}
	there := &group.Group{ID: "sg-2", Rules: []group.SeenRule{{ID: "sgr-1"}}}
	for name, c := range map[string]struct {
		seen   group.Seen
		denied string
		want   []string
	}{
		"no group yet":  {group.Seen{Hosts: hosts}, "", []string{"ec2:CreateSecurityGroup", "ec2:ModifyNetworkInterfaceAttribute"}},
		"a group":       {group.Seen{Hosts: hosts, Group: there}, "", []string{"ec2:ModifyNetworkInterfaceAttribute", "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"}},
		"one is denied": {group.Seen{Hosts: hosts}, "CreateSecurityGroup", []string{"DENIED ec2:CreateSecurityGroup", "ec2:ModifyNetworkInterfaceAttribute"}},
		"no hosts":      {group.Seen{}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dryEC2(t, c.denied)
			rights, err := New(inv).Rights(t.Context(), inv, &c.seen)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rights {
				denied, ok := errors.AsType[*Denied](r.Err)
				switch {
				case ok:
					got = append(got, "DENIED "+denied.Action)
				case r.Err != nil:
					t.Error(r.Err)
				default:
					got = append(got, r.Action)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
