"""Secrets that a page shows a single time: the session cookie carries them from the form to the next page."""

from flask import Response, make_response, session

_SESSION_KEY = "shown_once"


def store(subject: str, secret: str) -> None:
    """Store a secret for the next page about this subject. It replaces one that was never shown."""
    session[_SESSION_KEY] = [subject, secret]


def take(subject: str) -> str | None:
    """The secret about this subject, which is then forgotten."""
    if session.get(_SESSION_KEY, [None])[0] != subject:
        return None
    secret: str = session.pop(_SESSION_KEY)[1]
    return secret


def uncached(html: str, status: int = 200) -> Response:
    """A page that no cache stores, since it may show a secret."""
    answer = make_response(html, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer
