package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"
)

// playbookTest is a run of `playbook test`.
type playbookTest struct {
	*app
	playbook string   // absolute, or the name of one that the binary carries
	inputs   []string // NAME=VALUE
	hosts    int
	systems  string
	subnet   string
	keep     bool

	dir    string // the lab's files
	rmqlab string
	self   string
}

func playbookTestCommand(a *app) *cobra.Command {
	t := &playbookTest{app: a}
	c := &cobra.Command{
		Use:   "test DIR",
		Short: "Try a playbook on hosts of this machine",
		Long: `Brings up a lab of bare hosts on this machine, as rmqlab does (see docs/lab.md; it needs root), applies an inventory
with the playbook alone, verifies, wants a second plan to be empty, destroys, and takes the lab away. DIR is a folder
with a playbook.hcl, or the name of a playbook that rmqprov carries. The hosts pull images from the lab's registry, and from
the Internet what that has not, where there is one.`,
		Example: `  rmqprov playbook test ./playbooks/orders
  rmqprov playbook test ./playbooks/orders --input members=2 --os debian13,amzn2023 --keep`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return t.run(c.Context(), args[0]) },
	}
	c.Flags().StringArrayVar(&t.inputs, "input", nil, "give an input its value, as `NAME=VALUE`; may be repeated")
	c.Flags().IntVar(&t.hosts, "hosts", 3, "how many hosts")
	c.Flags().StringVar(&t.systems, "os", "debian13", "what they run, in turn; `rmqlab up --help` lists the systems")
	c.Flags().StringVar(&t.subnet, "subnet", "10.77.0.0/24", "the lab's network")
	c.Flags().BoolVar(&t.keep, "keep", false, "destroy nothing, and leave the lab with the stack in it")
	return c
}

func (t *playbookTest) run(ctx context.Context, playbook string) (err error) {
	if err := t.prepare(playbook); err != nil {
		return err
	}
	if !t.keep {
		defer func() { err = errors.Join(err, t.takeDown(context.WithoutCancel(ctx))) }()
	}
	if err := t.step(ctx, "bring up hosts", t.rmqlab, t.lab("up", "--fresh", "--hosts", fmt.Sprint(t.hosts), "--os", t.systems, "--subnet", t.subnet)...); err != nil {
		return err
	}
	inventory := filepath.Join(t.dir, "inventory.hcl")
	if err := t.write(inventory); err != nil {
		return err
	}
	steps := []struct {
		what string
		args []string
	}{
		{"apply", []string{"apply", "--yes", inventory}},
		{"verify", []string{"verify", inventory}},
		{"plan again, which must be empty", []string{"plan", "--detailed-exitcode", inventory}},
		{"destroy", []string{"destroy", "--yes", "--volumes", inventory}},
	}
	if t.keep {
		steps = steps[:len(steps)-1]
	}
	for _, s := range steps {
		if err := t.step(ctx, s.what, t.self, s.args...); err != nil {
			return err
		}
	}
	fmt.Fprintf(t.Stdout, "\nThe playbook %s works.\n", playbook)
	if t.keep {
		fmt.Fprintf(t.Stdout, "It runs on, as %s says. Take the lab away: %s %s\n", inventory, t.rmqlab, strings.Join(t.lab("down"), " "))
	}
	return nil
}

// prepare finds the programs and the playbook, and makes the lab's folder.
func (t *playbookTest) prepare(playbook string) (err error) {
	t.playbook = playbook
	if strings.ContainsAny(playbook, `/\`) || playbook == "." {
		if t.playbook, err = filepath.Abs(playbook); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(t.playbook, "playbook.hcl")); err != nil {
			return fmt.Errorf("%s holds no playbook.hcl: %w\n→ `rmqprov playbook new NAME` writes one to start from", playbook, err)
		}
	}
	if t.self, err = os.Executable(); err != nil {
		return err
	}
	t.rmqlab = filepath.Join(filepath.Dir(t.self), "rmqlab")
	if _, err := os.Stat(t.rmqlab); err != nil {
		if t.rmqlab, err = exec.LookPath("rmqlab"); err != nil {
			return fmt.Errorf("rmqlab is neither beside rmqprov nor in PATH\n→ `make build` makes both; see docs/lab.md")
		}
	}
	t.dir, err = os.MkdirTemp("", "rmqprov-playbook-test-")
	return err
}

// lab are the arguments of rmqlab for this test's own lab.
func (t *playbookTest) lab(verb string, args ...string) []string {
	name := "test-" + strings.ToLower(filepath.Base(t.playbook))
	return append([]string{verb, "--name", name, "--dir", t.dir}, args...)
}

// step runs a program and lets it say what it has to say.
func (t *playbookTest) step(ctx context.Context, what, program string, args ...string) error {
	fmt.Fprintf(t.Stdout, "==> %s\n", what)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = t.Stdout, t.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the playbook's test failed at: %s (%w)", what, err)
	}
	return nil
}

func (t *playbookTest) takeDown(ctx context.Context) error {
	return errors.Join(t.step(ctx, "take the hosts away", t.rmqlab, t.lab("down")...), os.RemoveAll(t.dir))
}

// write makes the lab's inventory one of this playbook alone.
func (t *playbookTest) write(path string) error {
	labs := filepath.Join(t.dir, "lab.hcl")
	text, err := os.ReadFile(labs)
	if err != nil {
		return fmt.Errorf("reading the lab's inventory: %w", err)
	}
	inputs, err := assignments(t.inputs)
	if err != nil {
		return fmt.Errorf("--input: %w", err)
	}
	file, diags := hclwrite.ParseConfig(text, labs, hcl.InitialPos)
	if diags.HasErrors() {
		return fmt.Errorf("reading the lab's inventory: %w", diags)
	}
	for _, block := range slices.Clone(file.Body().Blocks()) {
		if block.Type() == "stack" || block.Type() == "variable" {
			file.Body().RemoveBlock(block)
		}
	}
	stack := file.Body().AppendNewBlock("stack", []string{"test"}).Body()
	stack.SetAttributeValue("playbook", cty.StringVal(t.playbook))
	values := map[string]cty.Value{}
	for name, value := range inputs {
		values[name] = cty.StringVal(value)
	}
	if len(values) > 0 {
		stack.SetAttributeValue("inputs", cty.ObjectVal(values))
	}
	return os.WriteFile(path, file.Bytes(), 0o600) // inputs may be secret
}
