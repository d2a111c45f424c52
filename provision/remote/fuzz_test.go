package remote

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const someKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILQsDMrNCpcGnIHBBZeG4ZYLNDCLxkSHtlCCX7QNyLZf"

// FuzzKnownHosts holds that no known_hosts file makes reading or matching
// panic, and that a file which grew between two looks is read as one that was
// whole from the beginning.
func FuzzKnownHosts(f *testing.F) {
	for _, text := range []string{
		"node-1 " + someKey + "\n",
		"[node-1]:2222,10.0.0.1 " + someKey + " comment\n",
		"@revoked * " + someKey + "\n",
		"@cert-authority *.example.com,!bad.example.com " + someKey,
		"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= " + someKey + "\n",
		"# a comment\n\nnonsense\n",
		"[a-\\]?* " + someKey + "\r\n",
		"|1|||| " + someKey,
	} {
		f.Add([]byte(text), 3, "node-1")
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int, name string) {
		dir := t.TempDir()
		grown, whole := filepath.Join(dir, "grown"), filepath.Join(dir, "whole")
		cut = max(0, min(cut, len(text)))
		must(t, os.WriteFile(whole, text, 0o600))
		must(t, os.WriteFile(grown, text[:cut], 0o600))
		cache := knownCache{byPath: map[string]knownFile{}}
		if _, err := cache.read(grown); err != nil {
			t.Fatal(err)
		}
		must(t, os.WriteFile(grown, text, 0o600))
		got, err := cache.read(grown)
		must(t, err)
		want, err := cache.read(whole)
		must(t, err)
		same := func(a, b knownLine) bool {
			return a.line == b.line && a.marker == b.marker && slices.Equal(a.pattern, b.pattern) && sameKey(a.key, b.key)
		}
		if !slices.EqualFunc(got, want, same) {
			t.Errorf("grown: %v, whole: %v", got, want)
		}
		for _, l := range want {
			l.matches(name)
		}
		hostKeyAlgorithms(want)
	})
}
