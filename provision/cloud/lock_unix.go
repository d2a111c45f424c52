//go:build !windows

package cloud

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile waits until this process alone has the file.
func lockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX) }
