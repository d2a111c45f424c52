package amzn

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

func mustRootfs(t *testing.T, line string) engine.Rootfs {
	t.Helper()
	r, err := rootfs(line)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLinesHaveRecipesOfTheirOwn(t *testing.T) {
	var mirror engine.Mirror
	seen := map[string]string{}
	for _, line := range Lines {
		hash := mustRootfs(t, line).Hash(mirror)
		if again := mustRootfs(t, line).Hash(mirror); again != hash {
			t.Errorf("%s: recipe hash %s, then %s", line, hash, again)
		}
		if other, found := seen[hash]; found {
			t.Errorf("%s and %s have the same recipe hash", line, other)
		}
		seen[hash] = line
	}
}

func TestUnknownLineNamesTheKnown(t *testing.T) {
	_, err := rootfs("amzn1")
	if err == nil || !strings.Contains(err.Error(), `"amzn1"`) || !strings.Contains(err.Error(), `"amzn2023" "amzn2"`) {
		t.Errorf("got %v", err)
	}
}

func TestModes(t *testing.T) {
	files := mustRootfs(t, "amzn2").Files
	for path, want := range map[string]os.FileMode{
		"/root/amzn/convert.sh":                                0o755,
		"/root/amzn/packages.sh":                               0o755,
		"/root/amzn/amzn2/usr/bin/yum":                         0o755,
		"/root/amzn/amzn2/usr/bin/amazon-linux-extras":         0o755,
		"/root/amzn/amzn2/etc/yum.repos.d/amzn2-core.repo":     0o644,
		"/root/amzn/docker/docker.service":                     0o644,
		"/root/amzn/common/etc/sudoers":                        0o644,
		"/root/amzn/amzn2023/usr/lib/os-release":               0o644,
		"/root/amzn/amzn2023/etc/yum.repos.d/amazonlinux.repo": 0o644,
	} {
		if f, found := files[path]; !found || f.Mode != want {
			t.Errorf("%s: mode %o, there: %t; want %o", path, f.Mode, found, want)
		}
	}
}

// A default file limit above what the machine allows would keep every container from starting.
func TestDockerLimitIsModest(t *testing.T) {
	const allowed = 20000 // the least that a machine under a lab was seen to allow
	content := mustRootfs(t, "amzn2023").Files["/root/amzn/docker/docker.sysconfig"].Content
	m := regexp.MustCompile(`(?m)^OPTIONS="--default-ulimit nofile=(\d+):(\d+)"$`).FindStringSubmatch(content)
	if m == nil {
		t.Fatalf("no default limit in:\n%s", content)
	}
	soft, _ := strconv.Atoi(m[1])
	hard, _ := strconv.Atoi(m[2])
	if soft > hard || hard > allowed {
		t.Errorf("nofile=%d:%d, want at most %d", soft, hard, allowed)
	}
}

func TestPackageLists(t *testing.T) {
	lists, err := filepath.Glob("recipe/*.list")
	if err != nil || len(lists) == 0 {
		t.Fatal(lists, err)
	}
	line := regexp.MustCompile(`^[a-z0-9-]+ (=[0-9.]+|[a-z0-9.+-]+)( (Provides|Conflicts):_\S+)*$`)
	for _, list := range lists {
		content, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		for text := range strings.Lines(string(content)) {
			if !line.MatchString(strings.TrimSuffix(text, "\n")) {
				t.Errorf("%s: %q is not NAME DEBIAN|=VERSION [TAG…]", list, text)
			}
		}
	}
}

func TestScriptsParse(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash on this machine")
	}
	for path, f := range mustRootfs(t, "amzn2").Files {
		if f.Mode != 0o755 {
			continue
		}
		cmd := exec.Command(bash, "-n")
		cmd.Stdin = strings.NewReader(f.Content)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}
