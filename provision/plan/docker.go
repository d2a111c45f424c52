package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/state"
)

// DaemonPath is the Engine's configuration file.
const DaemonPath = "/etc/docker/daemon.json"

// Supported names the systems that Docker can be installed on.
const Supported = "Amazon Linux 2023 and 2, Debian 11 and newer, Ubuntu 20.04 and newer, RHEL, CentOS Stream, Rocky, Alma and Oracle Linux 8 and newer, Fedora"

// checkHosts refuses hosts that could not be seen or cannot be what is wanted.
func (b *builder) checkHosts() {
	for _, h := range b.inv.Hosts {
		seen := b.got.Hosts[h.Name]
		if seen.Facts.Err != nil {
			b.unseen(h.Name, seen)
			continue
		}
		if seen.Engine.Err != nil {
			b.refuse(h.Name, "Docker runs but its API could not be read: "+seen.Engine.Err.Error(),
				"look at `systemctl status docker` there")
			continue
		}
		b.checkEngine(h, seen)
	}
}

// maxSkew is how far a host's clock may be from the observer's. A swarm's
// certificates are dated back by an hour, and what runs in it expects less.
const maxSkew = 10 * time.Minute

func (b *builder) checkEngine(h inventory.Host, seen state.Host) {
	facts, engine := seen.Facts.Value, seen.Engine.Value
	if facts.Skew.Abs() > maxSkew {
		b.refuse(h.Name, fmt.Sprintf("its clock is %s away from this machine's (it says %s)", facts.Skew.Abs(), time.Unix(facts.Clock, 0).UTC().Format(time.RFC3339)),
			"set the wrong one of the two right (chronyd, systemd-timesyncd): the swarm's certificates hold only where clocks agree")
	}
	if !facts.Docker.Loaded && engine == nil && installer(facts.OS) == "" {
		b.refuse(h.Name, fmt.Sprintf("its system is %q, which rmqprov cannot install Docker on", facts.OS.Pretty),
			"supported are "+Supported+"; or install Docker 20.10 or newer there yourself")
	}
	if engine == nil {
		return
	}
	if !atLeast(engine.Version, 20, 10) {
		b.refuse(h.Name, "its Docker Engine is "+engine.Version+", and 20.10 is the oldest that works", "upgrade Docker there")
	}
	if engine.LiveRestore {
		b.refuse(h.Name, "its Docker Engine has live-restore on, which swarm mode cannot have",
			`take "live-restore" out of `+DaemonPath+" and run `systemctl reload docker` there")
	}
}

// installer names the family of the package manager, "" where it is unknown.
func installer(os state.OS) string {
	for _, id := range append([]string{os.ID}, strings.Fields(os.Like)...) {
		switch id {
		case "amzn", "debian", "ubuntu", "rhel", "centos", "rocky", "almalinux", "ol", "fedora":
			return id
		}
	}
	return ""
}

func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	ma, err1 := strconv.Atoi(parts[0])
	mi, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (ma > major || ma == major && mi >= minor)
}

// docker plans the Engine's installation and start.
func (b *builder) docker(h inventory.Host) {
	facts := b.got.Hosts[h.Name].Facts.Value
	step := Step{ID: hostID(h.Name, "docker"), Host: h.Name, Kind: Create, After: []ID{hostID(h.Name, "daemon")}}
	switch {
	case !facts.Docker.Loaded:
		step.Summary, step.Why = "install Docker from "+orUnknown(facts.OS.Pretty)+"'s packages and start it", "docker not installed"
		step.Action = InstallDocker{OS: facts.OS}
	case !facts.Docker.Active:
		step.Kind, step.Summary, step.Why = Update, "start Docker, now and at boot", "docker is installed but not running"
		step.Action = StartDocker{}
		step.After = append(step.After, b.begins(h.Name)...)
	case !facts.Docker.Enabled:
		step.Kind, step.Summary, step.Why = Update, "start Docker at boot", "docker is not enabled"
		step.Action = StartDocker{}
	default:
		return
	}
	b.add(step)
}

func orUnknown(s string) string {
	if s == "" {
		return "the system"
	}
	return s
}

// daemon plans daemon.json: keys that rmqprov owns are brought to their
// values, all others stay.
func (b *builder) daemon(h inventory.Host) {
	facts := b.got.Hosts[h.Name].Facts.Value
	file, exists := facts.Files[DaemonPath]
	before := map[string]any{}
	if exists && len(bytes.TrimSpace(file.Content)) > 0 {
		if err := json.Unmarshal(file.Content, &before); err != nil {
			b.refuse(h.Name, DaemonPath+" is not JSON: "+err.Error(), "mend or remove the file there; Docker cannot read it either")
			return
		}
	}
	if before["live-restore"] == true && b.engine(h.Name) == nil {
		b.refuse(h.Name, DaemonPath+` sets "live-restore", which swarm mode cannot have`, "take it out of that file there")
		return
	}
	changes := daemonChanges(before, b.daemonWant(facts, before))
	if len(changes) == 0 {
		return
	}
	step := b.daemonStep(h, facts, exists, before, changes)
	if step.Disrupts == "" {
		b.add(step)
		return
	}
	b.addRestart(h, step, h.Name)
}

