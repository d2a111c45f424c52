package remote

import (
	"context"
	"strings"
)

// sudoChoice remembers for a connection whether sudo asks for a password.
type sudoChoice struct {
	password string
	gate     gate
	known    bool
	asks     bool
}

// asksPassword tells whether sudo wants the password, and checks it. The
// password goes in once and then stdin ends: with a wrong one sudo would
// otherwise take what follows for two more tries, and pam_faillock might lock
// the user out.
const asksPassword = `if sudo -k -n -- sh -c : 2>/dev/null </dev/null
then echo no
else sudo -k -S -p "" -- sh -c "echo yes"
fi`

// sudoWords returns the words before a command that make it run as root, and
// whether the password must come first on its stdin.
func (c *connection) sudoWords(ctx context.Context) ([]string, bool, error) {
	if c.user == "root" {
		return nil, false, nil
	}
	if c.sudo.password == "" {
		return []string{"sudo", "-n", "--"}, false, nil
	}
	asks, err := c.sudoAsks(ctx)
	if err != nil {
		return nil, false, err
	}
	if !asks {
		return []string{"sudo", "-n", "--"}, false, nil
	}
	// -k: with a cached ticket sudo would not read the password that is sent.
	return []string{"sudo", "-k", "-S", "-p", "", "--"}, true, nil
}

func (c *connection) sudoAsks(ctx context.Context) (bool, error) {
	if err := c.sudo.gate.enter(ctx); err != nil {
		return false, err
	}
	defer c.sudo.gate.leave()
	if c.sudo.known {
		return c.sudo.asks, nil
	}
	probe := Command{Script: asksPassword, Stdin: strings.NewReader(c.sudo.password + "\n"), Name: "asking sudo"}
	l, err := c.prepare(ctx, probe)
	if err != nil {
		return false, err
	}
	p, err := c.begin(ctx, l)
	if err != nil {
		return false, err
	}
	defer p.close()
	result, err := p.run(ctx, probe)
	if result.Status != 0 {
		return false, sudoError(c.who, tail(result.Stderr))
	}
	if err != nil {
		return false, err
	}
	c.sudo.known, c.sudo.asks = true, strings.TrimSpace(string(result.Stdout)) == "yes"
	return c.sudo.asks, nil
}

// terminateGroups sends SIGTERM to the process groups that have $token in a
// command line. Its own shell has not: the script comes by stdin.
const terminateGroups = `for f in $(grep -alF -e "$token" /proc/[0-9]*/cmdline 2>/dev/null); do
	read -r _ _ _ _ group _ 2>/dev/null <"${f%cmdline}stat" && kill -TERM "-$group" 2>/dev/null
done`

// terminate sends SIGTERM to the processes of the command with that token.
func (c *connection) terminate(ctx context.Context, token string, sudo bool) {
	cmd := Command{Script: "token=" + token + "\n" + terminateGroups, Sudo: sudo, Name: "stopping a command"}
	l, err := c.prepare(ctx, cmd)
	if err != nil {
		return
	}
	// Not through a slot: when all are taken it is just what frees one.
	ch, requests, err := c.openChannel(ctx)
	if err != nil {
		return
	}
	p, err := c.follow(&session{ch, requests, func() {}}, l, "exec", l.line)
	if err != nil {
		return
	}
	p.run(ctx, cmd)
}

// sudoRefusals maps what sudo says to what it means and what to do.
var sudoRefusals = []struct{ says, reason, advice string }{
	{"a password is required", "it asks for a password and none is given",
		"Give the sudo password, or let the user run it without one (NOPASSWD in /etc/sudoers.d)"},
	{"a terminal is required", "it asks for a password and none is given",
		"Give the sudo password, or let the user run it without one (NOPASSWD in /etc/sudoers.d)"},
	{"not in the sudoers", "the user may not use it", "Add the user to sudoers, or log in as one who is there"},
	{"is not allowed to", "the user may not run commands as root", "Allow it in sudoers, or log in as another user"},
	{"may not run sudo", "the user may not use it", "Add the user to sudoers, or log in as one who is there"},
	{"must have a tty", "its configuration wants a terminal", "Take requiretty out of sudoers for this user"},
	{"ncorrect password", "the password is wrong", "Correct the sudo password"},
	{"incorrect authentication", "the password is wrong", "Correct the sudo password"},
	{"no password was provided", "the password is wrong", "Correct the sudo password"},
	{"try again", "the password is wrong", "Correct the sudo password"},
	{"not found", "it is not installed", "Install sudo, or log in as root"},
	{"No such file", "it is not installed", "Install sudo, or log in as root"},
}

func sudoError(who, said string) error {
	e := &SudoError{Who: who, Reason: "it did not run the command", Stderr: strings.ReplaceAll(said, "\n", "; "), Advice: "Try the same by hand: ssh there and run `sudo -n true`. Is this the right user, and is its login shell a POSIX sh?"}
	for _, r := range sudoRefusals {
		if strings.Contains(said, r.says) {
			e.Reason, e.Advice = r.reason, r.advice
			break
		}
	}
	return e
}
