package cloud

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Console is what an instance printed of its host keys when it first booted.
type Console struct {
	Keys         []ssh.PublicKey // each once
	Fingerprints []string        // "SHA256:…", or MD5 as "aa:bb:…" by old systems
	// Finished says that cloud-init has ended, so that what is not there will
	// not come.
	Finished bool
}

// Has says whether a key is one that the console shows, itself or by its
// fingerprint. An MD5 fingerprint proves nothing where the console has others.
func (c Console) Has(key ssh.PublicKey) bool {
	if slices.ContainsFunc(c.Keys, func(have ssh.PublicKey) bool { return same(have, key) }) {
		return true
	}
	if len(c.Keys) > 0 {
		return false
	}
	return slices.Contains(c.Fingerprints, ssh.FingerprintSHA256(key)) || slices.Contains(c.Fingerprints, ssh.FingerprintLegacyMD5(key))
}

func same(a, b ssh.PublicKey) bool { return string(a.Marshal()) == string(b.Marshal()) }

const (
	keysBegin   = "-----BEGIN SSH HOST KEY KEYS-----"
	keysEnd     = "-----END SSH HOST KEY KEYS-----"
	printsBegin = "-----BEGIN SSH HOST KEY FINGERPRINTS-----"
	printsEnd   = "-----END SSH HOST KEY FINGERPRINTS-----"
)

var (
	keyText   = regexp.MustCompile(`(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)) +AAAA[A-Za-z0-9+/]+=*`)
	printText = regexp.MustCompile(`\b[0-9]{3,5} +(?:(SHA256:[A-Za-z0-9+/]{43})|(?:MD5:)?((?:[0-9a-f]{2}:){15}[0-9a-f]{2}))(?:[ \r\n]|$)`)
	finished  = regexp.MustCompile(`(?i)cloud-init\b.*\bfinished\b`)
)

// ParseConsole reads a console's text. Only what stands between cloud-init's
// marks counts: it prints the fingerprints of the keys that may log in, too.
// Lines may start with a time, a priority, "ec2: " or "cloud-init: "; one that
// another message has cut into is passed over.
//
// Its error says that the console shows two keys of one type: then somebody
// else may have written to it, and none is to be believed.
func ParseConsole(text string) (Console, error) {
	var c Console
	inside := ""
	for line := range strings.Lines(text) {
		switch {
		case strings.Contains(line, keysBegin):
			inside = keysEnd
		case strings.Contains(line, printsBegin):
			inside = printsEnd
		case inside != "" && strings.Contains(line, inside):
			inside = ""
		case inside == keysEnd:
			c.addKey(line)
		case inside == printsEnd:
			c.addPrint(line)
		}
	}
	c.Finished = finished.MatchString(text)
	return c, c.contradiction()
}

func (c *Console) addKey(line string) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(keyText.FindString(line)))
	if err == nil && !slices.ContainsFunc(c.Keys, func(have ssh.PublicKey) bool { return same(have, key) }) {
		c.Keys = append(c.Keys, key)
	}
}

func (c *Console) addPrint(line string) {
	m := printText.FindStringSubmatch(line)
	if m == nil {
		return
	}
	if print := m[1] + m[2]; !slices.Contains(c.Fingerprints, print) {
		c.Fingerprints = append(c.Fingerprints, print)
	}
}

func (c *Console) contradiction() error {
	types := map[string]ssh.PublicKey{}
	for _, k := range c.Keys {
		if other, ok := types[k.Type()]; ok {
			return fmt.Errorf("it shows two %s host keys, %s and %s", k.Type(), ssh.FingerprintSHA256(other), ssh.FingerprintSHA256(k))
		}
		types[k.Type()] = k
	}
	return nil
}

// errNoKeys says that a console has been printed and has no host keys.
var errNoKeys = errors.New("cloud-init has ended and printed no host keys (ssh: emit_keys_on_console: false, or a system without cloud-init)")

// usable says whether a console has what host keys can be pinned by: the keys,
// or fingerprints once no keys will follow. Neither is an error while
// cloud-init may still print them.
func (c Console) usable() (bool, error) {
	if len(c.Keys) > 0 || c.Finished && len(c.Fingerprints) > 0 {
		return true, nil
	}
	if c.Finished {
		return false, errNoKeys
	}
	return false, nil
}
