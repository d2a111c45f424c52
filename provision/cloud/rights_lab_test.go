//go:build lab

package cloud

import (
	"errors"
	"slices"
	"testing"
)

// Dry runs change nothing in an account: what they say before there is a group,
// with it, and where one is denied.
func TestLabRights(t *testing.T) {
	w, _ := connected(t)
	f := newFleet(t, "rights")
	before := f.observe()
	f.checkRights("ec2:CreateSecurityGroup", "ec2:ModifyNetworkInterfaceAttribute")
	if after := f.observe(); after.Group != nil || !slices.Equal(after.Hosts[0].Groups, before.Hosts[0].Groups) {
		t.Fatalf("a dry run made %+v", after)
	}
	f.apply()
	rules := f.opened(f.observe().Group.ID)
	w.fail("RevokeSecurityGroupIngress", "UnauthorizedOperation", "You are not authorized to perform this operation.", 1)
	f.checkRights("ec2:ModifyNetworkInterfaceAttribute", "ec2:AuthorizeSecurityGroupIngress", "DENIED ec2:RevokeSecurityGroupIngress")
	f.checkRights("ec2:ModifyNetworkInterfaceAttribute", "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress")
	if got := f.opened(f.observe().Group.ID); !slices.Equal(got, rules) {
		t.Errorf("after dry runs the rules are %q, and were %q", got, rules)
	}
}

func (f fleet) checkRights(want ...string) {
	f.t.Helper()
	seen := f.observe()
	rights, err := New(f.inv).Rights(f.t.Context(), f.inv, &seen)
	if err != nil {
		f.t.Fatal(err)
	}
	var got []string
	for _, r := range rights {
		_, denied := errors.AsType[*Denied](r.Err)
		switch {
		case denied:
			got = append(got, "DENIED "+r.Action)
		case r.Err != nil:
			f.t.Errorf("%s: %v", r.Action, r.Err)
		default:
			got = append(got, r.Action)
		}
	}
	if !slices.Equal(got, want) {
		f.t.Errorf("rights are %q, want %q", got, want)
	}
}
