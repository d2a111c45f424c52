package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/hosts"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/images"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/services"
)

// upOptions are the flags of `up`.
type upOptions struct {
	hosts   int
	systems []string // host n runs the nth, and from the first again after the last
	base    string
	subnet  netip.Prefix // invalid: the lab's own, or the default
	fresh   bool
}

// bootLimit is how long hosts may take from power on to login.
const bootLimit = 2 * time.Minute

func up(ctx context.Context, t target, o upOptions) error {
	lab, err := t.start(ctx)
	if err != nil {
		return err
	}
	if err := lab.ChooseSubnet(o.subnet, netip.MustParsePrefix(defaultSubnet)); err != nil {
		return err
	}
	unlock, err := lab.Engine.Lock("lab-" + t.name)
	if err != nil {
		return err
	}
	defer unlock()
	signer, newKey, err := t.stateDir().ensureKey()
	if err != nil {
		return err
	}
	// All else stands on the network: hosts are in it, services listen on the machine's end.
	if err := lab.Network(ctx); err != nil {
		return err
	}
	b := builder{lab: lab, dir: t.stateDir(), signer: signer}
	return b.up(ctx, o, newKey)
}

// builder makes hosts of one lab.
type builder struct {
	lab    *hosts.Lab
	dir    stateDir
	signer ssh.Signer
}

func (b builder) authorized() []byte { return ssh.MarshalAuthorizedKey(b.signer.PublicKey()) }

func servicesOf(lab *hosts.Lab) services.Lab {
	return services.Lab{Engine: lab.Engine, Name: lab.Name, Gateway: hosts.Gateway(lab.Subnet)}
}

// served is what hosts are served by.
type served struct {
	mirror string // address of the registry
	cloud  *services.EC2
}

func (b builder) serve(ctx context.Context) (served, error) {
	var s served
	lab := servicesOf(b.lab)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		s.mirror, err = lab.Registry(ctx, images.Demo...)
		return err
	})
	group.Go(func() (err error) {
		s.cloud, err = lab.EC2(ctx, region)
		return err
	})
	err := group.Wait()
	return s, err
}

// up brings the hosts and what serves them, side by side.
func (b builder) up(ctx context.Context, o upOptions, newKey bool) error {
	var (
		by   served
		lost []hosts.Host
	)
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		by, err = b.serve(groupCtx)
		return err
	})
	group.Go(func() (err error) {
		if lost, err = b.removeLost(groupCtx, o.fresh); err != nil {
			return err
		}
		return b.bringHosts(groupCtx, o, newKey)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return b.finish(ctx, by, lost)
}

func (b builder) bringHosts(ctx context.Context, o upOptions, newKey bool) error {
	have, err := b.lab.Hosts(ctx)
	if err != nil {
		return err
	}
	systems := o.systems
	if o.base != "" {
		systems = []string{o.base}
	}
	specs, err := missing(have, o.hosts, systems, b.lab.Subnet)
	if err != nil {
		return err
	}
	if err := b.buildImages(ctx, specs, o.base); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, h := range have {
		group.Go(func() error { return b.revive(ctx, h, newKey) })
	}
	for _, s := range specs {
		group.Go(func() error { return b.create(ctx, s) })
	}
	return group.Wait()
}

// removeLost removes hosts that an interrupted run left half made or, for a fresh lab, all of
// them, and returns what it removed.
func (b builder) removeLost(ctx context.Context, fresh bool) ([]hosts.Host, error) {
	all, err := b.lab.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	lost := slices.DeleteFunc(all, func(h hosts.Host) bool { return !fresh && h.State != hosts.Unfinished })
	return lost, removeHosts(ctx, b.lab, lost)
}

func removeHosts(ctx context.Context, lab *hosts.Lab, all []hosts.Host) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, h := range all {
		lab.Engine.Say("removing host %s (%s)", h.Name, h.State)
		group.Go(func() error { return lab.Remove(ctx, h) })
	}
	return group.Wait()
}

// buildImages makes sure that the images of all systems are there, side by side, and names
// them in the specs.
func (b builder) buildImages(ctx context.Context, specs []hosts.Spec, base string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, system := range systemsOf(specs) {
		group.Go(func() error {
			image, err := b.image(ctx, system, base)
			for i := range specs {
				if specs[i].OS == system {
					specs[i].Image = image
				}
			}
			return err
		})
	}
	return group.Wait()
}

func (b builder) image(ctx context.Context, system, base string) (string, error) {
	if base != "" {
		return hosts.BuildFromBase(ctx, b.lab.Engine, base)
	}
	return hosts.BuildImage(ctx, b.lab.Engine, system)
}

func systemsOf(specs []hosts.Spec) []string {
	var systems []string
	for _, s := range specs {
		systems = append(systems, s.OS)
	}
	slices.Sort(systems)
	return slices.Compact(systems)
}

// missing are the hosts that a lab of n lacks.
func missing(have []hosts.Host, n int, systems []string, subnet netip.Prefix) ([]hosts.Spec, error) {
	taken := map[string]bool{}
	var used []netip.Addr
	for _, h := range have {
		taken[h.Name] = true
		used = append(used, h.Address)
	}
	var specs []hosts.Spec
	for i := range n {
		name := fmt.Sprintf("node-%d", i+1)
		if taken[name] {
			continue
		}
		address, err := hosts.Address(subnet, i+1, used)
		if err != nil {
			return nil, err
		}
		used = append(used, address)
		specs = append(specs, hosts.Spec{
			Name: name, OS: systems[i%len(systems)], Address: address, Zone: zone(i),
		})
	}
	return specs, nil
}

