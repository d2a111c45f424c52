package hosts

import (
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConsoleOutput(t *testing.T) {
	got, err := ConsoleOutput(Host{
		Name:    "node-1",
		Address: netip.MustParseAddr("10.78.0.11"),
		HostKeys: []string{
			"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
			"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/console.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestConsoleOutputRefusesWhatIsNoKey(t *testing.T) {
	if _, err := ConsoleOutput(Host{Name: "node-1", HostKeys: []string{"nonsense"}}); err == nil {
		t.Error("no error")
	}
}
