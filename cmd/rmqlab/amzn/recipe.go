package amzn

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

// Lines are the lines of Amazon Linux that have a stand-in.
var Lines = []string{"amzn2023", "amzn2"}

//go:embed recipe
var recipe embed.FS

// workshop is where the recipe's files lie while an image is built, and is gone afterwards.
const workshop = "/root/amzn"

// packages are what a stand-in takes from Debian. Docker and iptables are not among them: they
// come to a host as RPM packages.
var packages = []string{
	"ca-certificates", "curl", "dbus", "iproute2", "kmod", "netbase", "openssh-server", "procps", "sudo", "systemd", "systemd-sysv",
	"createrepo-c", "dnf", "rpm",
}

// rootfs is the recipe of the stand-in for a line.
func rootfs(line string) (engine.Rootfs, error) {
	if !slices.Contains(Lines, line) {
		return engine.Rootfs{}, fmt.Errorf("no Amazon Linux stand-in is called %q; there are %q", line, Lines)
	}
	files, err := recipeFiles()
	if err != nil {
		return engine.Rootfs{}, err
	}
	return engine.Rootfs{
		Suite:    "trixie",
		Packages: packages,
		Files:    files,
		Customize: fmt.Sprintf(`chroot "$1" bash %[1]s/packages.sh %[2]s
chroot "$1" bash %[1]s/convert.sh %[2]s
rm -rf "$1"%[1]s`, workshop, line),
		Changes: []string{`CMD ["/sbin/init"]`},
	}, nil
}

func recipeFiles() (map[string]engine.File, error) {
	files := map[string]engine.File{}
	err := fs.WalkDir(recipe, "recipe", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := recipe.ReadFile(name)
		files[path.Join(workshop, name[len("recipe"):])] = engine.File{Mode: mode(name), Content: string(content)}
		return err
	})
	return files, err
}

// mode is what a recipe's file is installed with: programs are executable, the rest is data.
// An embedded file has no mode of its own.
func mode(name string) os.FileMode {
	if path.Base(path.Dir(name)) == "bin" || path.Ext(name) == ".sh" {
		return 0o755
	}
	return 0o644
}
