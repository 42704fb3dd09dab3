#!/bin/sh
# Start the portal with `make run` in a copy of what is committed, sign in by the printed link, read a page, stop.
set -eu
place=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; rm -rf "$place"' EXIT
git archive HEAD | tar -x -C "$place"
server=0
make -C "$place" run PORT=8765 >"$place/out" 2>&1 &
server=$!
tries=0
until curl -fsS http://127.0.0.1:8765/readyz >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 120 ] || ! kill -0 $server 2>/dev/null; then
        cat "$place/out" >&2
        exit 1
    fi
    sleep 1
done
link=$(grep -o 'http://127.0.0.1:8765/signin/[^ ]*' "$place/out")
curl -fsS -c "$place/jar" -H 'Sec-Fetch-Site: same-origin' -X POST -o /dev/null "$link"
curl -fsS -b "$place/jar" http://127.0.0.1:8765/ | grep -q 'Nightly dub'
pkill -P $server gunicorn 2>/dev/null || true
echo "make run: started, signed in, served the workflows page"
