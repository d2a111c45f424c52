package images

import (
	_ "embed"
	"maps"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/rmqprov/rmqprov/cmd/rmqlab/engine"
)

// recipe is an image: layers from the bottom up, and the configuration of its containers.
type recipe struct {
	Layers     []layer
	Entrypoint []string
	Cmd        []string
	Env        []string
	PathFirst  string   // what comes before the usual search path, with a colon at its end
	Ports      []string // "5672/tcp"
	Volumes    []string
	User       string
	WorkDir    string
	StopSignal string
}

// layer is a part of a root file system made from Debian packages.
type layer struct {
	Name     string
	Suite    string
	Base     *layer
	Packages []string // with all they depend on, less what the base has
	Drop     []string // patterns of packages to leave out of that
	Alone    []alone  // packages without what they depend on
	Files    map[string]engine.File
	Script   string // sh -eu; $1 is the layer's root, $2 the base's
}

type alone struct {
	Suite    string
	Packages []string
}

func (r recipe) config() v1.Config {
	c := v1.Config{
		Entrypoint: r.Entrypoint, Cmd: r.Cmd, Env: append([]string{"PATH=" + r.PathFirst + path}, r.Env...),
		User: r.User, WorkingDir: r.WorkDir, StopSignal: r.StopSignal,
		ExposedPorts: map[string]struct{}{}, Volumes: map[string]struct{}{},
	}
	for _, p := range r.Ports {
		c.ExposedPorts[p] = struct{}{}
	}
	for _, v := range r.Volumes {
		c.Volumes[v] = struct{}{}
	}
	return c
}

// path is the search path of all images.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

//go:embed base/build.sh
var baseScript string

//go:embed base/drop-root.sh
var dropRoot string

//go:embed rabbitmq/build.sh
var rabbitmqScript string

//go:embed rabbitmq/docker-entrypoint.sh
var rabbitmqEntrypoint string

//go:embed consul/build.sh
var consulScript string

//go:embed consul/docker-entrypoint.sh
var consulEntrypoint string

//go:embed haproxy/build.sh
var haproxyScript string

//go:embed haproxy/docker-entrypoint.sh
var haproxyEntrypoint string

//go:embed registry/registry.yml
var registryConfig string

//go:embed ec2/emulator.py
var ec2Emulator string

//go:embed ec2/build.sh
var ec2Script string

//go:embed redis/build.sh
var redisScript string

//go:embed redis/docker-entrypoint.sh
var redisEntrypoint string

var (
	trixie   = base("trixie")
	bookworm = base("bookworm")
)

// base is the layer under every image of a Debian release. The libraries that several images
// use are in it.
func base(suite string) *layer {
	return &layer{
		Name: "debian-" + suite, Suite: suite,
		Packages: []string{
			"base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "debianutils", "findutils", "grep", "gzip",
			"hostname", "libc-bin", "libpcre2-8-0", "libstdc++6", "libsystemd0", "libzstd1", "mawk", "netbase",
			"openssl", "procps", "sed", "tar", "util-linux", "zlib1g",
		},
		Files: map[string]engine.File{
			"/usr/local/bin/gosu":    {Mode: 0o755, Content: dropRoot},
			"/usr/local/bin/su-exec": {Mode: 0o755, Content: dropRoot},
		},
		Script: baseScript,
	}
}

var recipes = allRecipes()

func allRecipes() map[string]recipe {
	all := map[string]recipe{
		"consul:1.8.7": consul(),
		"haproxy:3.0":  haproxy(trixie, "3.0"),
		"haproxy:2.6":  haproxy(bookworm, "2.6"),
		"redis:8.0":    redis(),

		"prom/prometheus:v2.53.3":   prometheus(),
		"prom/node-exporter:v1.9.0": nodeExporter(),

		Registry: registry(),
		EC2:      ec2(),
	}
	maps.Copy(all, rabbitmq(trixie, "4.0.5"))
	maps.Copy(all, rabbitmq(bookworm, "3.10.8"))
	return all
}

func rabbitmq(base *layer, version string) map[string]recipe {
	server := layer{
		Name: "rabbitmq-" + version, Suite: base.Suite, Base: base,
		Packages: []string{"rabbitmq-server"},
		Drop:     []string{"*python3*", "libbsd0", "libmd0", "libreadline*", "readline-common", "libexpat1", "libffi8"},
		Files: map[string]engine.File{
			"/usr/local/bin/docker-entrypoint.sh": {Mode: 0o755, Content: rabbitmqEntrypoint},
		},
		Script: rabbitmqScript,
	}
	plain := recipe{
		Layers:     []layer{*base, server},
		Entrypoint: []string{"docker-entrypoint.sh"},
		Cmd:        []string{"rabbitmq-server"},
		PathFirst:  "/opt/rabbitmq/sbin:",
		Env: []string{
			"RABBITMQ_DATA_DIR=/var/lib/rabbitmq", "RABBITMQ_VERSION=" + version, "RABBITMQ_HOME=/opt/rabbitmq",
			"HOME=/var/lib/rabbitmq", "LANG=C.UTF-8", "LANGUAGE=C.UTF-8", "LC_ALL=C.UTF-8",
		},
		Ports:   []string{"4369/tcp", "5671/tcp", "5672/tcp", "15691/tcp", "15692/tcp", "25672/tcp"},
		Volumes: []string{"/var/lib/rabbitmq"},
	}
	management := plain
	management.Layers = append(management.Layers[:2:2], managementLayer)
	management.Ports = append(plain.Ports[:6:6], "15671/tcp", "15672/tcp")
	return map[string]recipe{"rabbitmq:" + version: plain, "rabbitmq:" + version + "-management": management}
}

