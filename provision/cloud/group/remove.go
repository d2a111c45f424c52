package group

import (
	"fmt"
	"slices"
)

// Remove plans the end of the group: detached from every interface, then
// deleted. Of an adopted group only the rules that carry the cluster's tag go.
func Remove(want Want, seen Seen) ([]Item, []Refusal) {
	d := differ{want: want, seen: seen}
	if seen.Group == nil {
		return nil, nil
	}
	d.target = Target{Region: seen.Region, VPC: seen.Group.VPC, Cluster: want.Cluster, ID: seen.Group.ID}
	if want.Adopt != "" {
		for _, r := range seen.Group.Rules {
			if d.own(r) {
				d.add(d.revoke(r, nil))
			}
		}
		return d.items, nil
	}
	for _, h := range seen.Hosts {
		if slices.Contains(h.Groups, d.target.ID) {
			d.detachHost(h)
		}
	}
	d.detachOthers(nil)
	d.add(Item{
		ID: deleteID, Kind: KindDelete, Phase: Close, Summary: fmt.Sprintf("delete security group %s (%s)", d.target.ID, seen.Group.Name),
		Why: "rmqprov made it", Changes: []Change{{Path: "group", Before: d.target.ID}}, After: ids(d.items),
		Disrupts: "closes its ports", Deed: Delete{d.target},
	})
	if len(d.refused) > 0 {
		return nil, d.refused
	}
	return d.items, nil
}

func (d *differ) detachHost(h Host) {
	if len(h.Groups) == 1 {
		d.refuse(h.Name, fmt.Sprintf("%s is the only security group of %s, and EC2 keeps no interface without one", d.target.ID, h.Instance),
			"attach another group to that instance, or terminate it")
		return
	}
	d.add(Item{
		ID: "security_group.detach." + h.Name, Kind: KindUpdate, Phase: Close, Host: h.Name, Summary: fmt.Sprintf("detach security group %s from %s", d.target.ID, h.Instance),
		Why: "the group goes", Changes: d.detached(h.Interface), Disrupts: "closes its ports on " + h.Name, Deed: Detach{d.target, h.ID},
	})
}
