package images

import _ "embed"

//go:embed prometheus/build.sh
var prometheusScript string

// prometheus keeps the contract of prom/prometheus.
func prometheus() recipe {
	return recipe{
		Layers: []layer{*trixie, {
			Name: "prometheus-2.53.3", Base: trixie,
			Alone:  []alone{{"trixie", []string{"prometheus", "promtool"}}},
			Script: prometheusScript,
		}},
		Entrypoint: []string{"/bin/prometheus"},
		Cmd:        []string{"--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"},
		Ports:      []string{"9090/tcp"},
		Volumes:    []string{"/prometheus"},
		User:       "nobody",
		WorkDir:    "/prometheus",
	}
}

// nodeExporter keeps the contract of prom/node-exporter.
func nodeExporter() recipe {
	return recipe{
		Layers: []layer{*trixie, {
			Name: "node-exporter-1.9.0", Base: trixie,
			Alone: []alone{{"trixie", []string{"prometheus-node-exporter"}}},
			Script: `rm -rf "$1/etc" "$1/usr/lib/systemd" "$1/lib/systemd" "$1/var"
ln -s prometheus-node-exporter "$1/usr/bin/node_exporter"`,
		}},
		Entrypoint: []string{"/bin/node_exporter"},
		Ports:      []string{"9100/tcp"},
		User:       "nobody",
	}
}
