package cloud

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/rmqprov/rmqprov/inventory"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (run with -update if that is meant); got:\n%s", file, got)
	}
}

func console(t *testing.T, name string) Console {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/console", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConsole(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseConsole(t *testing.T) {
	files, err := filepath.Glob("testdata/console/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no consoles: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ParseConsole(string(text))
			var b strings.Builder
			for _, k := range c.Keys {
				fmt.Fprintf(&b, "key %s %s\n", k.Type(), ssh.FingerprintSHA256(k))
			}
			for _, p := range c.Fingerprints {
				fmt.Fprintf(&b, "print %s\n", p)
			}
			ok, unusable := c.usable()
			fmt.Fprintf(&b, "finished %v, usable %v, %v\nerror %v\n", c.Finished, ok, unusable, err)
			golden(t, "console/"+name+".golden", b.String())
		})
	}
}

// The keys that a console shows must be those that its fingerprints are of.
func TestConsolesAgreeWithThemselves(t *testing.T) {
	for _, name := range []string{"current", "old"} {
		c := console(t, name)
		for _, k := range c.Keys {
			if !(Console{Fingerprints: c.Fingerprints}).Has(k) {
				t.Errorf("%s: no fingerprint is that of %s", name, ssh.FingerprintSHA256(k))
			}
		}
	}
}

func TestHas(t *testing.T) {
	current, old := console(t, "current"), console(t, "old")
	if current.Has(old.Keys[0]) {
		t.Error("a key that is not there is believed")
	}
	if !current.Has(current.Keys[0]) {
		t.Error("a key that is there is not believed")
	}
	if !console(t, "prints").Has(old.Keys[0]) {
		t.Error("a key whose fingerprint is there is not believed")
	}
}

func TestKeysOfFingerprints(t *testing.T) {
	current, old, prints := console(t, "current"), console(t, "old"), console(t, "prints")
	h := inventory.Host{Name: "node-1", Address: "10.0.0.11", InstanceID: "i-00000001"}
	shows := func(keys ...ssh.PublicKey) Scan {
		return func(context.Context, inventory.Host) ([]ssh.PublicKey, error) {
			if len(keys) == 0 {
				return nil, errors.New("connection refused")
			}
			return keys, nil
		}
	}
	for name, c := range map[string]struct {
		scan Scan
		want string // "" where the RSA key is to be believed, and it alone
	}{
		"fits":    {shows(current.Keys[0], old.Keys[0]), ""},
		"another": {shows(current.Keys[0]), "another machine has that address"},
		"refused": {shows(), "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := prints.keysOf(t.Context(), h, c.scan)
			if c.want == "" && (err != nil || len(keys) != 1 || !same(keys[0], old.Keys[0])) {
				t.Errorf("got %v, %v", keys, err)
			}
			if c.want != "" && !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("error %v; want %q in it", err, c.want)
			}
		})
	}
}

// FuzzParseConsole looks for texts that break the parser: whoever is on the
// instance can write anything.
func FuzzParseConsole(f *testing.F) {
	f.Add(keysBegin + "\nssh-ed25519 AAAA\n" + keysEnd)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConsole(text)
		if err == nil && c.contradiction() != nil {
			t.Error("a contradiction was not told")
		}
	})
}

func TestConsoleUsable(t *testing.T) {
	prints, keys := []string{"SHA256:x"}, console(t, "current").Keys
	for name, c := range map[string]struct {
		console Console
		ok      bool
		err     error
	}{
		"nothing yet":      {Console{}, false, nil},
		"keys will follow": {Console{Fingerprints: prints}, false, nil},
		"prints only":      {Console{Fingerprints: prints, Finished: true}, true, nil},
		"keys":             {Console{Keys: keys}, true, nil},
		"none":             {Console{Finished: true}, false, errNoKeys},
	} {
		if ok, err := c.console.usable(); ok != c.ok || err != c.err {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}

// What stands outside of cloud-init's marks is anybody's.
func TestParseConsoleBelievesNothingOutside(t *testing.T) {
	inside, outside := newKey(t), newKey(t)
	line := func(k ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(k)) }
	c, err := ParseConsole(line(outside) + keysBegin + "\n" + line(inside) + keysEnd + "\n" + line(outside))
	if err != nil || len(c.Keys) != 1 || !same(c.Keys[0], inside) {
		t.Errorf("keys %v, %v", c.Keys, err)
	}
}

// Where the keys themselves are there, a fingerprint beside them adds none.
func TestHasPrefersKeys(t *testing.T) {
	shown, other := newKey(t), newKey(t)
	c := Console{Keys: []ssh.PublicKey{shown}, Fingerprints: []string{ssh.FingerprintSHA256(other)}}
	if c.Has(other) || !c.Has(shown) {
		t.Errorf("other %v, shown %v", c.Has(other), c.Has(shown))
	}
}
