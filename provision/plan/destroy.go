package plan

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/state"
)

// DestroyOptions say what of the hosts goes beside the cluster itself.
type DestroyOptions struct {
	Docker  bool // the Engine with its packages and all that it holds
	Volumes bool // data volumes of the cluster
}

// Destroy plans to take away what rmqprov made, last first. Notes tell what
// stays and what that means. What does not carry the cluster's label is
// somebody else's: where the swarm holds such things, it stays.
func Destroy(want Want, got state.Snapshot, o DestroyOptions) (p *Plan, notes []string, err error) {
	b := newBuilder(want, got)
	b.checkHosts()
	b.checkSwarm()
	b.checkGroup()
	b.refused = slices.DeleteFunc(b.refused, func(r Refusal) bool { return unfinished(b.engine(r.Host)) })
	b.checkDestroyAround()
	for _, h := range b.reached() {
		if b.engine(h.Name) == nil && b.nodeID(h.Name) != "" {
			b.refuse(h.Name, "its Docker is stopped, so it cannot leave its swarm", "start it with `systemctl start docker` there")
		}
	}
	foreign := b.foreign()
	if o.Docker && len(foreign) > 0 {
		b.refuse("", "the swarm holds "+strings.Join(foreign, ", ")+", and --docker would take them away", "leave out --docker")
	}
	if len(b.refused) > 0 {
		return nil, nil, b.refused
	}
	if s := got.Swarm.Value; s != nil {
		b.got.Swarm.Value = inOrder(s)
	}
	d := &demolition{builder: b, options: o}
	d.takeStacks()
	d.takeNetworks()
	if len(foreign) > 0 {
		notes = append(notes, "the swarm stays, with all its members: it holds "+strings.Join(foreign, ", "))
		if g := got.Group.Value; g != nil && g.Group != nil {
			notes = append(notes, "security group "+g.Group.ID+" stays as it is: the swarm needs its ports")
		}
		d.unlabel()
	} else {
		d.forgetDead()
		d.leave()
	}
	for _, h := range b.reached() {
		d.takeHost(h)
	}
	d.takeHistory()
	d.takeGroup(len(foreign) > 0)
	if len(d.refused) > 0 {
		return nil, nil, d.refused
	}
	return &Plan{Steps: sorted(b.steps)}, append(notes, d.notes()...), nil
}

// checkDestroyAround refuses to leave hosts out that the swarm has for living:
// what runs there would go on, and nobody could take it away.
func (b *builder) checkDestroyAround() {
	if b.got.Swarm.Value == nil { // nothing of it is left on the hosts that answer but files
		return
	}
	b.checkAway()
	for _, h := range sortedKeys(b.away) {
		if b.nodeNamed(h).Status.State == swarm.NodeStateReady {
			b.refuse(h, "it cannot be reached from here, and the swarm says that it lives", "run destroy from where it can be reached")
		}
	}
}

// unfinished says that a host began to leave its swarm and was broken off: it
// has a swarm and no node in it.
func unfinished(e *state.Engine) bool {
	return e != nil && e.NodeID == "" && e.SwarmState != "" && e.SwarmState != "inactive"
}

// demolition collects the steps of a destroy.
type demolition struct {
	*builder
	options DestroyOptions
	swarm   []ID // all that must be gone from the swarm before a host may leave it
}

// inOrder sorts by name what Docker lists in any order, so that the same
// swarm gives the same plan.
func inOrder(s *state.Swarm) *state.Swarm {
	out := *s
	out.Services = slices.SortedFunc(slices.Values(s.Services), func(a, b swarm.Service) int { return strings.Compare(a.Spec.Name, b.Spec.Name) })
	out.Configs = slices.SortedFunc(slices.Values(s.Configs), func(a, b swarm.Config) int { return strings.Compare(a.Spec.Name, b.Spec.Name) })
	out.Secrets = slices.SortedFunc(slices.Values(s.Secrets), func(a, b swarm.Secret) int { return strings.Compare(a.Spec.Name, b.Spec.Name) })
	out.Networks = slices.SortedFunc(slices.Values(s.Networks), func(a, b network.Summary) int { return strings.Compare(a.Name, b.Name) })
	return &out
}

func (d *demolition) take(s Step) {
	s.Kind = Delete
	if s.Why == "" {
		s.Why = "rmqprov made it"
	}
	d.add(s)
	d.swarm = append(d.swarm, s.ID)
}

