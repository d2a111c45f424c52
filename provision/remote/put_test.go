package remote

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// putHost returns a host whose sudo finds an SFTP server.
func putHost(t *testing.T) (*server, *Host) {
	t.Helper()
	s := newServer(t)
	s.standIn("sudo", fakeSudo)
	me, err := os.Executable()
	must(t, err)
	server := s.standIn("sftp-server", "#!/bin/sh\necho sftp >>"+s.bin+"/starts\nREMOTE_TEST_SFTP_SERVER=1 exec "+Quote(me)+"\n")
	h := s.host()
	h.sftpServers = []string{"/no/such/server", server}
	return s, h
}

func TestPut(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("sets owners")
	}
	for _, sudo := range []bool{false, true} {
		t.Run(map[bool]string{false: "as the user", true: "by sudo"}[sudo], func(t *testing.T) {
			checkLeaks(t)
			_, h := putHost(t)
			name := filepath.Join(t.TempDir(), "new folder", "sub", "it's.conf")
			steps := []struct {
				name    string
				file    File
				changed bool
			}{
				{"new", File{Content: []byte("one\n")}, true},
				{"same", File{Content: []byte("one\n")}, false},
				{"content", File{Content: []byte("two\n")}, true},
				{"mode", File{Content: []byte("two\n"), Mode: 0o600}, true},
				{"same mode", File{Content: []byte("two\n"), Mode: 0o600}, false},
				{"owner", File{Content: []byte("two\n"), Mode: 0o600, Owner: "daemon", Group: "daemon"}, true},
				{"same owner", File{Content: []byte("two\n"), Mode: 0o600, Owner: "daemon"}, false},
				{"by number", File{Content: []byte("two\n"), Mode: 0o600, Owner: "1", Group: "1"}, false},
				{"large", File{Content: bytes.Repeat([]byte("0123456789abcdef"), 100_000)}, true},
				{"empty", File{}, true},
				{"empty again", File{}, false},
			}
			for _, st := range steps {
				st.file.Path, st.file.Sudo = name, sudo
				changed, err := h.Put(t.Context(), st.file)
				if err != nil || changed != st.changed {
					t.Fatalf("%s: changed %v, %v", st.name, changed, err)
				}
				checkFile(t, st.file)
			}
			entries, err := os.ReadDir(filepath.Dir(name))
			if err != nil || len(entries) != 1 {
				t.Errorf("%v %v", entries, err)
			}
			info, err := os.Stat(filepath.Dir(name))
			if err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("%v %v", info.Mode(), err)
			}
		})
	}
}

func checkFile(t *testing.T, f File) {
	t.Helper()
	content, err := os.ReadFile(f.Path)
	must(t, err)
	info, err := os.Stat(f.Path)
	must(t, err)
	mode := f.Mode
	if mode == 0 {
		mode = 0o644
	}
	if !bytes.Equal(content, f.Content) || info.Mode() != mode {
		t.Errorf("%d bytes, mode %v", len(content), info.Mode())
	}
	if f.Owner != "" && info.Sys().(*syscall.Stat_t).Uid != 1 {
		t.Errorf("owner %d", info.Sys().(*syscall.Stat_t).Uid)
	}
}

func TestUnchangedFilesNeedNoSFTP(t *testing.T) {
	s, h := putHost(t)
	name := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(name, []byte("x"), 0o644))
	changed, err := h.Put(t.Context(), File{Path: name, Content: []byte("x"), Sudo: true, Owner: uid(), Group: gid()})
	if _, started := os.Stat(s.bin + "/starts"); err != nil || changed || started == nil {
		t.Errorf("changed %v, %v", changed, err)
	}
}

