package remote

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// knownLine is a line of a known_hosts file.
type knownLine struct {
	file    string
	line    int
	marker  string // "", "cert-authority" or "revoked"
	pattern []string
	key     ssh.PublicKey
}

// readKnownHosts reads the files that exist. A line that cannot be read is
// passed over, as OpenSSH does: one old key type must not make a whole file
// worthless. (The knownhosts package of x/crypto gives up on the file.)
func readKnownHosts(files []string) ([]knownLine, error) {
	if len(files) == 1 {
		return knownFiles.read(files[0])
	}
	var lines []knownLine
	for _, file := range files {
		more, err := knownFiles.read(file)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

// knownFiles keeps what was read of known_hosts files: every host of a run
// looks into the same, and reading a thousand lines a thousand times would cost
// more than all else.
var knownFiles = knownCache{byPath: map[string]knownFile{}}

type knownCache struct {
	mu     sync.Mutex
	byPath map[string]knownFile
}

// knownFile is a file as it was read. Its lines are shared and never changed.
type knownFile struct {
	info  fs.FileInfo
	text  []byte
	lines []knownLine
	count int // lines of text, those that could not be read among them
}

// read returns the lines of a file, none where it does not exist. Of a file
// that has only grown, what was added is parsed and no more.
func (c *knownCache) read(file string) ([]knownLine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	have := c.byPath[file]
	if have.info != nil && os.SameFile(have.info, info) && have.info.Size() == info.Size() && have.info.ModTime().Equal(info.ModTime()) {
		return have.lines, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(have.text, []byte("\n")) || !bytes.HasPrefix(text, have.text) {
		have = knownFile{}
	}
	have.parse(file, text[len(have.text):])
	have.info, have.text = info, text
	c.byPath[file] = have
	return have.lines, nil
}

func (k *knownFile) parse(file string, added []byte) {
	for line := range bytes.Lines(added) {
		k.count++
		marker, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
		if err == nil {
			k.lines = append(k.lines, knownLine{file, k.count, marker, hosts, key})
		}
	}
}

// matches says whether the line is about the host that known_hosts calls name.
func (l knownLine) matches(name string) bool {
	found := false
	for _, p := range l.pattern {
		p, negated := strings.CutPrefix(p, "!")
		if !patternMatches(p, name) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

func patternMatches(pattern, name string) bool {
	if strings.HasPrefix(pattern, "|1|") {
		return hashMatches(pattern, name)
	}
	if !strings.ContainsAny(pattern, "*?") {
		return strings.EqualFold(pattern, name)
	}
	// Brackets are literal in known_hosts, and a class in path.Match.
	escaped := strings.NewReplacer("[", `\[`, "]", `\]`, `\`, `\\`).Replace(strings.ToLower(pattern))
	ok, err := path.Match(escaped, name)
	return ok && err == nil
}

// hashMatches compares name with a hashed one: |1|SALT|HMAC-SHA1(SALT, name).
func hashMatches(pattern, name string) bool {
	parts := strings.Split(pattern, "|")
	if len(parts) != 4 {
		return false
	}
	salt, err1 := base64.StdEncoding.DecodeString(parts[2])
	sum, err2 := base64.StdEncoding.DecodeString(parts[3])
	if err1 != nil || err2 != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), sum)
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// plainAlgorithms lists host key algorithms as OpenSSH prefers them.
var plainAlgorithms = []string{
	ssh.KeyAlgoED25519,
	ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
}

var certAlgorithms = []string{
	ssh.CertAlgoED25519v01,
	ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
	ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
}

// hostKeyAlgorithms orders the algorithms by what is known of a host. A server
// has keys of several types and shows the first that the client asks for; asked
// in a fixed order it would show one that known_hosts lacks, and an honest host
// would look like a changed one.
func hostKeyAlgorithms(known []knownLine) []string {
	var authority, first, rest []string
	for _, l := range known {
		if l.marker == "cert-authority" {
			authority = certAlgorithms
		}
	}
	for _, algorithm := range plainAlgorithms {
		if slices.ContainsFunc(known, func(l knownLine) bool { return l.marker == "" && signsWith(l.key, algorithm) }) {
			first = append(first, algorithm)
		} else {
			rest = append(rest, algorithm)
		}
	}
	return slices.Concat(authority, first, rest)
}

func signsWith(key ssh.PublicKey, algorithm string) bool {
	if key.Type() == ssh.KeyAlgoRSA {
		return algorithm == ssh.KeyAlgoRSASHA512 || algorithm == ssh.KeyAlgoRSASHA256
	}
	return key.Type() == algorithm
}