// addRestart plans a restart of a host's Docker with the care that its members
// need: one host at a time, what the playbooks do before a member stops, and
// all gates before the next host. The stacks' records are cleared before: where
// a run is killed in between, the next one finds them unsettled, and with them a
// member that was drained. The ids of all that belongs to it begin with host.NAME.
func (b *builder) addRestart(h inventory.Host, step Step, name string) {
	if why := b.restartWithout(h.Name); why != "" { // and no member is drained for it
		b.hold(step.ID, why)
		b.add(step)
		return
	}
	step.After = append(step.After, b.restarted...)
	if len(b.restarted) == 0 {
		step.After = append(step.After, b.gatesBefore(name)...)
	}
	var gates []ID
	for _, s := range b.want.Stacks {
		p := stackPlan{builder: b, stack: s, host: name}
		if !p.hasRecord() {
			continue
		}
		step.After = append(step.After, stackID(s.Name, "begin"))
		for _, svc := range s.Services {
			if svc.Slot != "" && b.slots[svc.Slot] == h.Name {
				step.After = append(step.After, p.hooks("before stop", svc, slices.Clone(step.After))...)
			}
		}
		for _, g := range s.Gates {
			id := p.id("gate", g.Name)
			b.add(p.gateStep(id, g, g.Name+" of "+s.Name, GateServices(s, g), []ID{step.ID}))
			gates = append(gates, id)
		}
	}
	step.Guard = b.guard(h.Name, b.engine(h.Name) != nil && b.engine(h.Name).Manager)
	b.add(step)
	b.restarted = append([]ID{step.ID}, gates...)
	b.restarts = append(b.restarts, b.restarted...)
}

// gatesBefore plans the gates of all stacks that must hold before the first
// host's Docker is restarted.
func (b *builder) gatesBefore(name string) []ID {
	var ids []ID
	for _, s := range b.want.Stacks {
		p := stackPlan{builder: b, stack: s, host: name}
		if p.hasRecord() {
			ids = append(ids, p.stackGates(p.slotLabels(), "before")...)
		}
	}
	return ids
}

func (b *builder) daemonStep(h inventory.Host, facts state.Facts, exists bool, before map[string]any, changes []Change) Step {
	for _, c := range changes {
		before[c.Path] = c.After
	}
	content, _ := json.MarshalIndent(before, "", "  ") // plain JSON values always marshal
	step := Step{
		ID: hostID(h.Name, "daemon"), Host: h.Name, Kind: Create, Changes: changes,
		Summary: "write " + DaemonPath, Why: "the file is not there",
	}
	action := WriteDaemon{Content: append(content, '\n')}
	if exists {
		step.Kind, step.Why = Update, "differs in "+changedPaths(changes)
	}
	if facts.Docker.Active {
		action.Then = "reload"
		if slices.ContainsFunc(changes, func(c Change) bool { return !reloadable[c.Path] }) {
			action.Then = "restart"
			step.Disrupts = "restarts Docker, and with it every container on " + h.Name
		}
	}
	step.Action = action
	return step
}

// reloadable holds the keys that a running Engine takes over on SIGHUP, as
// its manual lists them under "Configuration reload behavior".
var reloadable = map[string]bool{
	"debug": true, "labels": true, "live-restore": true, "max-concurrent-downloads": true,
	"max-concurrent-uploads": true, "max-download-attempts": true, "default-runtime": true, "runtimes": true,
	"authorization-plugins": true, "insecure-registries": true, "registry-mirrors": true,
	"shutdown-timeout": true, "features": true,
}

// daemonWant is what the inventory asks of daemon.json.
func (b *builder) daemonWant(facts state.Facts, before map[string]any) map[string]any {
	d := b.inv.Docker
	want := map[string]any{}
	for k, v := range d.Settings {
		want[k] = v
	}
	if len(d.RegistryMirrors) > 0 {
		want["registry-mirrors"] = d.RegistryMirrors
	}
	if len(d.InsecureRegistries) > 0 {
		want["insecure-registries"] = d.InsecureRegistries
	}
	if driver, _ := pick(want, before, "log-driver").(string); driver == "" || driver == "json-file" || driver == "local" {
		opts, _ := before["log-opts"].(map[string]any)
		want["log-opts"] = logOptions(d, opts)
	}
	if pools := localPools(facts); pools != nil && pick(want, before, "default-address-pools") == nil {
		want["default-address-pools"] = pools
	}
	return want
}

func pick(want, before map[string]any, key string) any {
	if v, ok := want[key]; ok {
		return v
	}
	return before[key]
}

// logOptions bounds the containers' logs: without it they fill the disk.
func logOptions(d inventory.Docker, before map[string]any) map[string]any {
	opts := map[string]any{}
	for k, v := range before {
		opts[k] = v
	}
	opts["max-size"], opts["max-file"] = d.LogMaxSize, strconv.Itoa(d.LogMaxFile)
	return opts
}

// localPools moves Docker's own bridges out of the way where the host's
// network lies in the range that Docker takes for them, 172.17.0.0/16 and up.
func localPools(facts state.Facts) []map[string]any {
	docker := netip.MustParsePrefix("172.16.0.0/12")
	inUse := slices.ContainsFunc(facts.Addresses, func(p netip.Prefix) bool { return p.Overlaps(docker) })
	if !inUse {
		return nil
	}
	return []map[string]any{{"base": "192.168.224.0/19", "size": 24}}
}

// daemonChanges compares by JSON value, so that another order or spacing is
// no difference.
func daemonChanges(before, want map[string]any) []Change {
	var changes []Change
	for _, key := range sortedKeys(want) {
		if !reflect.DeepEqual(plain(before[key]), plain(want[key])) {
			changes = append(changes, Change{Path: key, Before: before[key], After: want[key]})
		}
	}
	return changes
}

// plain turns a value into what JSON would read back.
func plain(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	_ = json.Unmarshal(data, &out)
	return out
}

func changedPaths(changes []Change) string {
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.Path)
	}
	return strings.Join(paths, ", ")
}
