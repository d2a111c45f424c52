#!/bin/sh
# Keeps the contract of the official Redis images' entrypoint.
set -e
case $1 in
-* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
	find . ! -user redis -exec chown redis {} +
	exec gosu redis "$0" "$@"
fi

if [ "$(umask)" = 0022 ]; then
	umask 0077
fi

# The official binaries have protected mode off unless it is asked for; Debian's have it on.
if [ "$1" = redis-server ]; then
	config=
	case ${2:-} in
	-* | '') ;;
	*) config=$2 ;;
	esac
	case " $* " in
	*' --protected-mode '*) ;;
	*)
		if [ -z "$config" ] || ! grep -qi '^[[:space:]]*protected-mode' "$config"; then
			set -- "$@" --protected-mode no
		fi ;;
	esac
fi

exec "$@"
