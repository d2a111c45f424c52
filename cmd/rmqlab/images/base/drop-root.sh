#!/bin/sh
# USER[:GROUP] COMMAND… : becomes that user, then the command. Stands in for gosu and su-exec.
set -e
who=$1
shift
user=${who%%:*}
case $who in
*:*) exec setpriv --reuid "$user" --regid "${who#*:}" --init-groups -- "$@" ;;
*) exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups -- "$@" ;;
esac
