package group

import (
	"fmt"
	"slices"
	"strings"
)

// Phase says when an Item is due.
type Phase int

// The phases.
const (
	Open  Phase = iota // before anything that needs the ports
	Close              // after everything that needed them
)

// Kind says what an Item does to the thing that it is about, in the plan's words.
type Kind string

// The kinds of Item.
const (
	KindCreate Kind = "create"
	KindUpdate Kind = "update"
	KindDelete Kind = "delete"
)

// Item is one difference, and the deed that ends it.
type Item struct {
	ID      string // the same from run to run for the same deed, "security_group.…"
	Kind    Kind
	Phase   Phase
	Host    string // the host whose instance it is about, or ""
	Summary string // what is done, in the imperative
	Why     string
	Changes []Change
	After   []string // ids of items that must be done before
	// Foreign says that somebody else made what the deed takes away: it is
	// drift, and only done when the user approves.
	Foreign  bool
	Disrupts string // what the deed takes away that may be in use, or ""
	Deed     Deed
}

// Change is one field before and after; nil where there is none.
type Change struct {
	Path          string
	Before, After any
}

// Refusal says why the group must not be touched, in the plan's words.
type Refusal struct {
	Host   string // "" where it concerns the group
	Reason string
	Fix    string
}

// Deed is what Do of package cloud carries out. Each is idempotent.
type Deed interface{ deed() }

// Target finds the group of a deed. ID is "" where the same plan creates it:
// then the tag finds it.
type Target struct{ Region, VPC, Cluster, ID string }

// The deeds.
type (
	// Create makes the group; it lets nothing in.
	Create struct {
		Target
		Name, Description string
	}
	// Authorize adds a rule, tagged as the cluster's.
	Authorize struct {
		Target
		Rule Rule
	}
	// Describe gives a rule its description.
	Describe struct {
		Target
		Rule Rule
	}
	// Revoke takes a rule away.
	Revoke struct {
		Target
		RuleID string
	}
	// Attach adds the group to those of an interface.
	Attach struct {
		Target
		Interface string
	}
	// Detach takes the group from those of an interface.
	Detach struct {
		Target
		Interface string
	}
	// Delete removes the group.
	Delete struct{ Target }
)

func (Create) deed()    {}
func (Authorize) deed() {}
func (Describe) deed()  {}
func (Revoke) deed()    {}
func (Attach) deed()    {}
func (Detach) deed()    {}
func (Delete) deed()    {}

const (
	createID = "security_group.create"
	deleteID = "security_group.delete"
)

// Diff compares the group that is wanted with what was seen. Where there are
// refusals the items must not be carried out.
func Diff(want Want, seen Seen) ([]Item, []Refusal) {
	d := differ{want: want, seen: seen}
	d.check()
	if len(d.refused) > 0 {
		return nil, d.refused
	}
	d.target = Target{Region: seen.Region, VPC: d.vpc(), Cluster: want.Cluster}
	if seen.Group != nil {
		d.target.ID = seen.Group.ID
	}
	d.create()
	d.open()
	d.attach()
	opened := ids(d.items)
	d.close(opened)
	d.detachOthers(opened)
	d.limits()
	if len(d.refused) > 0 {
		return nil, d.refused
	}
	return d.items, nil
}

type differ struct {
	want    Want
	seen    Seen
	target  Target
	items   []Item
	refused []Refusal
}

func (d *differ) add(i Item) { d.items = append(d.items, i) }

func ids(items []Item) []string {
	var all []string
	for _, i := range items {
		all = append(all, i.ID)
	}
	return all
}

func (d *differ) vpc() string {
	if d.seen.Group != nil {
		return d.seen.Group.VPC
	}
	return d.seen.Hosts[0].VPC
}

func (d *differ) create() {
	if d.seen.Group != nil {
		return
	}
	d.add(Item{
		ID: createID, Kind: KindCreate, Summary: fmt.Sprintf("create security group %s in %s", d.want.Name, d.target.VPC),
		Why:     fmt.Sprintf("no group there has the tag %s = %s", OwnerTag, d.want.Cluster),
		Changes: []Change{{Path: "name", After: d.want.Name}, {Path: "vpc", After: d.target.VPC}},
		Deed:    Create{Target: d.target, Name: d.want.Name, Description: description("Ports of cluster " + d.want.Cluster + ", kept by rmqprov")},
	})
}

