package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/hosts"
)

// stateDir is the directory that `up` writes for users of a lab: key, known_hosts, lab.hcl, env.
type stateDir string

func (d stateDir) key() string        { return filepath.Join(string(d), "key") }
func (d stateDir) inventory() string  { return filepath.Join(string(d), "lab.hcl") }
func (d stateDir) knownHosts() string { return filepath.Join(string(d), "known_hosts") }

// defaultDir keeps labs of other names from writing over the default one's files.
func defaultDir(lab string) stateDir {
	if lab == defaultName {
		return ".lab"
	}
	return stateDir(filepath.Join(".lab", lab))
}

// signer reads the lab's private key.
func (d stateDir) signer() (ssh.Signer, error) {
	text, err := os.ReadFile(d.key())
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.key(), err)
	}
	return signer, nil
}

// ensureKey reads the lab's private key, made first when there is none.
func (d stateDir) ensureKey() (signer ssh.Signer, isNew bool, err error) {
	signer, err = d.signer()
	if !errors.Is(err, fs.ErrNotExist) {
		return signer, false, err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, false, err
	}
	block, err := ssh.MarshalPrivateKey(private, "rmqlab")
	if err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return nil, false, err
	}
	if err := os.WriteFile(d.key(), pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, false, err
	}
	signer, err = d.signer()
	return signer, true, err
}

// endpoints are the addresses of a lab's services, as hosts and this machine reach them.
type endpoints struct {
	Mirror string // registry mirror, "http://10.78.0.1:5000"
	EC2    string // EC2 API, "" when the lab has none
	Region string
}

// write brings known_hosts, lab.hcl and env up to date.
func (d stateDir) write(all []hosts.Host, ends endpoints) error {
	dir, err := filepath.Abs(string(d))
	if err != nil {
		return err
	}
	inventory, err := labInventory(dir, all, ends)
	if err != nil {
		return err
	}
	for name, content := range map[string]string{
		"known_hosts": knownHosts(all),
		"lab.hcl":     inventory,
		"env":         labEnv(dir, ends),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes what up wrote, and the directory when nothing else is in it.
func (d stateDir) remove() error {
	dir, err := filepath.Abs(string(d))
	if err != nil {
		return err
	}
	for _, name := range []string{"key", "known_hosts", "lab.hcl", "env"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func knownHosts(all []hosts.Host) string {
	var b strings.Builder
	for _, h := range all {
		for _, key := range h.HostKeys {
			fmt.Fprintf(&b, "%s %s\n", h.Address, key)
		}
	}
	return b.String()
}

//go:embed lab.hcl.tmpl
var inventoryText string

var inventoryTemplate = template.Must(template.New("lab.hcl").Funcs(template.FuncMap{"quote": hclQuote}).Parse(inventoryText))

func hclQuote(s string) string { return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes()) }

func labInventory(dir string, all []hosts.Host, ends endpoints) (string, error) {
	view := struct {
		Key, KnownHosts, Mirror string
		Hosts                   []hosts.Host
		Members                 int
	}{filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts"), ends.Mirror, all, memberCount(len(all))}
	var b bytes.Buffer
	err := inventoryTemplate.Execute(&b, view)
	return b.String(), err
}

// memberCount is how many RabbitMQ members a lab of n hosts can hold: an odd number, three at most.
func memberCount(n int) int {
	if n >= 3 {
		return 3
	}
	return 1
}

// labEnv is for a shell to source. The AWS credentials mean nothing outside the emulator.
func labEnv(dir string, ends endpoints) string {
	vars := map[string]string{
		"LAB_KEY":         filepath.Join(dir, "key"),
		"LAB_KNOWN_HOSTS": filepath.Join(dir, "known_hosts"),
	}
	if ends.EC2 != "" {
		vars["AWS_ENDPOINT_URL_EC2"] = ends.EC2
		vars["AWS_ENDPOINT_URL_EC2_INSTANCE_CONNECT"] = ends.EC2
		vars["AWS_REGION"] = ends.Region
		vars["AWS_ACCESS_KEY_ID"] = "lab"
		vars["AWS_SECRET_ACCESS_KEY"] = "lab"
	}
	var lines []string
	for name, value := range vars {
		lines = append(lines, "export "+name+"="+shellQuote(value)+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
