package engine

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestHashFollowsTheRecipe(t *testing.T) {
	recipe := func() Rootfs {
		return Rootfs{Suite: "trixie", Packages: []string{"a"}, Files: map[string]File{"/x": {0o644, "1"}, "/y": {0o644, "2"}}}
	}
	mirror := Mirror{Archive: "http://a/debian"}
	base := recipe().Hash(mirror)
	if again := recipe().Hash(mirror); again != base {
		t.Errorf("the same recipe hashes to %s and %s", base, again)
	}
	changes := map[string]func(*Rootfs){
		"suite":     func(r *Rootfs) { r.Suite = "bookworm" },
		"packages":  func(r *Rootfs) { r.Packages = append(r.Packages, "b") },
		"content":   func(r *Rootfs) { r.Files["/x"] = File{0o644, "3"} },
		"mode":      func(r *Rootfs) { r.Files["/x"] = File{0o755, "1"} },
		"customize": func(r *Rootfs) { r.Customize = "true" },
		"changes":   func(r *Rootfs) { r.Changes = []string{"USER 1"} },
	}
	for name, change := range changes {
		r := recipe()
		change(&r)
		if r.Hash(mirror) == base {
			t.Errorf("another %s has the same hash", name)
		}
	}
	if recipe().Hash(Mirror{Archive: "http://b/debian"}) == base {
		t.Error("another mirror has the same hash")
	}
}

func TestCustomizeScriptPutsFilesIntoTheImage(t *testing.T) {
	work, root := t.TempDir(), t.TempDir()
	if err := os.Chmod(root, 0o700); err != nil {
		t.Fatal(err)
	}
	script, err := customizeScript(work, Rootfs{
		Files:     map[string]File{"/etc/a b/c": {0o440, "content\n"}},
		Customize: `cp "$1/etc/a b/c" "$1/copy"`,
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(script, root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(root + "/etc/a b/c")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o440 {
		t.Errorf("mode %v", info.Mode())
	}
	copied, err := os.ReadFile(root + "/copy")
	if err != nil || strings.TrimSpace(string(copied)) != "content" {
		t.Errorf("the recipe's script saw %q, %v", copied, err)
	}
	if info, err := os.Stat(root); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the image's own directory changed to %v, %v", info.Mode(), err)
	}
}
