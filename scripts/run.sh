#!/bin/sh
# What `make run` does once the environment is there: database, sample history, a sign-in link, server and worker.
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
  A few runs of the sample keep moving while this goes on, and a worker runs what you start. Stop with Ctrl-C.

TEXT
gunicorn --log-level warning --bind "127.0.0.1:$PORT" app:app &
server=$!
flask demo --keep-moving >/dev/null &
others=$!
case "${PORTAL_ENGINE:-on}" in
[Oo][Ff][Ff]) ;;
*)
    flask worker --threads 4 &
    others="$others $!"
    ;;
esac
# A shell's background commands do not hear Ctrl-C: whatever ends this script ends them.
stop() {
    trap - INT TERM EXIT
    # shellcheck disable=SC2086 (several processes)
    kill "$server" $others 2>/dev/null || true
    # shellcheck disable=SC2086
    wait "$server" $others 2>/dev/null || true
}
trap 'stop; exit 0' INT TERM
trap stop EXIT
wait "$server"
