#!/usr/bin/dumb-init /bin/sh
# Keeps the contract of the official Consul images' entrypoint.
set -e
ulimit -c 0

address_of() {
	ip -o -4 addr list "$1" | head -n 1 | awk '{print $4}' | cut -d/ -f1
}

bind= client=
if [ -n "$CONSUL_BIND_INTERFACE" ]; then
	address=$(address_of "$CONSUL_BIND_INTERFACE")
	if [ -z "$address" ]; then
		echo "Could not find IP for interface '$CONSUL_BIND_INTERFACE', exiting" >&2
		exit 1
	fi
	bind=-bind=$address
	echo "==> Found address '$address' for interface '$CONSUL_BIND_INTERFACE', setting bind option..."
fi
if [ -n "$CONSUL_CLIENT_INTERFACE" ]; then
	address=$(address_of "$CONSUL_CLIENT_INTERFACE")
	if [ -z "$address" ]; then
		echo "Could not find IP for interface '$CONSUL_CLIENT_INTERFACE', exiting" >&2
		exit 1
	fi
	client=-client=$address
	echo "==> Found address '$address' for interface '$CONSUL_CLIENT_INTERFACE', setting client option..."
fi

if [ -n "$CONSUL_LOCAL_CONFIG" ]; then
	echo "$CONSUL_LOCAL_CONFIG" > /consul/config/local.json
fi

case $1 in
-*) set -- consul "$@" ;;
agent)
	shift
	set -- consul agent -data-dir=/consul/data -config-dir=/consul/config $bind $client "$@" ;;
version) set -- consul "$@" ;;
*)
	if consul --help "$1" 2>&1 | grep -q "consul $1"; then
		set -- consul "$@"
	fi ;;
esac

if [ "$1" = consul ] && [ -z "${CONSUL_DISABLE_PERM_MGMT+x}" ]; then
	for dir in /consul/data /consul/config; do
		if [ "$(stat -c %u "$dir")" != "$(id -u consul)" ]; then
			chown consul:consul "$dir"
		fi
	done
	set -- su-exec consul:consul "$@"
fi

exec "$@"
