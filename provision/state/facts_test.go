package state

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const answer = "Welcome!\nrmqprov-facts-begin\n" +
	"os.id\tamzn\nos.version\t2023\nos.like\tfedora\nos.pretty\tAmazon Linux 2023\narch\tx86_64\nhostname\tip-10-0-0-1\n" +
	"clock\t1700000000\ncloud-init\tdone\naddress\t10.0.0.1/20\ndefault\t10.0.0.1\nresolver\t10.0.0.2\n" +
	"memory\t1024\ndisk\t2048\ndocker\tloaded enabled active\n" +
	"sum\tabcd /etc/docker/daemon.json\nfile\t644 root root /etc/docker/daemon.json\ncontent\te30= /etc/docker/daemon.json\n" +
	"rmqprov-facts-end\nbye\n"

func TestParseFactsReadsAWholeAnswer(t *testing.T) {
	got, err := ParseFacts([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{
		OS: OS{ID: "amzn", Version: "2023", Like: "fedora", Pretty: "Amazon Linux 2023"}, Arch: "x86_64", Hostname: "ip-10-0-0-1",
		CloudInit: "done", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/20")}, Default: netip.MustParseAddr("10.0.0.1"),
		Resolvers: []netip.Addr{netip.MustParseAddr("10.0.0.2")}, Memory: 1 << 20, DiskFree: 2 << 20, Clock: 1700000000,
		Docker: Unit{Loaded: true, Enabled: true, Active: true},
		Files:  map[string]File{"/etc/docker/daemon.json": {SHA256: "abcd", Mode: "644", Owner: "root", Group: "root", Content: []byte("{}")}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseFactsRefusesHalfAnAnswer(t *testing.T) {
	tests := map[string]struct{ answer, want string }{
		"nothing":        {"", "did not answer"},
		"a banner only":  {"Welcome!\n", `it said "Welcome!\n"`},
		"cut off":        {answer[:len(answer)/2], "cut off"},
		"noise inside":   {strings.Replace(answer, "arch\t", "motd ", 1), "no known form"},
		"a wrong number": {strings.Replace(answer, "memory\t1024", "memory\tlots", 1), "wrong memory"},
		"a wrong prefix": {strings.Replace(answer, "10.0.0.1/20", "10.0.0.1/99", 1), "wrong address"},
		"a wrong unit":   {strings.Replace(answer, "loaded enabled active", "loaded", 1), "wrong docker"},
		"no certificate": {strings.Replace(answer, "arch\tx86_64", "swarm-node\te30=", 1), "wrong swarm-node: not PEM"},
		"wrong content":  {strings.Replace(answer, "e30=", "!!", 1), "wrong content"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseFacts([]byte(tt.answer)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// The script and the parser must agree: the script is run here, for real.
func TestTheScriptSaysWhatTheParserReads(t *testing.T) {
	spaced := filepath.Join(t.TempDir(), "a b")
	if err := os.WriteFile(spaced, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, shell := range []string{"sh", "bash"} {
		cmd := exec.Command(shell, "-s", "--", "/etc/os-release", "/no such file", spaced)
		cmd.Stdin = strings.NewReader(FactsScript)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFacts(out)
		if err != nil {
			t.Fatalf("%s: %v in\n%s", shell, err, out)
		}
		if f.OS.ID == "" || f.Arch == "" || f.Memory == 0 || f.Clock == 0 || f.Hostname == "" {
			t.Errorf("%s: facts are missing in\n%s", shell, out)
		}
		if file := f.Files["/etc/os-release"]; len(file.SHA256) != 64 || f.Files[spaced].Mode != "600" || len(f.Files) != 2 {
			t.Errorf("%s: files are %v", shell, f.Files)
		}
	}
}

// The certificate of a node of a swarm that is gone.
const certificate = `-----BEGIN CERTIFICATE-----
MIICMzCCAdugAwIBAgIUJ7kuEc5xhF5EqPPdFT4ofPpaS6UwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAxMIc3dhcm0tY2EwHhcNMjYxMTI0MTAzNTAwWhcNMjcwMjIyMTEz
NTAwWjBgMSIwIAYDVQQKExk2dTlmcWhyNmUxamc1eWtwOXNkMzhxYjZ6MRYwFAYD
VQQLEw1zd2FybS1tYW5hZ2VyMSIwIAYDVQQDExkzOGI0dmowcWU2YWltcGtmMngz
eWcwNzdoMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkA0Vi2Ls+JhtkkA1csie
rs14Wt61CcSZSCrLwHHtN8HJPM7j54WIUhzPx4rbAnpNTCZYBArkF+QW46p/orsE
1KOBvzCBvDAOBgNVHQ8BAf8EBAMCBaAwHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsG
AQUFBwMCMAwGA1UdEwEB/wQCMAAwHQYDVR0OBBYEFEQ/f/Llnu2wyjoDy9wgpSOZ
cr3eMB8GA1UdIwQYMBaAFObAck09iae0p6WzIq4BdRZAE1mTMD0GA1UdEQQ2MDSC
DXN3YXJtLW1hbmFnZXKCGTM4YjR2ajBxZTZhaW1wa2YyeDN5ZzA3N2iCCHN3YXJt
LWNhMAoGCCqGSM49BAMCA0YAMEMCHybPIVjUeThcKP0os07irth2IuopPZeGKa0Z
KkIip0QCIFNIDlHChp7z5hdZTuywMdDEWmJGSuSO2LaKzfVZ1pNJ
-----END CERTIFICATE-----
`

func TestParseFactsKnowsTheNodeOfAStoppedEngine(t *testing.T) {
	line := "swarm-node\t" + base64.StdEncoding.EncodeToString([]byte(certificate)) + "\n"
	f, err := ParseFacts([]byte("rmqprov-facts-begin\n" + line + "rmqprov-facts-end\n"))
	if err != nil || f.NodeID != "38b4vj0qe6aimpkf2x3yg077h" {
		t.Errorf("the node is %q, %v", f.NodeID, err)
	}
}

// FuzzParseFacts holds that no answer makes the parser panic or hang, that it
// makes no more of an answer than is in it, and that it refuses one without an end.
func FuzzParseFacts(f *testing.F) {
	f.Add([]byte(answer))
	f.Add([]byte("rmqprov-facts-begin\nfile\ta b c d e\nsum\ta d e\nrmqprov-facts-end"))
	f.Add([]byte("rmqprov-facts-begin\ncontent\te30= /a b\nmemory\t99999999999999999999\nrmqprov-facts-end"))
	f.Add([]byte("rmqprov-facts-begin\naddress\tfe80::1%eth0/64\nresolver\t::ffff:10.0.0.1\r\nrmqprov-facts-end"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		facts, err := ParseFacts(answer)
		if err != nil {
			if len(err.Error()) > 2000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if !bytes.Contains(answer, []byte(factsEnd)) {
			t.Error("an answer without its end was taken")
		}
		size := len(facts.Addresses) + len(facts.Resolvers)
		for path, file := range facts.Files {
			size += len(path) + len(file.Content) + len(file.SHA256)
		}
		if size > len(answer) {
			t.Errorf("%d bytes of facts from %d", size, len(answer))
		}
	})
}