// foreign names what the swarm holds that is not rmqprov's.
func (b *builder) foreign() []string {
	s := b.got.Swarm.Value
	if s == nil {
		return nil
	}
	var found []string
	note := func(what, name string, labels map[string]string) {
		if !b.ours(labels) {
			found = append(found, what+" "+name)
		}
	}
	for _, x := range s.Services {
		note("service", x.Spec.Name, x.Spec.Labels)
	}
	for _, x := range s.Configs {
		note("config", x.Spec.Name, x.Spec.Labels)
	}
	for _, x := range s.Secrets {
		note("secret", x.Spec.Name, x.Spec.Labels)
	}
	for _, x := range s.Networks {
		if !x.Ingress && x.Name != "ingress" {
			note("network", x.Name, x.Labels)
		}
	}
	for _, n := range s.Nodes {
		if !b.isHost(n) && !NeverCame(n) && n.Status.State != swarm.NodeStateDown {
			found = append(found, "node "+n.Description.Hostname)
		}
	}
	slices.Sort(found)
	return found
}

// isHost says that a node is a host of the inventory, or was: one that has just
// left is still called ready for some seconds, and has the same address.
func (b *builder) isHost(node swarm.Node) bool {
	addr, _ := netip.ParseAddr(node.Status.Addr)
	return slices.ContainsFunc(b.inv.Hosts, func(h inventory.Host) bool {
		return b.nodeID(h.Name) == node.ID || has(b.got.Hosts[h.Name].Facts.Value.Addresses, addr)
	})
}

// takeStacks takes the stacks' services away, those that others depend on
// last, and then what they held.
func (d *demolition) takeStacks() {
	if d.got.Swarm.Value == nil {
		return
	}
	for _, s := range d.got.Swarm.Value.Services {
		if !d.ours(s.Spec.Labels) {
			continue
		}
		d.take(Step{
			ID: d.goneID(s.Spec.Name), Summary: "remove service " + s.Spec.Name, After: d.dependants(s.Spec.Name),
			Disrupts: "stops " + s.Spec.Name, Action: RemoveService{Name: s.Spec.Name},
		})
	}
	services := slices.Clone(d.swarm)
	for _, c := range d.got.Swarm.Value.Configs {
		if d.ours(c.Spec.Labels) {
			d.take(Step{
				ID: joined("config", c.Spec.Name, nil), Summary: "remove config " + c.Spec.Name,
				After: slices.Clone(services), Action: RemoveConfig{Object: c.Spec.Name},
			})
		}
	}
	for _, s := range d.got.Swarm.Value.Secrets {
		if d.ours(s.Spec.Labels) {
			d.take(Step{
				ID: joined("secret", s.Spec.Name, nil), Summary: "remove secret " + s.Spec.Name,
				After: slices.Clone(services), Action: RemoveSecret{Object: s.Spec.Name},
			})
		}
	}
}

func (d *demolition) goneID(service string) ID { return joined("service", service, nil) }

// dependants are the removals of the services of stacks that depend on the
// one that a service belongs to.
func (d *demolition) dependants(service string) []ID {
	var ids []ID
	stack := d.stackOf(service)
	for _, s := range d.want.Stacks {
		if stack == "" || !slices.Contains(s.DependsOn, stack) {
			continue
		}
		for _, svc := range s.Services {
			ids = append(ids, d.goneID(svc.Name))
		}
	}
	return ids
}

func (d *demolition) stackOf(service string) string {
	for _, s := range d.want.Stacks {
		for _, svc := range s.Services {
			if svc.Name == service {
				return s.Name
			}
		}
	}
	return ""
}

func (d *demolition) takeNetworks() {
	if d.got.Swarm.Value == nil {
		return
	}
	services := slices.Clone(d.swarm)
	for _, n := range d.got.Swarm.Value.Networks {
		if d.ours(n.Labels) {
			d.take(Step{
				ID: networkID(n.Name), Summary: "remove overlay network " + n.Name, After: services,
				Disrupts: "removes network " + n.Name, Action: RemoveNetwork{Name: n.Name},
			})
		}
	}
}

// unlabel takes rmqprov's labels, and those of the inventory, off the nodes of
// a swarm that stays.
func (d *demolition) unlabel() {
	for _, h := range d.reached() {
		step := Step{ID: hostID(h.Name, "node"), Host: h.Name, Summary: "take the labels off the swarm node", After: slices.Clone(d.swarm)}
		var gone []string
		seen := d.nodeOf(h.Name).Spec.Labels
		for _, k := range sortedKeys(seen) {
			v, wanted := h.Labels[k]
			if strings.HasPrefix(k, "rmqprov.") || wanted && v == seen[k] {
				gone = append(gone, k)
				step.Changes = append(step.Changes, Change{Path: "labels." + k, Before: seen[k]})
			}
		}
		if len(gone) == 0 {
			continue
		}
		step.Action = UpdateNode{Remove: gone}
		d.take(step)
	}
}

