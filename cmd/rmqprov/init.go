package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rmqprov/rmqprov/inventory"
)

func initCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a commented inventory to start from",
		Long:  "Writes DIR/inventory.hcl, with comments, and overwrites nothing. DIR is made if need be; without it, it is here.",
		Example: `  rmqprov init
  rmqprov init clusters/orders`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return a.init(dir)
		},
	}
}

func (a *app) init(dir string) error {
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
	_, err = f.Write(inventory.Example())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the inventory: %w", err)
	}
	fmt.Fprintf(a.Stdout, "Wrote %s. Name your hosts in it, then:\n  rmqprov validate %s\n  rmqprov plan %s\n", path, path, path)
	return nil
}
