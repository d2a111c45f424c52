# $1: the layer's root; $2: the root of the base layer under it.
rm -rf "$1/etc/default" "$1/etc/init.d" "$1/etc/logrotate.d" "$1/etc/prometheus" "$1/usr/lib/systemd" "$1/lib/systemd"
mkdir -p "$1/etc/prometheus" "$1/prometheus"
printf 'scrape_configs: [{ job_name: prometheus, static_configs: [{ targets: ["localhost:9090"] }] }]\n' > "$1/etc/prometheus/prometheus.yml"
chown -R 65534:65534 "$1/etc/prometheus" "$1/prometheus"