// forgetDead removes the nodes of hosts that are down, or no hosts of the inventory
// any more, before any other leaves: dead managers that still count would soon be
// the majority. The node of a host that has just left is no manager.
func (d *demolition) forgetDead() {
	if d.got.Swarm.Value == nil {
		return
	}
	there := map[string]bool{}
	for _, h := range d.reached() {
		there[h.Name] = true
	}
	byID := func(a, b swarm.Node) int { return strings.Compare(a.ID, b.ID) }
	for _, n := range slices.SortedFunc(slices.Values(d.got.Swarm.Value.Nodes), byID) {
		host := n.Spec.Labels[HostLabel]
		if d.ours(n.Spec.Labels) && !there[host] && n.Status.State == swarm.NodeStateDown {
			d.take(Step{
				ID: joined("node", n.ID, nil), Summary: "remove the node of " + host + " from the swarm", After: slices.Clone(d.swarm),
				Why: "it is down, and must not count while the others leave", Action: ForgetNode{ID: n.ID},
			})
		}
	}
}

// leave lets the members leave: workers first, then the managers one by one,
// so that those left keep their majority wherever this is broken off.
func (d *demolition) leave() {
	var workers, managers []string
	for _, h := range d.reached() {
		switch e := d.engine(h.Name); {
		case !d.member(h.Name) && !unfinished(e):
		case e.Manager:
			managers = append(managers, h.Name)
		default:
			workers = append(workers, h.Name)
		}
	}
	slices.Reverse(managers) // the first one began the swarm, and ends it
	for i, host := range append(workers, managers...) {
		step := Step{
			ID: hostID(host, "swarm"), Host: host, Summary: "leave the swarm", After: slices.Clone(d.swarm),
			Why: "rmqprov made it a member", Disrupts: "takes " + host + " out of the swarm", Action: LeaveSwarm{},
		}
		if i == len(workers)+len(managers)-1 {
			step.Summary, step.Action = "leave the swarm as the last manager, which ends it", LeaveSwarm{Last: true}
		}
		d.take(step)
	}
}

// takeHost takes away what is on one host, once nothing of the swarm is left.
func (d *demolition) takeHost(h inventory.Host) {
	after := slices.Clone(d.swarm)
	var done []ID
	add := func(s Step) {
		s.Host, s.Kind, s.After = h.Name, Delete, append(s.After, after...)
		d.add(s)
		done = append(done, s.ID)
	}
	facts, engine := d.got.Hosts[h.Name].Facts.Value, d.engine(h.Name)
	if d.options.Volumes && engine != nil {
		for _, name := range sortedKeys(engine.Owners) {
			if engine.Owners[name] == d.inv.Cluster.Name {
				add(Step{
					ID: hostID(h.Name, "volume", name), Summary: "remove volume " + name + " with its data", Why: "--volumes asks for it",
					Disrupts: "deletes the data in volume " + name, Action: RemoveVolume{Name: name},
				})
			}
		}
	}
	for _, ref := range d.builtImages(h.Name) {
		add(Step{ID: imageID(h.Name, ref), Summary: "remove image " + ref, Why: "rmqprov built it", Action: RemoveImage{Ref: ref}})
	}
	if paths := d.written(h, facts); len(paths) > 0 {
		add(Step{
			ID: hostID(h.Name, "files"), Summary: "remove " + strings.Join(paths, ", "), Why: "rmqprov wrote it",
			Action: RemoveFiles{Paths: paths},
		})
	}
	purge := d.options.Docker && facts.Docker.Loaded // with its settings
	if step, ok := d.daemonBack(h, facts); ok && !purge {
		add(step)
		if _, writes := step.Action.(WriteDaemon); writes {
			d.steps[len(d.steps)-1].Kind = Update
		}
	}
	if purge {
		add(Step{
			ID: hostID(h.Name, "docker"), Summary: "remove Docker with its packages, images, volumes and settings", Why: "--docker asks for it",
			After: slices.Clone(done), Disrupts: "removes Docker and all that it holds on " + h.Name, Action: PurgeDocker{},
		})
	}
}

// takeHistory takes the record of the runs away with the data, after all else:
// until then it tells of this very run, wherever that is broken off.
func (d *demolition) takeHistory() {
	if !d.options.Volumes && !d.options.Docker {
		return
	}
	var all []ID
	for _, s := range d.steps {
		all = append(all, s.ID)
	}
	dir := HistoryDir(d.inv.Cluster.Name)
	for _, host := range d.inv.Managers() {
		if d.away[host] || len(all) == 0 && !d.hasHistory(host) {
			continue
		}
		d.add(Step{
			ID: hostID(host, "history"), Host: host, Kind: Delete, Summary: "remove " + dir + " with the history of runs",
			Why: "it goes with the data", After: all, Action: RemoveFiles{Paths: []string{dir}},
		})
	}
}

