#!/bin/sh
# What `make run` does once the environment is there: database, sample history, a sign-in link, the server.
set -eu
PATH="$PWD/$VENV/bin:$PATH"
flask db upgrade
flask demo
link=$(flask signin-link demo@acme.example)
cat <<TEXT

  Run Portal is starting on $PORTAL_BASE_URL

  Sign in (this link works once, for 15 minutes):
  $link

  Another link later: $VENV/bin/flask signin-link demo@acme.example
  A few runs of the sample keep moving while this goes on. Stop with Ctrl-C.

TEXT
gunicorn --log-level warning --bind "127.0.0.1:$PORT" app:app &
server=$!
flask demo --keep-moving >/dev/null &
mover=$!
# A shell's background commands do not hear Ctrl-C: whatever ends this script ends them.
stop() {
    trap - INT TERM EXIT
    kill "$server" "$mover" 2>/dev/null || true
    wait "$server" "$mover" 2>/dev/null || true
}
trap 'stop; exit 0' INT TERM
trap stop EXIT
wait "$server"
