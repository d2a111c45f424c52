package playbooks

import (
	"github.com/hashicorp/hcl/v2"
)

// Requires is what a host must have to run a stack's containers. Zero is
// nothing in particular.
type Requires struct {
	Memory int64 // bytes, in all
	Disk   int64 // bytes free, for images and data
}

// bindRequires reads what the stack asks of a host.
func (b *binder) bindRequires() {
	if block := b.playbook.Requires; block != nil {
		b.stack.Requires = Requires{Memory: b.mebibytes(block.Memory, "memory"), Disk: b.mebibytes(block.Disk, "disk")}
	}
}

func (b *binder) mebibytes(expr hcl.Expression, what string) int64 {
	n := b.number(expr, what)
	if n < 0 || n > 1<<32 {
		b.fail(expr.Range(), "Wrong size", "%s is a number of MiB, and %d is out of all bounds.", what, n)
	}
	return int64(n) << 20
}
