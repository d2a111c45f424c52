#!/bin/bash
# Keeps the contract of the official RabbitMQ images' entrypoint.
set -euo pipefail

if [[ "$1" == rabbitmq* && "$(id -u)" == 0 ]]; then
	if [ "$1" = rabbitmq-server ]; then
		find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq {} +
	fi
	exec gosu rabbitmq "${BASH_SOURCE[0]}" "$@"
fi

refused=$(compgen -e | grep -E '^RABBITMQ_(DEFAULT_(PASS|USER)_FILE|VM_MEMORY_HIGH_WATERMARK|(MANAGEMENT_)?SSL_.*)$' || true)
if [ -n "$refused" ]; then
	for name in $refused; do
		echo >&2 "error: $name is set but deprecated"
	done
	echo >&2 'error: deprecated environment variables detected; use a configuration file instead'
	exit 1
fi

if [ -z "${RABBITMQ_USE_LONGNAME:-}" ] && [ "$(hostname)" != "$(hostname -s)" ]; then
	export RABBITMQ_USE_LONGNAME=true
fi

exec "$@"
