package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rmqprov/rmqprov/inventory"
	"github.com/rmqprov/rmqprov/provision/state"
)

// Paths returns the files whose state on a host the planner needs to know.
func (w Want) Paths(host inventory.Host) []string {
	paths := []string{DaemonPath}
	for _, f := range w.Inventory.Files {
		if wantedOn(f, host.Name) {
			paths = append(paths, f.Path)
		}
	}
	if slices.Contains(w.Inventory.Managers(), host.Name) {
		for _, f := range w.stackFiles() {
			paths = append(paths, f.Path)
		}
		paths = append(paths, LastRun(w.Inventory.Cluster.Name))
	}
	return paths
}

// HistoryDir is the folder on every manager with the record of what was done
// to a cluster.
func HistoryDir(cluster string) string { return "/var/lib/rmqprov/" + cluster }

// LastRun is the file in there with the head of the newest record.
func LastRun(cluster string) string { return HistoryDir(cluster) + "/last.json" }

// stackFiles are the stacks' rendered files as they are kept on every manager,
// so that an operator without rmqprov can read what runs and deploy it again.
func (w Want) stackFiles() []HostFile {
	var files []HostFile
	for _, s := range w.Stacks {
		for _, f := range s.Files {
			files = append(files, HostFile{
				Path:    path.Join("/etc/rmqprov", w.Inventory.Cluster.Name, "stacks", s.Name, f.Name),
				Content: f.Content, Mode: 0o644, Owner: "root", Group: "root",
			})
		}
	}
	return files
}

func wantedOn(f inventory.File, host string) bool {
	return len(f.Hosts) == 0 || slices.Contains(f.Hosts, host)
}

// files plans the inventory's own files and the stacks' files of one host.
func (b *builder) files(h inventory.Host) {
	facts := b.got.Hosts[h.Name].Facts.Value
	for _, f := range b.inv.Files {
		if !wantedOn(f, h.Name) {
			continue
		}
		file := HostFile{Path: f.Path, Content: f.Content, Mode: f.Mode, Owner: f.Owner, Group: f.Group}
		step, differs := filesStep(hostID(h.Name, "file", f.Path), h.Name, facts, []HostFile{file}, f.Restart)
		if differs {
			if slices.ContainsFunc(f.Restart, isDocker) && facts.Docker.Active {
				b.addRestart(h, step, strings.TrimPrefix(string(step.ID), "host."))
				continue
			}
			b.add(step)
		}
	}
	if !slices.Contains(b.inv.Managers(), h.Name) {
		return
	}
	step, differs := filesStep(hostID(h.Name, "stackfiles"), h.Name, facts, b.want.stackFiles(), nil)
	if differs {
		// Nothing needs them soon, and installing Docker needs the disk.
		step.After = []ID{hostID(h.Name, "docker")}
		b.add(step)
	}
}

func filesStep(id ID, host string, facts state.Facts, files []HostFile, restart []string) (step Step, differs bool) {
	step = Step{ID: id, Host: host, Kind: Create}
	changed := files[:0:0]
	for _, f := range files {
		seen, exists := facts.Files[f.Path]
		reason := fileDiffers(f, seen, exists)
		if reason == "" {
			continue
		}
		if exists {
			step.Kind = Update
		}
		if step.Why == "" {
			step.Why = reason
		}
		changed = append(changed, f)
		step.Changes = append(step.Changes, Change{Path: f.Path, Before: fileLine(seen, exists), After: wantedLine(f)})
	}
	if len(changed) == 0 {
		return step, false
	}
	step.Summary = "write " + describeFiles(changed)
	if len(restart) > 0 {
		step.Disrupts = fmt.Sprintf("restarts %v on %s", restart, host)
		// The unit may be Docker's own, which must be there first.
		step.After = []ID{hostID(host, "docker")}
	}
	step.Action = PutFiles{Files: changed, Restart: restart}
	return step, true
}

func isDocker(unit string) bool { return strings.TrimSuffix(unit, ".service") == "docker" }

func describeFiles(files []HostFile) string {
	switch more := len(files) - 1; more {
	case 0:
		return files[0].Path
	case 1:
		return files[0].Path + " and one more file"
	default:
		return fmt.Sprintf("%s and %d more files", files[0].Path, more)
	}
}

func fileDiffers(want HostFile, seen state.File, exists bool) string {
	switch {
	case !exists:
		return want.Path + " is not there"
	case seen.SHA256 != sum(want.Content):
		return "content of " + want.Path + " differs"
	case !sameMode(seen.Mode, want.Mode):
		return fmt.Sprintf("mode of %s is %s, want %04o", want.Path, seen.Mode, want.Mode)
	case want.Owner != "" && seen.Owner != want.Owner:
		return fmt.Sprintf("owner of %s is %s, want %s", want.Path, seen.Owner, want.Owner)
	case want.Group != "" && seen.Group != want.Group:
		return fmt.Sprintf("group of %s is %s, want %s", want.Path, seen.Group, want.Group)
	}
	return ""
}

func sameMode(octal string, want fs.FileMode) bool {
	n, err := strconv.ParseUint(octal, 8, 32)
	return err == nil && fs.FileMode(n) == want
}

func fileLine(f state.File, exists bool) any {
	if !exists {
		return nil
	}
	return fmt.Sprintf("sha256 %.8s, mode %s, %s:%s", f.SHA256, f.Mode, f.Owner, f.Group)
}

func wantedLine(f HostFile) string {
	return fmt.Sprintf("sha256 %.8s, mode %o, %s:%s", sum(f.Content), f.Mode, f.Owner, f.Group)
}

func sum(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:])
}
