package playbooks

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Backup is something that a stack holds and that can be kept apart from it.
type Backup struct {
	Name    string
	Exec    []string // prints it, in one running member
	Restore []string // reads it from stdin, in one running member; nil: it is only kept
	Within  time.Duration
	Note    string // what it is, one line
}

type backupBlock struct {
	Name     string         `hcl:"name,label"`
	Exec     hcl.Expression `hcl:"exec"`
	Restore  hcl.Expression `hcl:"restore,optional"`
	Within   hcl.Expression `hcl:"within,optional"`
	Note     hcl.Expression `hcl:"note,optional"`
	When     hcl.Expression `hcl:"when,optional"`
	DefRange hcl.Range      `hcl:",def_range"`
}

// bindBackups reads what of the stack is to be backed up.
func (b *binder) bindBackups() {
	for _, block := range b.playbook.Backups {
		if !b.when(block.When) {
			continue
		}
		b.stack.Backups = append(b.stack.Backups, Backup{
			Name: block.Name, Exec: b.command(block.Exec, "exec"), Restore: b.command(block.Restore, "restore"),
			Within: b.duration(block.Within, 5*time.Minute), Note: b.text(block.Note, "note"),
		})
	}
}
