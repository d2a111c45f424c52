package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/inventory"
)

// beginning is what a first inventory is made of.
type beginning struct {
	hosts []string // [NAME=]ADDRESS
	tag   string   // KEY=VALUE of the EC2 instances
	user  string
}

func initCommand(a *app) *cobra.Command {
	var b beginning
	c := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a commented inventory to start from",
		Long: `Writes DIR/inventory.hcl, with comments, and overwrites nothing. DIR is made if need be; without it, it is
here. The inventory is sound as it is written. It asks nothing: the cluster is called like DIR, the
subnet is one that no host is in, and one or two hosts get one member of each stack, for a trial. Without --host and
--ec2 the addresses are examples.`,
		Example: `  rmqprov init
  rmqprov init clusters/orders --user admin --host 10.0.0.11 --host 10.0.0.12 --host 10.0.0.13
  rmqprov init --host rmq-a=rmq-a.example.com --host rmq-b=rmq-b.example.com --host rmq-c=rmq-c.example.com
  rmqprov init --ec2 Cluster=rmq   # every running instance with this tag`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return a.init(dir, b)
		},
	}
	c.Flags().StringArrayVar(&b.hosts, "host", nil, "a host, as `[NAME=]ADDRESS`; may be repeated")
	c.Flags().StringVar(&b.tag, "ec2", "", "hosts are the EC2 instances with this tag, as `KEY=VALUE`")
	c.Flags().StringVar(&b.user, "user", "", "who logs in there")
	c.MarkFlagsMutuallyExclusive("host", "ec2")
	return c
}

func (a *app) init(dir string, b beginning) error {
	text, err := b.inventory(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the folder for the inventory: %w", err)
	}
	path := filepath.Join(dir, defaultFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and stays as it is\n→ name another folder: rmqprov init DIR", path)
	}
	if err != nil {
		return fmt.Errorf("writing the inventory: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the inventory: %w", err)
	}
	next := "Then"
	if len(b.hosts) == 0 && b.tag == "" {
		next = "Name your hosts in it, then"
	}
	fmt.Fprintf(a.Stdout, "Wrote %s. %s:\n  rmqprov validate %s\n  rmqprov doctor %s\n  rmqprov plan %s\n", path, next, path, path, path)
	return nil
}

// inventory is the commented example with what is known put in. What no part
// of the example has is a defect, and is said rather than left out.
func (b beginning) inventory(dir string) ([]byte, error) {
	text := inventory.Example()
	put := func(old, with string) error {
		if !bytes.Contains(text, []byte(old)) {
			return fmt.Errorf("defect: the example has no %q", old)
		}
		text = bytes.Replace(text, []byte(old), []byte(with), 1)
		return nil
	}
	hosts, addresses, err := b.hostBlocks()
	if err != nil {
		return nil, err
	}
	var errs []error
	if name := clusterName(dir); name != "" {
		errs = append(errs, put(`cluster "rmq"`, fmt.Sprintf("cluster %q", name)))
	}
	if hosts != "" {
		errs = append(errs, put(exampleHosts, hosts), put(exampleUser, b.userLine()), put("10.20.0.0/24", freeSubnet(addresses)))
	} else if b.user != "" {
		errs = append(errs, put(exampleUser, b.userLine()))
	}
	if n := len(b.hosts); n == 1 || n == 2 {
		errs = append(errs, put("  playbook = \"consul\"\n", "  playbook = \"consul\"\n  inputs   = { servers = 1 } # 3 with three hosts\n"),
			put("members        = 3\n", "members        = 1 # 3 with three hosts\n    consul         = [\"consul-01\"]\n"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	formatted, diags := inventory.Format(text)
	if diags.HasErrors() {
		return nil, fmt.Errorf("the inventory would not be one: %w", diags)
	}
	return formatted, nil
}

const (
	exampleUser  = `  user = "ec2-user"` + "\n"
	exampleHosts = `host "node-1" { address = "10.0.0.11" }
host "node-2" { address = "10.0.0.12" }
host "node-3" { address = "10.0.0.13" }
`
)

// userLine leaves the user to ssh_config where none is given; instances of
// Amazon Linux have one of their own.
func (b beginning) userLine() string {
	switch {
	case b.user != "":
		return fmt.Sprintf("  user = %q\n", b.user)
	case b.tag != "":
		return exampleUser
	}
	return "  # user = \"ec2-user\"\n"
}

// hostBlocks are the blocks of the hosts that are known; "" where none is.
func (b beginning) hostBlocks() (text string, addresses []string, err error) {
	if b.tag != "" {
		key, value, ok := strings.Cut(b.tag, "=")
		if !ok || key == "" || value == "" {
			return "", nil, fmt.Errorf("--ec2 takes a tag as KEY=VALUE, such as Cluster=rmq, not %q", b.tag)
		}
		return fmt.Sprintf("discover \"ec2\" {\n  filters = { %q = %q }\n}\n", "tag:"+key, value), nil, nil
	}
	var blocks strings.Builder
	for i, h := range b.hosts {
		name, address, ok := strings.Cut(h, "=")
		if !ok {
			name, address = fmt.Sprintf("node-%d", i+1), h
		}
		if user, rest, ok := strings.Cut(address, "@"); ok {
			return "", nil, fmt.Errorf("--host takes an address, not %q\n→ write --host %s --user %s", address, rest, user)
		}
		fmt.Fprintf(&blocks, "host %q { address = %q }\n", name, address)
		addresses = append(addresses, address)
	}
	return blocks.String(), addresses, nil
}

var clusterLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// clusterName is the folder's, where it is a name and was given.
func clusterName(dir string) string {
	name := filepath.Base(dir)
	if !clusterLabel.MatchString(name) {
		return ""
	}
	return name
}

// freeSubnet is a subnet in whose surroundings no host has its address.
func freeSubnet(addresses []string) string {
	subnets := []string{"10.20.0.0/24", "10.120.0.0/24", "192.168.220.0/24"}
	for _, s := range subnets {
		around := netip.PrefixFrom(netip.MustParsePrefix(s).Addr(), 16).Masked()
		taken := func(address string) bool {
			ip, err := netip.ParseAddr(address)
			return err == nil && around.Contains(ip)
		}
		if !slices.ContainsFunc(addresses, taken) {
			return s
		}
	}
	return subnets[0] // validate has the last word
}
