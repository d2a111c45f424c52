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
	var lines []knownLine
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		number := 0
		for line := range bytes.Lines(text) {
			number++
			marker, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
			if err == nil {
				lines = append(lines, knownLine{file, number, marker, hosts, key})
			}
		}
	}
	return lines, nil
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
