#!/bin/bash
# Usage: docs/screenshots.sh
# Takes the pictures in docs/images of the demo's consoles, in a headless Chromium. Run `make demo`
# first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
.ci/need chromium chromedriver:chromium-driver curl
. .lab/env

host=$(sed -n 's/^host .*address = "\([^"]*\)".*/\1/p' .lab/lab.hcl | head -n 1)
driver=http://127.0.0.1:9515
profile=$(mktemp -d)
chromedriver --port=9515 --log-level=SEVERE >/dev/null &
pid=$!
trap 'kill $pid; rm -rf "$profile"' EXIT

secret() { bin/rmqprov secret .lab/lab.hcl show "$1"; }

# ask PATH JSON: a WebDriver command. JSON goes by standard input, since it can hold a password.
ask() { printf '%s' "$2" | curl -sf -H 'Content-Type: application/json' --data-binary @- "$driver/$1"; }

open_page() { ask "session/$session/url" "{\"url\": \"$1\"}" >/dev/null; }

# await SELECTOR: until the page has an element that the CSS selector names.
await() {
	for _ in {1..60}; do
		ask "session/$session/element" "{\"using\": \"css selector\", \"value\": \"$1\"}" >/dev/null && return
		sleep 0.5
	done
	echo "the page does not show $1" >&2
	return 1
}

# shoot NAME
shoot() {
	sleep 2 # for what moves into place
	echo "==> docs/images/$1.png"
	curl -sf "$driver/session/$session/screenshot" | sed 's/^{"value":"//; s/"}$//' | base64 -d >"docs/images/$1.png"
}

# log_in USER PASSWORD: by the form of RabbitMQ's console.
log_in() {
	local fill="document.querySelector('input[name=username]').value = arguments[0];"
	fill+=" document.querySelector('input[name=password]').value = arguments[1];"
	fill+=" document.querySelector('input[type=submit]').click();"
	ask "session/$session/execute/sync" "{\"script\": \"$fill\", \"args\": [\"$1\", \"$2\"]}" >/dev/null
}

until curl -sf "$driver/status" >/dev/null; do sleep 0.1; done
flags=(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
	--disable-component-update --disable-sync --hide-scrollbars --window-size=1280,1000 "--user-data-dir=$profile")
session=$(ask session "{\"capabilities\": {\"alwaysMatch\": {\"goog:chromeOptions\": {\"args\": [$(printf '"%s",' "${flags[@]}" | sed 's/,$//')]}}}}" |
	sed 's/.*"sessionId":"\([^"]*\)".*/\1/')

mkdir -p docs/images
open_page "http://$host:8500/ui/dc1/nodes"
await "a[href*=consul-01]"
shoot consul
open_page "http://$host:15672/"
await "input[name=username]"
log_in admin "$(secret rabbitmq/admin_password)"
await "a[href*='#/nodes/']"
shoot rabbitmq
open_page "http://admin:$(secret haproxy/stats_password)@$host:1936/"
await "table.tbl"
shoot haproxy
curl -sf -X DELETE "$driver/session/$session" >/dev/null
