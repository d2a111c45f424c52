package state

import (
	"bufio"
	"bytes"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"
)

// FactsScript asks a host for everything at once. It runs as root under any
// POSIX shell; its arguments are the paths to describe. Its answer stands
// between two marks, so that a login banner or an rc file's noise does no harm.
//
//go:embed facts.sh
var FactsScript string

// The marks around a whole answer.
const (
	factsBegin = "rmqprov-facts-begin"
	factsEnd   = "rmqprov-facts-end"
)

// maxContent bounds the content of one file in an answer, in bytes. A
// daemon.json is a few hundred.
const maxContent = 1 << 20

// ParseFacts reads the answer of FactsScript. An answer that is cut off,
// noisy inside or not of its form is an error: half a truth is not a fact.
func ParseFacts(answer []byte) (Facts, error) {
	f := Facts{Files: map[string]File{}}
	body, err := framed(answer)
	if err != nil {
		return f, err
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 2*maxContent)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "\t")
		if !ok {
			return f, fmt.Errorf("the host's answer has a line of no known form: %q", clip(lines.Text()))
		}
		if err := f.set(key, value); err != nil {
			return f, fmt.Errorf("the host's answer has a wrong %s: %s", clip(key), clip(err.Error())) // an error may quote a whole line
		}
	}
	// A file that went away while it was described is none.
	maps.DeleteFunc(f.Files, func(_ string, file File) bool { return file.SHA256 == "" || file.Mode == "" })
	return f, lines.Err()
}

func framed(answer []byte) ([]byte, error) {
	_, rest, ok := bytes.Cut(answer, []byte(factsBegin+"\n"))
	if !ok {
		return nil, fmt.Errorf("the host did not answer the question for its facts; it said %q", clip(string(answer)))
	}
	body, _, ok := bytes.Cut(rest, []byte(factsEnd))
	if !ok {
		return nil, errors.New("the host's answer was cut off before its end")
	}
	return body, nil
}

func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}

// set takes one line of the answer. Keys that are not known are left alone, so
// that an answer may say more than this version reads.
func (f *Facts) set(key, value string) (err error) {
	switch key {
	case "os.id":
		f.OS.ID = value
	case "os.version":
		f.OS.Version = value
	case "os.like":
		f.OS.Like = value
	case "os.pretty":
		f.OS.Pretty = value
	case "arch":
		f.Arch = value
	case "hostname":
		f.Hostname = value
	case "cloud-init":
		f.CloudInit = value
	case "address":
		err = appendParsed(&f.Addresses, value, netip.ParsePrefix)
	case "resolver":
		err = appendParsed(&f.Resolvers, value, netip.ParseAddr)
	case "default":
		f.Default, err = netip.ParseAddr(value)
	case "memory":
		f.Memory, err = scaled(value)
	case "disk":
		f.DiskFree, err = scaled(value)
	case "clock":
		f.Clock, err = strconv.ParseInt(value, 10, 64)
	case "docker":
		f.Docker, err = parseUnit(value)
	case "swarm-node":
		f.NodeID, err = nodeID(value)
	case "file":
		err = f.setFile(value)
	case "sum":
		err = f.setSum(value)
	case "content":
		err = f.setContent(value)
	}
	return err
}

func appendParsed[T any](list *[]T, value string, parse func(string) (T, error)) error {
	v, err := parse(value)
	if err == nil {
		*list = append(*list, v)
	}
	return err
}

// scaled reads a number of kibibytes and returns bytes.
func scaled(value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 53)
	return n * 1024, err
}

// parseUnit reads systemd's LoadState, UnitFileState and ActiveState.
func parseUnit(value string) (Unit, error) {
	w := strings.Split(value, " ")
	if len(w) != 3 {
		return Unit{}, fmt.Errorf("%q is not three words", clip(value))
	}
	return Unit{Loaded: w[0] == "loaded", Enabled: w[1] == "enabled", Active: w[2] == "active"}, nil
}

// nodeID reads the node's id from its certificate, in PEM and that in base64.
func nodeID(encoded string) (string, error) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", errors.New("not PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	return certificate.Subject.CommonName, nil
}

// setFile reads "mode owner group path".
func (f *Facts) setFile(value string) error {
	w := strings.SplitN(value, " ", 4)
	if len(w) != 4 {
		return fmt.Errorf("%q is not four words", clip(value))
	}
	file := f.Files[w[3]]
	file.Mode, file.Owner, file.Group = w[0], w[1], w[2]
	f.Files[w[3]] = file
	return nil
}

// setSum reads "sha256 path".
func (f *Facts) setSum(value string) error {
	sum, path, ok := strings.Cut(value, " ")
	if !ok {
		return fmt.Errorf("%q is not two words", clip(value))
	}
	file := f.Files[path]
	file.SHA256 = sum
	f.Files[path] = file
	return nil
}

// setContent reads "base64 path".
func (f *Facts) setContent(value string) error {
	encoded, path, ok := strings.Cut(value, " ")
	if !ok {
		return fmt.Errorf("%q is not two words", clip(value))
	}
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	file := f.Files[path]
	file.Content = content
	f.Files[path] = file
	return nil
}
