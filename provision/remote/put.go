package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/pkg/sftp"
)

// File is what a file on a host should be.
type File struct {
	Path    string // absolute
	Content []byte
	// Open yields the content instead of Content, for what is large. It is
	// called once to hash and, if the file must be sent, once to send.
	Open func() (io.ReadCloser, error)
	// Mode holds permission bits; zero is 0644.
	Mode fs.FileMode
	// Owner and Group are names or numbers. Empty, they are root's with
	// Sudo, and without it left to the login user. An Owner without a Group
	// brings the owner's own.
	Owner, Group string
	// Sudo writes as root.
	Sudo bool
	// Then are the words of a command that makes the host heed the file. It is
	// run also where the file is so already, since a Put that was cut off may not
	// have come to it. Where the file is written, the host itself goes on from the
	// one to the other: no end of this program or of the connection comes in between.
	Then []string
}

// ThenError says that the file is as it should be, and File.Then failed.
type ThenError struct{ Err error }

func (e *ThenError) Error() string { return e.Err.Error() }

func (e *ThenError) Unwrap() error { return e.Err }

// Put makes a file on the host what f says, and returns whether it had to. A
// file that is so already is not sent. Otherwise the content is written under a
// temporary name in the same folder, synced, given its mode and owner, checked
// by its SHA-256 and renamed: at no time is anything under f.Path but the old
// file or the new one. Missing folders are made, with mode 0755; what a killed
// run left behind of the same file is removed.
func (h *Host) Put(ctx context.Context, f File) (changed bool, err error) {
	want, err := f.want()
	if err != nil {
		return false, fmt.Errorf("%s: file %s: %w", h.Name(), f.Path, err)
	}
	unlock, err := h.paths.lock(ctx, f.Path)
	if err != nil {
		return false, fmt.Errorf("%s: file %s: %w", h.Name(), f.Path, err)
	}
	defer unlock()
	have, err := h.look(ctx, f)
	if err != nil {
		return false, err
	}
	want.own(have)
	if have.same(want) {
		return false, h.heed(ctx, f)
	}
	err = h.write(ctx, f, want, have)
	return err == nil, err
}

// Remove removes a file, and with it what killed runs left beside it. It
// returns whether there was one.
func (h *Host) Remove(ctx context.Context, path string, sudo bool) (removed bool, err error) {
	unlock, err := h.paths.lock(ctx, path)
	if err != nil {
		return false, fmt.Errorf("%s: removing %s: %w", h.Name(), path, err)
	}
	defer unlock()
	r, err := h.Run(ctx, Command{Script: removeFile, Argv: []string{path}, Sudo: sudo, Name: "removing " + path})
	return strings.TrimSpace(string(r.Stdout)) == "removed", err
}

const removeFile = `d=${1%/*} b=${1##*/}
rm -f -- "$d/.$b".rmqprov-*
if [ -e "$1" ] || [ -L "$1" ]; then rm -f -- "$1" && echo removed; fi`

// lookAtFile prints what is at $1, and the numbers of owner $2 and group $3. It
// also removes what a killed run has left.
const lookAtFile = `d=${1%/*} b=${1##*/}
if [ -n "$2" ]; then
	case $2 in
	*[!0-9]*) u=$(id -u -- "$2" 2>/dev/null) || { echo "there is no user $2 on this host" >&2; exit 66; } ;;
	*) u=$2 ;;
	esac
	g=$(id -g -- "$2" 2>/dev/null) || g=$u
	echo "uid $u"
fi
case $3 in
"") ;;
*[!0-9]*) g=$(getent group "$3" | cut -d: -f3); [ -n "$g" ] || { echo "there is no group $3 on this host" >&2; exit 66; } ;;
*) g=$3 ;;
esac
[ -n "$g" ] && echo "gid $g"
rm -f -- "$d/.$b".rmqprov-*
while [ -n "$d" ] && [ ! -d "$d" ]; do echo "missing $d"; d=${d%/*}; done
if [ -d "$1" ] && [ ! -L "$1" ]; then echo "it is a folder" >&2; exit 66
elif [ -f "$1" ] && [ ! -L "$1" ]; then stat -c 'file %a %u %g' -- "$1" && sha256sum <"$1"
fi`

