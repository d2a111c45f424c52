package images

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

// suite is apt for one Debian release, with lists, downloads and settings of its own, apart
// from the machine's.
type suite struct {
	name string
	dir  string
	// lock lets one apt at a time work in the directory, among all processes.
	lock func() (unlock func(), err error)
	// update brings the package lists up to date, once a process.
	update func() error
}

func newSuite(ctx context.Context, e *engine.Engine, dir, name string, m engine.Mirror) *suite {
	s := &suite{name: name, dir: filepath.Join(dir, name)}
	s.lock = func() (func(), error) { return e.Lock("apt-" + name) }
	s.update = sync.OnceValue(func() error {
		if err := s.writeConfig(m); err != nil {
			return err
		}
		_, err := s.apt(ctx, s.dir, "update")
		return err
	})
	return s
}

func (s *suite) archives() string { return filepath.Join(s.dir, "archives") }

// none is an archive directory that stays empty: of packages that are downloaded, apt prints nothing.
func (s *suite) none() string { return filepath.Join(s.dir, "none") }

// writeConfig lays out the directories and the one configuration file that apt reads.
func (s *suite) writeConfig(m engine.Mirror) error {
	for _, d := range []string{"etc", "lists/partial", "archives/partial", "none/partial"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o755); err != nil {
			return err
		}
	}
	config := m.AptConf() + fmt.Sprintf(`
Dir::Etc %q;
Dir::Etc::parts "none";
Dir::State %q;
Dir::State::lists "lists";
Dir::State::status %q;
Dir::Cache %q;
Dir::Cache::archives "archives";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Acquire::Retries "3";
`, filepath.Join(s.dir, "etc"), s.dir, filepath.Join(s.dir, "status"), s.dir)
	files := map[string]string{
		"apt.conf": config,
		"status":   "", // nothing is installed, so every dependency is named
		"etc/sources.list": fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n",
			m.Archive, s.name),
	}
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// apt runs apt-get in a directory, where its download command puts files.
func (s *suite) apt(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet=2", "--yes"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(s.dir, "apt.conf"), "LC_ALL=C.UTF-8")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("apt-get %s for Debian %s: %w:\n%s", strings.Join(args, " "), s.name, err, strings.TrimSpace(stderr.String()))
	}
	return out.String(), nil
}

// fetch downloads packages with all they depend on, and returns the files of those that are
// not in without or depended on by it.
func (s *suite) fetch(ctx context.Context, packages, without []string) ([]string, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.update(); err != nil {
		return nil, err
	}
	have, err := s.closure(ctx, without)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(without, packages)
	want, err := s.closure(ctx, all)
	if err != nil {
		return nil, err
	}
	if _, err := s.apt(ctx, s.dir, append([]string{"install", "--download-only"}, all...)...); err != nil {
		return nil, err
	}
	want = slices.DeleteFunc(want, func(f string) bool { return slices.Contains(have, f) })
	return s.paths(want), nil
}

// fetchAlone downloads packages without what they depend on.
func (s *suite) fetchAlone(ctx context.Context, packages []string) ([]string, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.update(); err != nil {
		return nil, err
	}
	out, err := s.apt(ctx, s.none(), append([]string{"download", "--print-uris"}, packages...)...)
	if err != nil {
		return nil, err
	}
	if _, err := s.apt(ctx, s.archives(), append([]string{"download"}, packages...)...); err != nil {
		return nil, err
	}
	return s.paths(fileNames(out)), nil
}

// closure names the files of packages and all they depend on.
func (s *suite) closure(ctx context.Context, packages []string) ([]string, error) {
	if len(packages) == 0 {
		return nil, nil
	}
	args := []string{"-o", "Dir::Cache::archives=" + s.none(), "install", "--print-uris"}
	out, err := s.apt(ctx, s.dir, append(args, packages...)...)
	return fileNames(out), err
}

func (s *suite) paths(names []string) []string {
	var paths []string
	for _, n := range names {
		paths = append(paths, filepath.Join(s.archives(), n))
	}
	return paths
}

// fileNames reads apt's --print-uris: a line a package, 'URI' FILE SIZE HASH.
func fileNames(out string) []string {
	var names []string
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) >= 2 && strings.HasPrefix(line, "'") {
			names = append(names, fields[1])
		}
	}
	return names
}

// dropped are packages that only package scripts and package management need, or that nothing
// in an image calls.
var dropped = []string{
	"adduser", "debconf", "dpkg", "gcc-*-base", "init-system-helpers", "libaudit*", "libdb5.3*", "libdebconfclient0",
	"libpam*", "libsemanage*", "libsepol*", "libwrap0", "login.defs", "logrotate", "lsb-base", "media-types",
	"openssl-provider-legacy", "passwd", "perl*", "libperl*", "lib*-perl", "cron*", "sensible-utils", "usrmerge",
	"socat", "sysvinit-utils", "tzdata",
}

// isDropped reports whether a package's file ("dpkg_1.22_amd64.deb") is matched by patterns.
func isDropped(file string, patterns []string) bool {
	pkg, _, _ := strings.Cut(filepath.Base(file), "_")
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := filepath.Match(p, pkg)
		return ok
	})
}
