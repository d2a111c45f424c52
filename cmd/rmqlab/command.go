package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/hosts"
	"github.com/rmqprov/rmqprov/cmd/rmqlab/images"
)

const (
	defaultName   = "lab"
	defaultSubnet = "10.78.0.0/24"
)

// target is what every verb says: which lab, and where its files are.
type target struct {
	name string
	dir  string
}

func (t target) stateDir() stateDir {
	if t.dir != "" {
		return stateDir(t.dir)
	}
	return defaultDir(t.name)
}

// start returns the lab, starting its engine if need be.
func (t target) start(ctx context.Context) (*hosts.Lab, error) {
	e, err := engine.Start(ctx, engine.Options{})
	if err != nil {
		return nil, err
	}
	return hosts.Open(ctx, e, t.name)
}

// open returns the lab if its engine runs.
func (t target) open(ctx context.Context) (*hosts.Lab, error) {
	e, err := engine.Connect(ctx, engine.Options{})
	if err != nil {
		return nil, err
	}
	return hosts.Open(ctx, e, t.name)
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "rmqlab",
		Short: "A lab of real hosts on this machine",
		Long: `rmqlab runs real, bare hosts on this machine (systemd, sshd, a sudo user, a package manager),
with an image registry that they use as a mirror, and an EC2 emulator whose instances they are.
It brings its own Docker engine and disturbs none that is there.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	t := &target{}
	root.PersistentFlags().StringVar(&t.name, "name", defaultName, "which lab; several can run side by side")
	root.PersistentFlags().StringVar(&t.dir, "dir", "", "where the lab's key, known_hosts, lab.hcl and env are (default .lab)")
	root.AddCommand(upCommand(t), downCommand(t), statusCommand(t), replaceCommand(t), loadCommand(t), sshCommand(t), consoleCommand(t), imagesCommand(t), engineCommand(), daysCommand())
	root.AddCommand(faultCommands(t)...)
	return root
}

func upCommand(t *target) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start hosts, registry and EC2 emulator, or what is missing of them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.hosts < 1 {
				return fmt.Errorf("--hosts %d: a lab has at least one host", o.hosts)
			}
			for _, system := range o.systems {
				if !slices.Contains(hosts.Systems(), system) {
					return fmt.Errorf("--os %s: choose from %s", system, strings.Join(hosts.Systems(), ", "))
				}
			}
			return up(cmd.Context(), *t, o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.hosts, "hosts", 3, "how many hosts")
	f.StringSliceVar(&o.systems, "os", []string{"debian13"}, "what they run, in turn: "+strings.Join(hosts.Systems(), ", "))
	f.StringVar(&o.base, "base", "", "make hosts of a real base image instead, such as amazonlinux:2023; takes a registry")
	f.TextVar(&o.subnet, "subnet", netip.Prefix{}, "the lab's network (default "+defaultSubnet+")")
	f.BoolVar(&o.fresh, "fresh", false, "replace every host that is there by a new one")
	return cmd
}

func downCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Take the lab away; caches stay",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return down(cmd.Context(), *t) },
	}
}

func statusCommand(t *target) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the lab's hosts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return status(cmd.Context(), *t, cmd.OutOrStdout(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func replaceCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "replace HOST",
		Short: "Lose a host for good and put a new, empty one in its place, at a new address",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return replace(cmd.Context(), *t, args[0]) },
	}
}

func sshCommand(t *target) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ssh HOST [COMMAND…]",
		Short: "Log in to a host as " + hosts.User + ", or run a command there",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSSH(cmd.Context(), *t, args[0], args[1:])
		},
	}
	cmd.Flags().SetInterspersed(false) // flags after HOST are the command's
	return cmd
}

func consoleCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "console HOST",
		Short: "Open a root shell on a host without the network",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return console(cmd.Context(), *t, args[0]) },
	}
}

func imagesCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "images [NAME:TAG…]",
		Short: "Have the registry serve these images too, or all that the lab can build",
		Long: `The registry serves ` + strings.Join(images.Demo, ", ") + ` from the start.
The lab can build ` + strings.Join(images.Names(), ", ") + `.`,
		ValidArgs: images.Names(),
		Args:      cobra.OnlyValidArgs,
		RunE: func(cmd *cobra.Command, names []string) error {
			lab, err := t.open(cmd.Context())
			if err != nil {
				return err
			}
			_, err = servicesOf(lab).Registry(cmd.Context(), names...)
			return err
		},
	}
}

func engineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Start the lab's own Docker engine and print its socket",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := engine.Start(cmd.Context(), engine.Options{})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), e.Socket)
			return err
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "stop",
		Short: "End the engine and every container in it; caches stay",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return engine.Stop(cmd.Context(), engine.Options{})
		},
	})
	return cmd
}
