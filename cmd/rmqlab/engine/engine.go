// Package engine is the lab's own Docker engine: a dockerd and a containerd with their
// own data, sockets and state, beside whatever engine the machine may already run.
//
// The engine never touches the machine's iptables through Docker (it runs with
// --iptables=false), because a second dockerd would flush the chains of the first.
// Who needs NAT for a lab network adds it under names of the lab's own.
package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Engine is a running Docker engine that belongs to the lab.
type Engine struct {
	Socket string    // path of the Docker API's unix socket
	Cache  string    // directory that holds images, volumes and logs; safe to delete when the engine is stopped
	Log    io.Writer // where steps are reported, a line each

	docker  string // path of the docker client
	run     string // directory of sockets and pid files, gone after a reboot
	started time.Time
	mu      sync.Mutex
}

// Options says where an engine lives and where it reports. The zero value is the default lab.
type Options struct {
	Cache string    // default: $RMQLAB_CACHE, else the user's cache directory + /rmqlab
	Log   io.Writer // default: standard error
}

// Start returns the lab's engine, installing and starting what is missing. It is idempotent,
// and safe to call from several processes at once. The engine outlives the process.
func Start(ctx context.Context, o Options) (*Engine, error) {
	e, err := open(o)
	if err != nil {
		return nil, err
	}
	if e.Answers(ctx) {
		e.docker, err = findDocker()
		return e, err
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("the lab needs root, to start a Docker engine of its own: run it as root or with sudo")
	}
	unlock, err := e.Lock("engine")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := e.install(ctx); err != nil {
		return nil, err
	}
	if e.docker, err = findDocker(); err != nil {
		return nil, err
	}
	if e.Answers(ctx) { // another process was faster
		return e, nil
	}
	return e, e.boot(ctx)
}

// ErrNotRunning says that the engine does not answer.
var ErrNotRunning = errors.New("the lab's engine is not running; `rmqlab up` starts it")

// Connect returns the lab's engine if it runs, and ErrNotRunning otherwise. It changes nothing.
func Connect(ctx context.Context, o Options) (*Engine, error) {
	e, err := open(o)
	if err != nil {
		return nil, err
	}
	if !e.Answers(ctx) {
		return nil, ErrNotRunning
	}
	e.docker, err = findDocker()
	return e, err
}

// WasUsed reports whether an engine has ever run in that cache.
func WasUsed(o Options) (bool, error) {
	dir, err := cacheDir(o.Cache)
	if err != nil {
		return false, err
	}
	_, err = os.Stat(filepath.Join(dir, "docker"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func open(o Options) (*Engine, error) {
	cache, err := cacheDir(o.Cache)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = os.Stderr
	}
	// Unix socket paths end at 108 bytes, so the sockets live in a short place keyed by the cache.
	sum := sha256.Sum256([]byte(cache))
	run := filepath.Join("/run/rmqlab", hex.EncodeToString(sum[:4]))
	return &Engine{Socket: filepath.Join(run, "docker.sock"), Cache: cache, Log: o.Log, run: run, started: time.Now()}, nil
}

func cacheDir(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv("RMQLAB_CACHE")
	}
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			user = "/var/cache"
		}
		dir = filepath.Join(user, "rmqlab")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the lab's cache: %w", err)
	}
	return dir, nil
}

// Say reports a step to the engine's log, with the time since the engine was opened.
func (e *Engine) Say(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fmt.Fprintf(e.Log, "[%6.1fs] %s\n", time.Since(e.started).Seconds(), fmt.Sprintf(format, args...))
}