// fileState is what a file is or should be.
type fileState struct {
	exists   bool
	mode     fs.FileMode
	uid, gid int // -1: not asked for
	sum      string
	missing  []string // folders, the outermost first
}

func (s fileState) same(want fileState) bool {
	return s.sameContent(want) && s.mode == want.mode && (want.uid < 0 || s.uid == want.uid) && (want.gid < 0 || s.gid == want.gid)
}

func (s fileState) sameContent(want fileState) bool { return s.exists && s.sum == want.sum }

// own takes the numbers of owner and group, which only the host knows.
func (s *fileState) own(have observed) { s.uid, s.gid = have.wantUID, have.wantGID }

// observed is what lookAtFile saw.
type observed struct {
	fileState
	wantUID, wantGID int
}

func (f File) want() (fileState, error) {
	if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" {
		return fileState{}, errors.New("its path must be absolute and without dot segments")
	}
	mode := f.Mode.Perm()
	if f.Mode == 0 {
		mode = 0o644
	}
	r, err := f.open()
	if err != nil {
		return fileState{}, err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return fileState{}, err
	}
	return fileState{exists: true, mode: mode, sum: hex.EncodeToString(sum.Sum(nil))}, nil
}

func (f File) open() (io.ReadCloser, error) {
	if f.Open != nil {
		return f.Open()
	}
	return io.NopCloser(bytes.NewReader(f.Content)), nil
}

func (f File) ownerAndGroup() (owner, group string) {
	if f.Sudo && f.Owner == "" && f.Group == "" {
		return "0", "0"
	}
	return f.Owner, f.Group
}

// look asks the host for the state of the file, in one round trip.
func (h *Host) look(ctx context.Context, f File) (observed, error) {
	owner, group := f.ownerAndGroup()
	r, err := h.Run(ctx, Command{Script: lookAtFile, Argv: []string{f.Path, owner, group}, Sudo: f.Sudo, Name: "looking at " + f.Path})
	if err != nil {
		return observed{}, err
	}
	o, err := parseLook(string(r.Stdout))
	if err != nil {
		return observed{}, fmt.Errorf("%s: looking at %s: %w", h.Name(), f.Path, err)
	}
	return o, nil
}

func parseLook(text string) (observed, error) {
	o := observed{wantUID: -1, wantGID: -1}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		key, rest, _ := strings.Cut(line, " ")
		var err error
		switch key {
		case "uid":
			o.wantUID, err = strconv.Atoi(rest)
		case "gid":
			o.wantGID, err = strconv.Atoi(rest)
		case "missing":
			o.missing = append([]string{rest}, o.missing...)
		case "file":
			o.exists = true
			_, err = fmt.Sscanf(rest, "%o %d %d", &o.mode, &o.uid, &o.gid)
		default:
			o.sum = key
		}
		if err != nil {
			return o, fmt.Errorf("%q: %w", line, err)
		}
	}
	return o, nil
}

// write sends the file, or only mode and owner when the content is the same.
func (h *Host) write(ctx context.Context, f File, want fileState, have observed) error {
	s, err := h.sftp(ctx, f.Sudo)
	if err != nil {
		return err
	}
	return s.during(ctx, "writing "+f.Path, func() error {
		if have.sameContent(want) && len(f.Then) == 0 {
			return refusedWrite(setAttributes(s.client, f.Path, want))
		}
		return refusedWrite(h.replace(ctx, s, f, want, have.missing))
	})
}

// refusedWrite says what OpenSSH's SFTP server, which has one word for many
// failures, may have meant by it.
func refusedWrite(err error) error {
	if status, ok := errors.AsType[*sftp.StatusError](err); ok && status.FxCode() == sftp.ErrSSHFxFailure {
		return fmt.Errorf("%w: is its disk full, or the file system read-only? Look there at `df -h` and `findmnt`; the file is as it was", err)
	}
	return err
}

