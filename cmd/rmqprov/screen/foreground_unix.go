//go:build unix

package screen

import (
	"os"

	"golang.org/x/sys/unix"
)

// Foreground says that the terminal is ours to take over: a job in the
// background would be stopped for trying.
func Foreground(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