func (d *demolition) hasHistory(host string) bool {
	_, ok := d.got.Hosts[host].Facts.Value.Files[LastRun(d.inv.Cluster.Name)]
	return ok
}

// written are the files on a host that apply wrote: the stacks' files, and
// those of the inventory that still hold what it says.
func (d *demolition) written(h inventory.Host, facts state.Facts) []string {
	var paths []string
	if slices.ContainsFunc(d.want.stackFiles(), func(f HostFile) bool { _, ok := facts.Files[f.Path]; return ok }) {
		paths = append(paths, "/etc/rmqprov/"+d.inv.Cluster.Name)
	}
	for _, f := range d.inv.Files {
		if seen, ok := facts.Files[f.Path]; ok && wantedOn(f, h.Name) && seen.SHA256 == sum(f.Content) {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// daemonBack plans to take rmqprov's keys out of daemon.json. A key that
// has another value by now is somebody else's. The Engine that runs keeps its
// settings until its next start: stopping what else it runs would be worse.
func (d *demolition) daemonBack(h inventory.Host, facts state.Facts) (Step, bool) {
	step := Step{ID: hostID(h.Name, "daemon"), Summary: "take rmqprov's keys out of " + DaemonPath, Why: "rmqprov wrote them"}
	var settings map[string]any
	file, exists := facts.Files[DaemonPath]
	if !exists || json.Unmarshal(file.Content, &settings) != nil {
		return step, false
	}
	for key, value := range d.daemonWant(facts, map[string]any{}) {
		if before := settings[key]; withoutOurs(settings, key, value) {
			step.Changes = append(step.Changes, Change{Path: key, Before: before, After: settings[key]})
		}
	}
	slices.SortFunc(step.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	if len(settings) == 0 {
		step.Summary, step.Action = "remove "+DaemonPath+", which holds nothing but rmqprov's keys", RemoveFiles{Paths: []string{DaemonPath}}
		return step, len(step.Changes) > 0
	}
	content, _ := json.MarshalIndent(settings, "", "  ") // it was JSON a moment ago
	step.Action = WriteDaemon{Content: append(content, '\n')}
	return step, len(step.Changes) > 0
}

// withoutOurs takes one key out of settings, of log-opts only what is
// rmqprov's, and says whether there was anything to take.
func withoutOurs(settings map[string]any, key string, ours any) bool {
	opts, isMap := settings[key].(map[string]any)
	want, _ := plain(ours).(map[string]any)
	if key != "log-opts" || !isMap {
		if reflect.DeepEqual(plain(settings[key]), plain(ours)) {
			delete(settings, key)
			return true
		}
		return false
	}
	rest := map[string]any{}
	for k, v := range opts {
		if v != want[k] {
			rest[k] = v
		}
	}
	settings[key] = rest
	if len(rest) == 0 {
		delete(settings, key)
	}
	return len(rest) < len(opts)
}

// notes tell what stays, and what its owner must know to use it again.
func (d *demolition) notes() []string {
	var notes []string
	for _, h := range sortedKeys(d.away) {
		notes = append(notes, h+" cannot be reached and keeps all that is on it, and its containers start again when it does; when it is back, run `docker swarm leave --force` there and destroy again")
	}
	var volumes int
	for _, h := range d.inv.Hosts {
		if e := d.engine(h.Name); e != nil {
			for _, owner := range e.Owners {
				if owner == d.inv.Cluster.Name {
					volumes++
				}
			}
		}
	}
	if volumes > 0 && !d.options.Volumes && !d.options.Docker {
		notes = append(notes, fmt.Sprintf("%d data volumes stay on their hosts, and the next apply uses them again", volumes))
		if d.generated() {
			notes = append(notes, "generated secrets are lost, and the data may hold accounts with their old values: note them first with `rmqprov secret`, and give them in the inventory before the next apply")
		}
	}
	if !d.options.Volumes && !d.options.Docker && slices.ContainsFunc(d.inv.Managers(), d.hasHistory) {
		notes = append(notes, "the history of runs stays on the managers in "+HistoryDir(d.inv.Cluster.Name)+"; --volumes takes it away too")
	}
	return notes
}

func (d *demolition) generated() bool {
	for _, s := range d.want.Stacks {
		for _, secret := range s.Secrets {
			if secret.Value == "" {
				return true
			}
		}
	}
	return false
}
