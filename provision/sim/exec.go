package sim

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Kind is what a command is for.
type Kind string

// The kinds of command that a host knows.
const (
	AskFacts  Kind = "facts"
	AskDocker Kind = "docker"
	AskSFTP   Kind = "sftp"
	LookAt    Kind = "look" // before a file is written
	Stop      Kind = "stop" // ends a command that runs too long
	Other     Kind = "other"
)

// Call is a command that a host was sent. Stdin is read up to where the
// command itself, not its shell, would begin to read.
type Call struct {
	Kind   Kind
	Script string
	Mark   string // what the command's output begins with
	Stdin  io.Reader
	ssh.Channel
	gone chan struct{}
}

// Say prints the mark and then text.
func (c Call) Say(text string) { io.WriteString(c.Channel, c.Mark+text) }

// Exit ends the command with a status.
func (c Call) Exit(status int) {
	c.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(status)))
	c.Channel.Close()
}

// Hang says nothing more until the client has closed the channel.
func (c Call) Hang() { <-c.gone }

func (h *Host) session(n ssh.NewChannel) {
	ch, requests, err := n.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	r, ok := <-requests
	if !ok {
		return
	}
	gone := make(chan struct{})
	h.serving.Go(func() { answerAlive(requests); close(gone) })
	if r.Type != "exec" {
		return
	}
	var m struct{ Line string }
	if ssh.Unmarshal(r.Payload, &m) != nil {
		return
	}
	call := read(m.Line, ch)
	call.gone = gone
	h.mu.Lock()
	h.asked[call.Kind]++
	h.mu.Unlock()
	if h.Exec != nil && h.Exec(call) {
		return
	}
	io.WriteString(ch, h.Noise)
	h.answer(call)
}

var token = regexp.MustCompile(`rmqprov-[A-Za-z0-9_-]{12}`)

// read finds out what a command line and its script are for.
func read(line string, ch ssh.Channel) Call {
	c := Call{Kind: Other, Channel: ch, Stdin: ch}
	if t := token.FindString(line); t != "" {
		c.Mark = "\x1e" + t + "\x1e"
	}
	switch {
	case strings.Contains(line, "dial-stdio"):
		c.Kind = AskDocker
		return c
	case strings.Contains(line, "base64 -d"): // the caller's stdin follows
		in := bufio.NewReader(ch)
		first, _ := in.ReadString('\n')
		text, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(first))
		c.Script, c.Stdin = string(text), in
	case strings.Contains(line, `eval "$(cat)"`):
		text, _ := io.ReadAll(ch)
		c.Script = string(text)
	}
	switch {
	case strings.Contains(c.Script, "rmqprov-facts-begin"):
		c.Kind = AskFacts
	case strings.Contains(c.Script, "sftp-server"):
		c.Kind = AskSFTP
	case strings.Contains(c.Script, "kill -TERM"):
		c.Kind = Stop
	case strings.Contains(c.Script, "stat -c 'file"):
		c.Kind = LookAt
	}
	return c
}

func (h *Host) answer(c Call) {
	switch c.Kind {
	case AskFacts:
		c.Say(h.Facts.String())
	case AskDocker:
		if h.Engine == nil {
			c.Say("")
			io.WriteString(c.Stderr(), "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n")
			c.Exit(1)
			return
		}
		c.Say("")
		h.Engine.serve(c)
	case AskSFTP:
		c.Say("")
		h.sftp(c)
	case LookAt:
		c.Say("uid 0\ngid 0\n")
	default:
		c.Say("")
	}
	c.Exit(0)
}

// sftp serves files that are forgotten.
func (h *Host) sftp(c Call) {
	handlers := sftp.InMemHandler()
	if h.WriteError != nil {
		handlers.FilePut = noWrites{handlers.FilePut, h.WriteError}
	}
	if h.OpenError != nil {
		handlers.FilePut = noFiles{h.OpenError}
	}
	server := sftp.NewRequestServer(pipe{c.Stdin, c.Channel}, handlers)
	server.Serve()
}

// pipe is a channel whose first bytes were read already.
type pipe struct {
	io.Reader
	io.WriteCloser
}

// noWrites opens files for which there is no room.
type noWrites struct {
	sftp.FileWriter
	err error
}

func (n noWrites) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	_, err := n.FileWriter.Filewrite(r)
	return n, err
}

// noFiles opens none.
type noFiles struct{ err error }

func (n noFiles) Filewrite(*sftp.Request) (io.WriterAt, error) { return nil, n.err }

func (n noWrites) WriteAt([]byte, int64) (int, error) { return 0, n.err }

// Facts is what a host's facts script says.
type Facts struct {
	Hostname string
	Address  string // "192.0.2.1/24"
	Clock    int64  // seconds since 1970; 0: the true time
	Docker   bool
	Daemon   string // content of daemon.json, "" for none
}

// String is the script's whole answer.
func (f Facts) String() string {
	unit := "not-found none inactive"
	if f.Docker {
		unit = "loaded enabled active"
	}
	address, _, _ := strings.Cut(f.Address, "/")
	return fmt.Sprintf("rmqprov-facts-begin\nos.id\tdebian\nos.version\t13\nos.like\t\nos.pretty\tDebian GNU/Linux 13 (trixie)\n"+
		"arch\tx86_64\nhostname\t%s\nclock\t%d\naddress\t%s\ndefault\t%s\nresolver\t192.0.2.2\nmemory\t4194304\ndisk\t20971520\ndocker\t%s\n%srmqprov-facts-end\n",
		f.Hostname, f.clock(), f.Address, address, unit, f.daemon())
}

func (f Facts) daemon() string {
	if f.Daemon == "" {
		return ""
	}
	const path = "/etc/docker/daemon.json"
	return fmt.Sprintf("sum\t%s %s\nfile\t644 root root %s\ncontent\t%s %s\n", strings.Repeat("0", 64), path, path, base64.StdEncoding.EncodeToString([]byte(f.Daemon)), path)
}