func TestPutKeepsTheOldFileWhenTheHostDies(t *testing.T) {
	t.Parallel()
	checkLeaks(t)
	s := newServer(t)
	h := s.host()
	h.sftpServers = []string{s.standIn("sftp-server", "#!/bin/sh\nexit 127\n")} // sshd has it built in
	dir := t.TempDir()
	name := filepath.Join(dir, "daemon.json")
	must(t, os.WriteFile(name, []byte("old"), 0o644))
	s.sftpBreak.Store(200_000)
	file := File{Path: name, Content: bytes.Repeat([]byte("new"), 300_000)}
	if _, err := h.Put(t.Context(), file); !IsTransient(err) {
		t.Fatalf("error %v", err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "old" {
		t.Fatalf("%q %v", text, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".daemon.json.rmqprov-*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("no temporary file to clean up: %v %v", left, err)
	}
	s.sftpBreak.Store(0)
	changed, err := h.Put(t.Context(), file)
	if err != nil || !changed {
		t.Fatal(err)
	}
	checkFile(t, file)
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}

// Secret content must not be readable before the file has its mode.
func TestPutWritesBehindAClosedMode(t *testing.T) {
	_, h := putHost(t)
	dir := t.TempDir()
	var modes []fs.FileMode
	opened := 0
	file := File{Path: filepath.Join(dir, "f"), Mode: 0o640, Open: func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(readerFunc(func(p []byte) (int, error) {
			if files, _ := filepath.Glob(dir + "/.f.rmqprov-*"); len(files) == 1 && opened == 2 {
				info, err := os.Stat(files[0])
				must(t, err)
				modes = append(modes, info.Mode())
			}
			return 0, io.EOF
		})), nil
	}}
	_, err := h.Put(t.Context(), file)
	must(t, err)
	if len(modes) != 1 || modes[0] != 0o600 {
		t.Errorf("modes while writing: %v", modes)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestPutRefusals(t *testing.T) {
	_, h := putHost(t)
	dir := t.TempDir()
	for _, tt := range []struct {
		name string
		file File
		want string
	}{
		{"relative", File{Path: "etc/x"}, "must be absolute"},
		{"dots", File{Path: "/etc/../x"}, "must be absolute"},
		{"folder", File{Path: dir}, "it is a folder"},
		{"no such user", File{Path: dir + "/x", Owner: "nobody-here"}, "there is no user nobody-here on this host"},
		{"no such group", File{Path: dir + "/x", Group: "nobody-here"}, "there is no group nobody-here on this host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := h.Put(t.Context(), tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Error(err)
			}
		})
	}
}

func TestPutWithoutAnSFTPServer(t *testing.T) {
	if _, err := os.Stat("/etc/ssh/sshd_config"); err == nil {
		t.Skip("this machine has one")
	}
	_, h := putHost(t)
	h.sftpServers = []string{"/no/such/server"}
	if _, err := h.Put(t.Context(), File{Path: t.TempDir() + "/x", Sudo: true}); err == nil || !strings.Contains(err.Error(), "no sftp-server on this host") {
		t.Error(err)
	}
}

func TestPutBearsWithNoise(t *testing.T) {
	s, h := putHost(t)
	s.noise = "Welcome!"
	file := File{Path: filepath.Join(t.TempDir(), "f"), Content: []byte("x")}
	if _, err := h.Put(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	checkFile(t, file)
}

func TestRemove(t *testing.T) {
	_, h := putHost(t)
	name := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(name, nil, 0o644))
	for _, want := range []bool{true, false} {
		if removed, err := h.Remove(t.Context(), name, true); err != nil || removed != want {
			t.Errorf("removed %v, %v", removed, err)
		}
	}
}

func uid() string { return strconv.Itoa(os.Getuid()) }
func gid() string { return strconv.Itoa(os.Getgid()) }

// What a file is written for comes about: in every case, and told apart where it fails.
func TestPutThen(t *testing.T) {
	checkLeaks(t)
	_, h := putHost(t)
	name, mark := filepath.Join(t.TempDir(), "daemon.json"), filepath.Join(t.TempDir(), "mark")
	heeded := []string{"sh", "-c", `cat "$0" >>"$1"`, name, mark}
	for _, tt := range []struct {
		content string
		then    []string
		heeded  string // so far
		fails   string
	}{
		{"one ", heeded, "one ", ""},
		{"one ", heeded, "one one ", ""}, // an earlier Put may not have come to it
		{"two ", heeded, "one one two ", ""},
		{"bad ", []string{"sh", "-c", "echo no such key >&2; exit 1"}, "one one two ", "exit status 1: no such key"},
		{"bad ", []string{"sh", "-c", "echo no such key >&2; exit 1"}, "one one two ", "exit status 1: no such key"},
	} {
		_, err := h.Put(t.Context(), File{Path: name, Content: []byte(tt.content), Then: tt.then, Sudo: true, Owner: uid(), Group: gid()})
		failed, ok := errors.AsType[*ThenError](err)
		if ok != (tt.fails != "") || ok && !strings.Contains(failed.Error(), tt.fails) || !ok && err != nil {
			t.Errorf("%q: %v", tt.content, err)
		}
		if text, err := os.ReadFile(name); err != nil || string(text) != tt.content {
			t.Errorf("the file is %q, want %q: %v", text, tt.content, err)
		}
		if text, err := os.ReadFile(mark); err != nil || string(text) != tt.heeded {
			t.Errorf("heeded %q, want %q: %v", text, tt.heeded, err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(name)); err != nil || len(entries) != 1 {
		t.Errorf("left: %v %v", entries, err)
	}
}

// A connection that is lost as soon as the file is there keeps nothing from following.
func TestPutThenOfALostConnection(t *testing.T) {
	checkLeaks(t)
	s, h := putHost(t)
	dir := t.TempDir()
	name, there, goOn, done := filepath.Join(dir, "f"), filepath.Join(dir, "there"), filepath.Join(dir, "go on"), filepath.Join(dir, "done")
	for _, pipe := range []string{there, goOn, done} {
		must(t, syscall.Mkfifo(pipe, 0o600))
	}
	ended := make(chan error, 1)
	go func() {
		_, err := h.Put(t.Context(), File{Path: name, Content: []byte("x"), Sudo: true, Owner: uid(), Group: gid(),
			Then: []string{"sh", "-c", `cat "$0" >"$1"; read -r _ <"$2"; echo heeded >"$3"`, name, there, goOn, done}})
		ended <- err
		if f, err := os.OpenFile(there, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil { // it never came to that
			f.Close()
		}
	}()
	if text, err := os.ReadFile(there); err != nil || string(text) != "x" {
		t.Fatalf("%q %v %v", text, err, <-ended)
	}
	s.drop()
	if err := <-ended; !IsTransient(err) {
		t.Errorf("error %v", err)
	}
	must(t, os.WriteFile(goOn, []byte("\n"), 0))
	if text, err := os.ReadFile(done); err != nil || string(text) != "heeded\n" {
		t.Errorf("%q %v", text, err)
	}
}
