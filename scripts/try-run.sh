#!/bin/sh
# Start the portal with `make run` in a copy of what is committed, sign in by the printed link, read a page, stop.
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
