package images

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFileNames(t *testing.T) {
	out := `Reading package lists...
'http://deb.example/pool/main/b/bash/bash_5.2.37-2%2bb8_amd64.deb' bash_5.2.37-2+b8_amd64.deb 1501532 SHA256:fc2f
'http://deb.example/pool/main/r/redis/redis-tools_8.0.2-3_amd64.deb' redis-tools_5%3a8.0.2-3_amd64.deb 1247524 SHA256:11aa
`
	want := []string{"bash_5.2.37-2+b8_amd64.deb", "redis-tools_5%3a8.0.2-3_amd64.deb"}
	if diff := cmp.Diff(want, fileNames(out)); diff != "" {
		t.Error(diff)
	}
}

func TestIsDropped(t *testing.T) {
	tests := []struct {
		file string
		want bool
	}{
		{"/archives/dpkg_1.22.22_amd64.deb", true},
		{"perl-base_5.40.1-6_amd64.deb", true},
		{"libtext-glob-perl_0.11-3_all.deb", true},
		{"gcc-14-base_14.2.0-19_amd64.deb", true},
		{"libc6_2.41-12_amd64.deb", false},
		{"libpcre2-8-0_10.46-1_amd64.deb", false},
		{"procps_2%3a4.0.4-9_amd64.deb", false},
	}
	for _, tt := range tests {
		if got := isDropped(tt.file, dropped); got != tt.want {
			t.Errorf("isDropped(%q) = %v, want %v", tt.file, got, tt.want)
		}
	}
}

func TestNamesAreWhatHostsPull(t *testing.T) {
	want := []string{
		"consul:1.8.7", "haproxy:2.6", "haproxy:3.0", "prom/node-exporter:v1.9.0", "prom/prometheus:v2.53.3", "rabbitmq:3.10.8", "rabbitmq:3.10.8-management",
		"rabbitmq:4.0.5", "rabbitmq:4.0.5-management", "redis:8.0",
	}
	if diff := cmp.Diff(want, Names()); diff != "" {
		t.Error(diff)
	}
	for _, n := range Demo {
		if !slices.Contains(want, n) {
			t.Errorf("Demo has %s, which Names has not", n)
		}
	}
}

func TestUnknownImageNamesTheKnown(t *testing.T) {
	_, err := find("rabbitmq:5")
	if err == nil || !strings.Contains(err.Error(), "rabbitmq:4.0.5") {
		t.Errorf("find: %v, want an error that lists what there is", err)
	}
}

// The numeric parts of the official images' contract, on which playbooks rely.
func TestConfig(t *testing.T) {
	plain, management := recipes["rabbitmq:4.0.5"].config(), recipes["rabbitmq:4.0.5-management"].config()
	if !slices.Contains(plain.Env, "RABBITMQ_DATA_DIR=/var/lib/rabbitmq") || !slices.Contains(plain.Env, "HOME=/var/lib/rabbitmq") {
		t.Errorf("rabbitmq has environment %q", plain.Env)
	}
	if got := slices.Sorted(maps.Keys(plain.Volumes)); !slices.Equal(got, []string{"/var/lib/rabbitmq"}) {
		t.Errorf("rabbitmq has volumes %q", got)
	}
	if _, ok := plain.ExposedPorts["15672/tcp"]; ok {
		t.Error("rabbitmq exposes the management port; only -management does")
	}
	if _, ok := management.ExposedPorts["15672/tcp"]; !ok {
		t.Error("rabbitmq-management does not expose the management port")
	}
	if c := recipes["haproxy:3.0"].config(); c.User != "haproxy" || c.StopSignal != "SIGUSR1" || c.WorkingDir != "/var/lib/haproxy" {
		t.Errorf("haproxy runs as %q in %q and stops by %q", c.User, c.WorkingDir, c.StopSignal)
	}
}

func TestHashFollowsLayers(t *testing.T) {
	r := recipes["consul:1.8.7"]
	b := &builder{}
	before := b.hash(r)
	if before != b.hash(recipes["consul:1.8.7"]) {
		t.Error("the same recipe has two hashes")
	}
	r.Layers = slices.Clone(r.Layers)
	r.Layers[1].Script += "\n# changed"
	if b.hash(r) == before {
		t.Error("a changed layer script leaves the hash as it was")
	}
}

func TestManagementSharesLayersWithPlain(t *testing.T) {
	b := &builder{}
	plain, management := recipes["rabbitmq:4.0.5"].Layers, recipes["rabbitmq:4.0.5-management"].Layers
	for i, l := range plain {
		if b.layerPath(l) != b.layerPath(management[i]) {
			t.Errorf("layer %d of the two images differs", i)
		}
	}
}