func (h *Host) replace(ctx context.Context, s *sftpSession, f File, want fileState, missing []string) (err error) {
	if _, ok := s.client.HasExtension("posix-rename@openssh.com"); !ok {
		return errors.New("the host's SFTP server cannot replace a file in one step (posix-rename@openssh.com): install OpenSSH's sftp-server")
	}
	for _, folder := range missing {
		if err := makeFolder(s.client, folder); err != nil {
			return err
		}
	}
	temporary := path.Dir(f.Path) + "/." + path.Base(f.Path) + ".rmqprov-" + rand.Text()[:12]
	defer func() {
		if err != nil {
			s.client.Remove(temporary)
		}
	}()
	if err := send(s.client, temporary, f, want); err != nil {
		return err
	}
	if err := h.verify(ctx, temporary, f, want); err != nil {
		return err
	}
	if len(f.Then) > 0 {
		return h.renameAndHeed(ctx, temporary, f)
	}
	if err := s.client.PosixRename(temporary, f.Path); err != nil {
		return fmt.Errorf("renaming %s: %w", temporary, err)
	}
	return nil
}

// notRenamed is the exit status of renameAndHeed's script when the file is as it was.
const notRenamed = 66

const renameAndThen = `mv -fT -- "$1" "$2" || exit 66
shift 2
"$@"`

func (h *Host) renameAndHeed(ctx context.Context, temporary string, f File) error {
	_, err := h.Run(ctx, Command{Script: renameAndThen, Argv: append([]string{temporary, f.Path}, f.Then...), Sudo: f.Sudo,
		Name: "renaming " + temporary + ", and " + strings.Join(f.Then, " ")})
	if exit, ok := errors.AsType[*ExitError](err); ok && exit.Status != notRenamed {
		return &ThenError{err}
	}
	return err
}

// heed runs what is to follow a file that is as it should be.
func (h *Host) heed(ctx context.Context, f File) error {
	if len(f.Then) == 0 {
		return nil
	}
	_, err := h.Run(ctx, Command{Argv: f.Then, Sudo: f.Sudo})
	if _, ok := errors.AsType[*ExitError](err); ok {
		return &ThenError{err}
	}
	return err
}

func makeFolder(c *sftp.Client, folder string) error {
	if err := c.Mkdir(folder); err != nil {
		if info, statErr := c.Stat(folder); statErr == nil && info.IsDir() {
			return nil // another Put made it
		}
		return fmt.Errorf("making folder %s: %w", folder, err)
	}
	if err := c.Chmod(folder, 0o755); err != nil {
		return fmt.Errorf("folder %s: setting its mode: %w", folder, err)
	}
	return nil
}

// send writes the temporary file. It is closed to others before the first byte
// is in it, and opened as far as its mode says after the last.
func send(c *sftp.Client, name string, f File, want fileState) (err error) {
	content, err := f.open()
	if err != nil {
		return err
	}
	defer content.Close()
	out, err := c.OpenFile(name, createNew)
	if err != nil {
		return fmt.Errorf("creating %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := c.Chmod(name, 0o600); err != nil {
		return fmt.Errorf("%s: setting its mode: %w", name, err)
	}
	if _, err := out.ReadFrom(content); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := setAttributes(c, name, want); err != nil {
		return err
	}
	if _, ok := c.HasExtension("fsync@openssh.com"); !ok {
		return nil
	}
	if err := out.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", name, err)
	}
	return nil
}

// setAttributes sets the owner first: chown clears mode bits.
func setAttributes(c *sftp.Client, name string, want fileState) error {
	if want.uid >= 0 || want.gid >= 0 {
		info, err := c.Stat(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		uid, gid := want.uid, want.gid
		if have, ok := info.Sys().(*sftp.FileStat); ok {
			uid, gid = orCurrent(uid, have.UID), orCurrent(gid, have.GID)
		}
		if err := c.Chown(name, uid, gid); err != nil {
			return fmt.Errorf("%s: setting owner %d and group %d: %w", name, uid, gid, err)
		}
	}
	if err := c.Chmod(name, want.mode); err != nil {
		return fmt.Errorf("%s: setting mode %o: %w", name, want.mode, err)
	}
	return nil
}

func orCurrent(id int, current uint32) int {
	if id < 0 {
		return int(current)
	}
	return id
}

// verify compares what is on the host with what was to be sent.
func (h *Host) verify(ctx context.Context, name string, f File, want fileState) error {
	r, err := h.Run(ctx, Command{Script: `sha256sum <"$1"`, Argv: []string{name}, Sudo: f.Sudo, Name: "checking " + f.Path})
	if err != nil {
		return err
	}
	if sum, _, _ := strings.Cut(string(r.Stdout), " "); sum != want.sum {
		return fmt.Errorf("the host has %s after sending %s: is its disk full or failing?", sum, want.sum)
	}
	return nil
}
