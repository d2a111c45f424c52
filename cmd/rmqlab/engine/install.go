package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// tools are what the lab runs on the machine, and the Debian package that brings each.
var tools = []struct{ program, pkg string }{
	{"dockerd", "docker.io"},
	{"containerd", "containerd"},
	{"docker", "docker-cli"},
	{"iptables", "iptables"},
	{"mmdebstrap", "mmdebstrap"},
	{"ssh", "openssh-client"},
}

// missingPackages is what must be installed on a Debian of that version, where lookPath
// finds the programs that are there.
func missingPackages(version string, lookPath func(string) (string, error)) []string {
	var pkgs []string
	for _, t := range tools {
		if _, err := lookPath(t.program); err == nil {
			continue
		}
		if t.pkg == "docker-cli" && version == "12" {
			t.pkg = "docker.io" // Debian 12 has the client in the engine's package
		}
		if !slices.Contains(pkgs, t.pkg) {
			pkgs = append(pkgs, t.pkg)
		}
	}
	return pkgs
}

func (e *Engine) install(ctx context.Context) error {
	osRelease, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return err
	}
	id := parseOSRelease(string(osRelease))
	pkgs := missingPackages(id["VERSION_ID"], exec.LookPath)
	if len(pkgs) == 0 {
		return nil
	}
	if id["ID"] != "debian" {
		return fmt.Errorf("the lab installs what it needs on Debian only, and this is %q; install these yourself: %s",
			id["PRETTY_NAME"], strings.Join(pkgs, " "))
	}
	e.Say("installing on this machine: %s", strings.Join(pkgs, " "))
	allow, err := denyServices()
	if err != nil {
		return err
	}
	defer allow()
	if err := apt(ctx, "update"); err != nil {
		return err
	}
	// The archive's newest keyring verifies the newer suites that hosts are made of.
	if err := apt(ctx, append([]string{"install", "--yes", "--no-install-recommends", "debian-archive-keyring"}, pkgs...)...); err != nil {
		return err
	}
	if !slices.Contains(pkgs, "docker.io") {
		return nil
	}
	return disableServices(ctx)
}

// disableServices keeps the Docker service that the lab has just installed from starting at
// the machine's next boot: the lab needs the programs, not the service.
func disableServices(ctx context.Context) error {
	if _, err := exec.LookPath("systemctl"); err != nil {
		return nil
	}
	out, err := exec.CommandContext(ctx, "systemctl", "disable", "docker.service", "docker.socket", "containerd.service").CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl disable docker.service: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// denyServices keeps the package manager from starting the Docker service that it installs,
// by the means Debian has for that. An existing policy is left alone.
func denyServices() (allow func(), err error) {
	const path = "/usr/sbin/policy-rc.d"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = f.WriteString("#!/bin/sh\nexit 101\n")
	return func() { os.Remove(path) }, err
}

func apt(ctx context.Context, args ...string) error {
	args = append([]string{"-q", "-o", "DPkg::Lock::Timeout=300"}, args...)
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w:\n%s", strings.Join(args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}

func parseOSRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && !strings.HasPrefix(key, "#") {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	return values
}
