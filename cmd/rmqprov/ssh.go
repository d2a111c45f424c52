package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/inventory"
)

func sshCommand(a *app) *cobra.Command {
	var s source
	c := &cobra.Command{
		Use:   "ssh [FILE] HOST [CMD…]",
		Short: "Open a shell on a host, or run a command there",
		Long: `Runs ssh with the user, key, host keys and bastion that the inventory names. With instance_connect it logs in
with a key that EC2 Instance Connect lets in for this once. HOST is the inventory's name of it. A FILE that neither ends in .hcl nor has a slash is written ./FILE. With a
command, the exit status is the command's.`,
		Example: `  rmqprov ssh node-1
  rmqprov ssh prod.hcl node-1 sudo docker node ls`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = defaultFile
			if looksLikeFile(args[0]) {
				s.file, args = args[0], args[1:]
			}
			if len(args) == 0 {
				return misuse{errors.New("which host?"), c.CommandPath()}
			}
			return a.ssh(c.Context(), s, args[0], args[1:])
		},
	}
	s.flags(c)
	c.Flags().SetInterspersed(false) // what follows HOST is the command's
	return c
}

func (a *app) ssh(ctx context.Context, s source, name string, command []string) error {
	want, err := a.load(s)
	if err != nil {
		return err
	}
	if want, err = a.find(ctx, want); err != nil {
		return err
	}
	host, err := findHost(want.Inventory, name)
	if err != nil {
		return err
	}
	program, err := openSSH(name)
	if err != nil {
		return err
	}
	common, err := a.pinned(ctx, want.Inventory)
	if err != nil {
		return err
	}
	var login []string
	if common.InstanceConnect {
		made, err := a.pushKey(ctx, common, host)
		if err != nil {
			return err
		}
		defer made.Close()
		login = made.arguments()
	}
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	// The terminal sends ^C to ssh too, and ssh knows best what it means there.
	a.stop.gently(func() {})
	defer a.stop.gently(nil)
	child := exec.CommandContext(ctx, program, slices.Concat(login, sshArguments(common, host), command)...)
	child.Stdin, child.Stdout, child.Stderr = a.Stdin, a.Stdout, a.Stderr
	err = child.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() > 0 {
		return exit{status: ended.ExitCode()}
	}
	return err
}

// openSSH finds the ssh program.
func openSSH(host string) (string, error) {
	program, err := exec.LookPath("ssh")
	if err != nil {
		return "", fmt.Errorf("going to %s needs the ssh program of OpenSSH on this machine: %w", host, err)
	}
	return program, nil
}

func findHost(inv *inventory.Inventory, name string) (inventory.Host, error) {
	var names []string
	for _, h := range inv.Hosts {
		if h.Name == name {
			return h, nil
		}
		names = append(names, h.Name)
	}
	return inventory.Host{}, fmt.Errorf("the inventory has no host %s\n→ it has %s", name, strings.Join(names, ", "))
}

// sshArguments are the arguments of OpenSSH's ssh that reach a host as the
// inventory says. What it leaves open stays for ssh_config to say.
func sshArguments(common inventory.SSH, h inventory.Host) []string {
	var args []string
	add := func(flag, value string) {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	add("-F", common.Config)
	add("-l", cmp.Or(h.User, common.User))
	if port := cmp.Or(h.Port, common.Port); port != 0 {
		add("-p", strconv.Itoa(port))
	}
	if identity := cmp.Or(h.Identity, common.Identity); identity != "" && !common.InstanceConnect {
		args = append(args, "-i", identity, "-o", "IdentitiesOnly=yes")
	}
	if common.KnownHosts != "" {
		args = append(args, "-o", "UserKnownHostsFile="+strconv.Quote(common.KnownHosts))
	}
	switch common.HostKeys {
	case "accept-new":
		args = append(args, "-o", "StrictHostKeyChecking=accept-new")
	case "ec2":
		args = append(args, "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes")
	}
	add("-J", cmp.Or(h.Jump, common.Jump))
	return append(args, h.Address)
}