const region = "ap-southeast-1"

// zone spreads hosts over the region's three availability zones.
func zone(i int) string { return region + string("abc"[i%3]) }

func (b builder) create(ctx context.Context, s hosts.Spec) error {
	keys, err := hosts.NewKeys()
	if err != nil {
		return err
	}
	if err := b.lab.Create(ctx, s, keys, services.NewInstanceID(), b.authorized()); err != nil {
		return err
	}
	return b.await(ctx, hosts.Host{Name: s.Name, Address: s.Address, HostKeys: keys.Public()})
}

// revive brings a host back that is off, frozen or cut, and lets a new key in.
func (b builder) revive(ctx context.Context, h hosts.Host, newKey bool) error {
	if newKey {
		if err := b.lab.Authorize(ctx, h, b.authorized()); err != nil {
			return err
		}
	}
	if h.State == hosts.Running {
		return nil
	}
	b.lab.Engine.Say("host %s is %s: bringing it back", h.Name, h.State)
	if err := b.lab.Revive(ctx, h); err != nil {
		return err
	}
	return b.await(ctx, h)
}

func (b builder) await(ctx context.Context, h hosts.Host) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	if err := hosts.AwaitLogin(ctx, h, b.signer); err != nil {
		return err
	}
	b.lab.Engine.Say("host %s is up at %s", h.Name, h.Address)
	return nil
}

// finish tells EC2 and the lab's users about the hosts there are, and EC2 about those lost.
func (b builder) finish(ctx context.Context, by served, lost []hosts.Host) error {
	all, err := b.lab.Hosts(ctx)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, h := range lost {
		group.Go(func() error { return by.cloud.Terminate(groupCtx, h.Instance) })
	}
	for _, h := range all {
		group.Go(func() error { return b.register(groupCtx, by.cloud, h) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := b.dir.write(all, endpoints{Mirror: by.mirror, EC2: by.cloud.Endpoint, Region: region}); err != nil {
		return err
	}
	b.lab.Engine.Say("lab %q is up: %d hosts; inventory %s, key %s", b.lab.Name, len(all), b.dir.inventory(), b.dir.key())
	return nil
}

func (b builder) register(ctx context.Context, cloud *services.EC2, h hosts.Host) error {
	console, err := hosts.ConsoleOutput(h)
	if err != nil {
		return err
	}
	return cloud.Run(ctx, b.lab.Subnet, services.Instance{
		ID: h.Instance, Name: h.Name, Address: h.Address, Zone: h.Zone, Console: console,
	})
}

func down(ctx context.Context, t target) error {
	// After a restart of the machine a lab's disks are there while its engine is not.
	if used, err := engine.WasUsed(engine.Options{}); !used || err != nil {
		return err
	}
	lab, err := t.start(ctx)
	if err != nil {
		return err
	}
	unlock, err := lab.Engine.Lock("lab-" + t.name)
	if err != nil {
		return err
	}
	defer unlock()
	all, err := lab.Hosts(ctx)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return services.Lab{Engine: lab.Engine, Name: lab.Name}.Stop(groupCtx) })
	group.Go(func() error { return removeHosts(groupCtx, lab, all) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := lab.RemoveNetwork(ctx); err != nil {
		return err
	}
	lab.Engine.Say("lab %q is gone; images stay in %s", lab.Name, lab.Engine.Cache)
	return t.stateDir().remove()
}

func replace(ctx context.Context, t target, name string) error {
	lab, err := t.open(ctx)
	if err != nil {
		return err
	}
	unlock, err := lab.Engine.Lock("lab-" + t.name)
	if err != nil {
		return err
	}
	defer unlock()
	signer, err := t.stateDir().signer()
	if err != nil {
		return fmt.Errorf("the lab's key: %w; run `rmqlab up` first, or name its directory with --dir", err)
	}
	old, err := lab.Host(ctx, name)
	if err != nil {
		return err
	}
	spec, err := lab.Replacement(ctx, old)
	if err != nil {
		return err
	}
	lab.Engine.Say("host %s (%s) is lost; a new one comes at %s", name, old.Address, spec.Address)
	if err := lab.Remove(ctx, old); err != nil {
		return err
	}
	b := builder{lab: lab, dir: t.stateDir(), signer: signer}
	var by served
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		by, err = b.serve(groupCtx)
		return err
	})
	group.Go(func() error { return b.create(groupCtx, spec) })
	if err := group.Wait(); err != nil {
		return err
	}
	return b.finish(ctx, by, []hosts.Host{old})
}

func status(ctx context.Context, t target, w io.Writer, asJSON bool) error {
	lab, err := t.open(ctx)
	if err != nil {
		return err
	}
	all, err := lab.Hosts(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		if all == nil {
			all = []hosts.Host{}
		}
		return json.NewEncoder(w).Encode(all)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "HOST\tSTATE\tADDRESS\tOS\tINSTANCE\tZONE")
	for _, h := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, h.State, h.Address, h.OS, h.Instance, h.Zone)
	}
	return table.Flush()
}
