#!/bin/sh
# Start the portal with `make run` in a copy of what is committed, sign in by the printed link, read a page, run a
# workflow of the sample if there is a voice, stop.
set -eu
place=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base="http://127.0.0.1:$port"
git archive HEAD | tar -x -C "$place"
# A session of its own, so that the whole family can be ended at once.
setsid make -C "$place" run PORT="$port" >"$place/out" 2>&1 &
server=$!
trap 'kill -- "-$server" 2>/dev/null || true; wait; rm -rf "$place"' EXIT
tries=0
until curl -fsS "$base/readyz" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 120 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$place/out" >&2
        exit 1
    fi
    sleep 1
done
link=$(grep -o "$base/signin/[^ ]*" "$place/out")
curl -fsS -c "$place/jar" -H 'Sec-Fetch-Site: same-origin' -X POST -o /dev/null "$link"
curl -fsS -b "$place/jar" -o "$place/page" "$base/"
grep -q 'Nightly dub' "$place/page"
echo "make run: started, signed in, served the workflows page"

if ! command -v espeak-ng >/dev/null; then
    echo "make run: no workflow tried, because espeak-ng is not installed"
    exit 0
fi
key=$(cd "$place" && .venv/bin/flask keys create --workspace acme-voice --user demo@acme.example --name try \
    --scope workflows:read --scope workflows:run | grep -o 'op_live_[0-9A-Za-z]*')
api="$base/api/v1/workflows"
ask() { curl -fsS -H "Authorization: Bearer $key" "$@"; }
field() { python3 -c "import json, sys; found = json.load(sys.stdin)['data']; print($1)"; }
workflow=$(ask "$api?search=Onboarding%20tour" | field "found[0]['id']")
run=$(ask -X POST "$api/$workflow/runs" | field "found['id']")
tries=0
while status=$(ask "$api/$workflow/runs/$run/status" | field "found['status']"); [ "$status" != completed ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 120 ] || [ "$status" = failed ] || [ "$status" = paused ]; then
        ask "$api/$workflow/runs/$run/status" >&2
        cat "$place/out" >&2
        exit 1
    fi
    sleep 1
done
echo "make run: ran the Onboarding tour"
