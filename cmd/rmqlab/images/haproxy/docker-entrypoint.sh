#!/bin/sh
# Keeps the contract of the official HAProxy images' entrypoint.
set -e
case $1 in
-*) set -- haproxy "$@" ;;
esac
if [ "$1" = haproxy ]; then
	shift
	set -- haproxy -W -db "$@" # a master that reloads on SIGUSR2, in the foreground
fi
exec "$@"