// open plans the rules that are missing, and descriptions that are others.
func (d *differ) open() {
	for _, r := range d.want.Rules {
		have, ok := d.have(r)
		switch {
		case !ok:
			d.add(Item{
				ID: "security_group.rule." + r.slug(), Kind: KindCreate, Summary: "open " + r.String(), Why: "no such rule: " + r.Description,
				Changes: []Change{{Path: "rule", After: r.String()}}, After: []string{createID},
				Deed: Authorize{d.target, r},
			})
		case d.own(have) && have.Description != "" && have.Description != r.Description:
			d.add(Item{
				ID: "security_group.description." + r.slug(), Kind: KindUpdate, Summary: "describe " + r.String() + " anew", Why: "it is for something else now",
				Changes: []Change{{Path: "description", Before: have.Description, After: r.Description}},
				Deed:    Describe{d.target, r},
			})
		}
	}
}

func (d *differ) have(r Rule) (SeenRule, bool) {
	i := slices.IndexFunc(d.rules(), func(have SeenRule) bool { return have.key() == r.key() })
	if i < 0 {
		return SeenRule{}, false
	}
	return d.rules()[i], true
}

func (d *differ) rules() []SeenRule {
	if d.seen.Group == nil {
		return nil
	}
	return d.seen.Group.Rules
}

func (d *differ) own(r SeenRule) bool { return r.Tags[OwnerTag] == d.want.Cluster }

func (d *differ) attach() {
	for _, h := range d.seen.Hosts {
		if d.target.ID != "" && slices.Contains(h.Groups, d.target.ID) {
			continue
		}
		d.add(Item{
			ID: "security_group.attach." + h.Name, Kind: KindUpdate, Host: h.Name, Summary: fmt.Sprintf("attach security group %s to %s", d.name(), h.Instance),
			Why:     "its primary interface does not have the group",
			Changes: []Change{{Path: "groups", Before: list(h.Groups), After: list(append(slices.Clone(h.Groups), d.name()))}},
			After:   []string{createID}, Deed: Attach{d.target, h.ID},
		})
	}
}

// name is the group's id, or its name while it has none.
func (d *differ) name() string {
	if d.target.ID != "" {
		return d.target.ID
	}
	return d.want.Name
}

func list(groups []string) string { return strings.Join(groups, ", ") }

// close plans the end of rules that nothing wants. In an adopted group those of
// others are no business of ours.
func (d *differ) close(opened []string) {
	for _, have := range d.rules() {
		if slices.ContainsFunc(d.want.Rules, func(r Rule) bool { return r.key() == have.key() }) {
			continue
		}
		if !d.own(have) && d.want.Adopt != "" {
			continue
		}
		d.add(d.revoke(have, opened))
	}
}

func (d *differ) revoke(have SeenRule, after []string) Item {
	i := Item{
		ID: "security_group.revoke." + have.ID, Kind: KindDelete, Phase: Close, Summary: "close " + have.String(),
		Why: "nothing that runs needs it", Changes: []Change{{Path: "rule", Before: have.shown()}},
		After: slices.Clone(after), Deed: Revoke{d.target, have.ID},
	}
	if !d.own(have) {
		i.Foreign, i.Why = true, "somebody else added it; nothing that rmqprov runs needs it"
		i.Disrupts = "closes " + have.String() + ", which somebody else opened"
	}
	return i
}

func (r SeenRule) shown() string {
	if r.Description == "" {
		return r.String()
	}
	return r.String() + " (" + r.Description + ")"
}

// detachOthers plans the end of attachments to what is no host any more.
func (d *differ) detachOthers(opened []string) {
	for _, other := range d.seen.Others {
		d.add(Item{
			ID: "security_group.detach." + other.ID, Kind: KindUpdate, Phase: Close, Summary: fmt.Sprintf("detach security group %s from %s", d.name(), other.Owner),
			Why:     "it is no host of the inventory, and the group lets it in everywhere",
			Changes: d.detached(other), After: slices.Clone(opened), Foreign: true,
			Disrupts: "cuts " + other.Owner + " off from the hosts", Deed: Detach{d.target, other.ID},
		})
		if len(other.Groups) == 1 {
			d.refuse("", fmt.Sprintf("%s has the group %s and no other, is no host of the inventory, and EC2 keeps no interface without a group", other.Owner, d.name()),
				"attach another group to "+other.ID+", or delete that interface")
		}
	}
}

func (d *differ) detached(i Interface) []Change {
	rest := slices.DeleteFunc(slices.Clone(i.Groups), func(id string) bool { return id == d.target.ID })
	return []Change{{Path: "groups", Before: list(i.Groups), After: list(rest)}}
}
