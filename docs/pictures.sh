#!/bin/bash
# Usage: docs/pictures.sh INVENTORY
# Takes the pictures in docs/images of an apply: of its terminal half-way, and of its report.
# INVENTORY is one of bare hosts, as `bin/rmqlab up --fresh` leaves them.
set -euo pipefail
inventory=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
.ci/need chromium tmux aha

work=$(mktemp -d)
terminal=(tmux -L "rmqprov-pictures-$$")
trap '"${terminal[@]}" kill-server 2>/dev/null || true; rm -rf "$work"' EXIT

# shoot NAME PAGE WIDTH HEIGHT
shoot() {
	echo "==> docs/images/$1.png"
	chromium --headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars --user-data-dir="$work/profile" \
		--window-size="$3,$4" --screenshot="docs/images/$1.png" "file://$2" 2>/dev/null
}

# await TEXT: until the terminal shows it.
await() {
	for _ in {1..1200}; do
		"${terminal[@]}" capture-pane -p | grep -q "$1" && return
		sleep 0.2
	done
	echo "the terminal does not show $1" >&2
	return 1
}

LC_ALL=C.UTF-8 "${terminal[@]}" -u new-session -d -x 80 -y 24 "bin/rmqprov apply '$inventory' --yes --report '$work/reports'; echo ended; sleep 60"
await 'started ✓'
"${terminal[@]}" capture-pane -e -p >"$work/terminal"
{
	echo '<meta charset="utf-8"><style>body { margin: 16px 20px; } pre { font: 15px/1.25 "DejaVu Sans Mono", monospace; }</style>'
	aha --no-header --black <"$work/terminal" | sed '1s/^/<body style="background: #0d1117; color: #e6edf3"><pre>/'
	echo '</pre>'
} >"$work/terminal.html"
shoot apply "$work/terminal.html" 780 510
await ended
sed -i -E 's/( UTC) · by [^<]*/\1/' "$work"/reports/*.html # the machine's names say nothing
shoot report "$(echo "$work"/reports/*.html)" 1280 1150