// Lock takes the lock of that name among all processes that use this cache, waiting for it.
// The kernel frees it when the process ends.
func (e *Engine) Lock(name string) (unlock func(), err error) {
	dir := filepath.Join(e.Cache, "locks")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "_")), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("waiting for the lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}

// Answers reports whether the engine's API answers.
func (e *Engine) Answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", e.Socket)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/_ping", nil)
	if err != nil {
		return false
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (e *Engine) boot(ctx context.Context) error {
	if err := os.MkdirAll(e.run, 0o711); err != nil {
		return fmt.Errorf("making the engine's run directory: %w", err)
	}
	e.Say("starting the lab's Docker engine (data in %s)", e.Cache)
	e.warnOfOverlay()
	socket := filepath.Join(e.run, "containerd.sock")
	config, err := e.containerdConfig(socket)
	if err != nil {
		return err
	}
	if err := e.daemon(ctx, "containerd", []string{"--config", config}, func() bool { return dials(socket) }); err != nil {
		return err
	}
	return e.daemon(ctx, "dockerd", []string{
		"--host", "unix://" + e.Socket,
		"--containerd", socket,
		"--data-root", filepath.Join(e.Cache, "docker"),
		"--exec-root", filepath.Join(e.run, "exec"),
		"--pidfile", filepath.Join(e.run, "docker.pid"),
		"--config-file", filepath.Join(e.run, "no-daemon.json"),
		"--bridge", "none",
		"--iptables=false", "--ip6tables=false", "--ip-masq=false",
		"--log-level", "warn",
	}, func() bool { return e.Answers(ctx) })
}

// warnOfOverlay says why everything is slow where it will be.
func (e *Engine) warnOfOverlay() {
	var cache unix.Statfs_t
	if unix.Statfs(e.Cache, &cache) == nil && cache.Type == unix.OVERLAYFS_SUPER_MAGIC {
		e.Say("warning: %s is on overlayfs, where Docker has to copy whole images: set RMQLAB_CACHE to a directory on a disk", e.Cache)
	}
}

func (e *Engine) containerdConfig(socket string) (string, error) {
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = %q
`, filepath.Join(e.Cache, "containerd"), filepath.Join(e.run, "containerd"), socket)
	path := filepath.Join(e.run, "containerd.toml")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return "", err
	}
	// dockerd wants an explicit --config-file to exist; without it, it would read the machine's own.
	return path, os.WriteFile(filepath.Join(e.run, "no-daemon.json"), []byte("{}\n"), 0o644)
}

func dials(socket string) bool {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// daemon starts a process in its own session, so that it survives ours, and waits until ready.
// A daemon that is already ready is left as it is.
func (e *Engine) daemon(ctx context.Context, name string, args []string, ready func() bool) error {
	if ready() {
		return nil
	}
	pidFile := filepath.Join(e.run, name+".rmqlab.pid")
	if err := endStale(pidFile, name); err != nil {
		return err
	}
	if name == "dockerd" { // it refuses to start beside a pid file, even one whose pid is now someone else's
		os.Remove(filepath.Join(e.run, "docker.pid"))
	}
	logPath := filepath.Join(e.Cache, name+".log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return awaitReady(ctx, name, logPath, ended, ready)
}

func awaitReady(ctx context.Context, name, logPath string, ended <-chan error, ready func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(90 * time.Second)
	for {
		select {
		case <-tick.C:
			if ready() {
				return nil
			}
		case err := <-ended:
			return fmt.Errorf("%s ended at once (%v); the end of %s:\n%s", name, err, logPath, tail(logPath))
		case <-limit:
			return fmt.Errorf("%s does not answer after 90 s; the end of %s:\n%s", name, logPath, tail(logPath))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-12):], []byte("\n")))
}

// Stop ends the engine and all containers in it. Images and volumes stay in the cache.
func Stop(ctx context.Context, o Options) error {
	e, err := open(o)
	if err != nil {
		return err
	}
	unlock, err := e.Lock("engine")
	if err != nil {
		return err
	}
	defer unlock()
	e.Say("stopping the lab's Docker engine")
	for _, name := range []string{"dockerd", "containerd"} {
		if err := endStale(filepath.Join(e.run, name+".rmqlab.pid"), name); err != nil {
			return err
		}
	}
	return nil
}

// endStale ends the process that a pid file names, if it still is a process of that name.
func endStale(pidFile, name string) error {
	b, err := os.ReadFile(pidFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer os.Remove(pidFile)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || !isProcess(pid, name) {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending %s (pid %d): %w", name, pid, err)
	}
	for range 300 {
		if !isProcess(pid, name) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s (pid %d) did not end within 30 s of SIGTERM; look at it, then kill it by its pid", name, pid)
}

func isProcess(pid int, name string) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// "pid (comm) state …"; a zombie has ended.
	_, rest, found := strings.Cut(string(stat), "("+name+") ")
	return found && !strings.HasPrefix(rest, "Z")
}