// managementLayer turns a plain RabbitMQ image into its -management sibling: the plugin is
// on, and the setting that keeps it from collecting is gone (".wh." removes what is below).
var managementLayer = layer{
	Name: "rabbitmq-management",
	Files: map[string]engine.File{
		"/etc/rabbitmq/enabled_plugins":                                               {Mode: 0o644, Content: "[rabbitmq_management,rabbitmq_prometheus].\n"},
		"/etc/rabbitmq/conf.d/.wh.20-management_agent.disable_metrics_collector.conf": {Mode: 0o644},
	},
	Script: `chown -R 999:999 "$1/etc/rabbitmq" && chmod 777 "$1/etc/rabbitmq" "$1/etc/rabbitmq/conf.d"`,
}

func consul() recipe {
	return recipe{
		Layers: []layer{*trixie, {
			Name: "consul-1.8.7", Base: trixie,
			Alone: []alone{{"bullseye", []string{"consul"}}, {"trixie", []string{"busybox", "dumb-init"}}},
			Files: map[string]engine.File{
				"/usr/local/bin/docker-entrypoint.sh": {Mode: 0o755, Content: consulEntrypoint},
			},
			Script: consulScript,
		}},
		Entrypoint: []string{"docker-entrypoint.sh"},
		Cmd:        []string{"agent", "-dev", "-client", "0.0.0.0"},
		Env:        []string{"CONSUL_VERSION=1.8.7"},
		Ports: []string{"8300/tcp", "8301/tcp", "8301/udp", "8302/tcp", "8302/udp", "8500/tcp",
			"8600/tcp", "8600/udp"},
		Volumes: []string{"/consul/data"},
	}
}

func haproxy(base *layer, version string) recipe {
	return recipe{
		Layers: []layer{*base, {
			Name: "haproxy-" + version, Suite: base.Suite, Base: base,
			Packages: []string{"haproxy"},
			Drop:     []string{"libbsd0", "libmd0"},
			Files: map[string]engine.File{
				"/usr/local/bin/docker-entrypoint.sh": {Mode: 0o755, Content: haproxyEntrypoint},
			},
			Script: haproxyScript,
		}},
		Entrypoint: []string{"docker-entrypoint.sh"},
		Cmd:        []string{"haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"},
		Env:        []string{"HAPROXY_VERSION=" + version},
		User:       "haproxy",
		WorkDir:    "/var/lib/haproxy",
		StopSignal: "SIGUSR1",
	}
}

// Registry is the image of the lab's own registry.
const Registry = "rmqlab-registry:1"

func registry() recipe {
	return recipe{
		Layers: []layer{*trixie, {
			Name: "docker-registry", Base: trixie,
			Alone: []alone{{"trixie", []string{"docker-registry"}}},
			Files: map[string]engine.File{
				"/etc/registry.yml": {Mode: 0o644, Content: registryConfig},
			},
			Script: `rm -rf "$1/etc/docker" "$1/etc/init.d" "$1/etc/default" "$1/usr/lib/systemd"; mkdir -p "$1/var/lib/registry"`,
		}},
		Entrypoint: []string{"docker-registry"},
		Cmd:        []string{"serve", "/etc/registry.yml"},
		Volumes:    []string{"/var/lib/registry"},
	}
}

// EC2 is the image of the lab's EC2 emulator.
const EC2 = "rmqlab-ec2:2"

func ec2() recipe {
	return recipe{
		Layers: []layer{*trixie, {
			Name: "moto", Suite: "trixie", Base: trixie,
			Packages: []string{"python3-moto", "python3-flask", "python3-flask-cors"},
			Files: map[string]engine.File{
				"/usr/lib/rmqlab/emulator.py": {Mode: 0o644, Content: ec2Emulator},
			},
			Script: ec2Script,
		}},
		Entrypoint: []string{"python3", "/usr/lib/rmqlab/emulator.py"},
		Cmd:        []string{"--host", "0.0.0.0", "--port", "5001"},
		Env: []string{"MOTO_EC2_LOAD_DEFAULT_AMIS=false", "CRYPTOGRAPHY_OPENSSL_NO_LEGACY=1", "PYTHONUNBUFFERED=1",
			"PYTHONPYCACHEPREFIX=/var/cache/python"},
		Volumes: []string{"/var/lib/ec2"},
	}
}

func redis() recipe {
	return recipe{
		Layers: []layer{*trixie, {
			Name: "redis-8.0", Suite: "trixie", Base: trixie,
			Packages: []string{"redis-server"},
			Drop:     []string{"libbsd0", "libmd0"},
			Files: map[string]engine.File{
				"/usr/local/bin/docker-entrypoint.sh": {Mode: 0o755, Content: redisEntrypoint},
			},
			Script: redisScript,
		}},
		Entrypoint: []string{"docker-entrypoint.sh"},
		Cmd:        []string{"redis-server"},
		Env:        []string{"REDIS_VERSION=8.0"},
		Ports:      []string{"6379/tcp"},
		Volumes:    []string{"/data"},
		WorkDir:    "/data",
	}
}
