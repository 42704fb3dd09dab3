"""Secrets that are shown once: the browser's own cookie takes them from the form to the next page."""

from flask import Response, make_response, session

_KEPT = "shown_once"


def keep(subject: str, secret: str) -> None:
    """Keep a secret for the next page about this subject; it replaces one that was never shown."""
    session[_KEPT] = [subject, secret]


def take(subject: str) -> str | None:
    """The secret about this subject, now forgotten."""
    if session.get(_KEPT, [None])[0] != subject:
        return None
    secret: str = session.pop(_KEPT)[1]
    return secret


def unstored(html: str) -> Response:
    """A page that no cache keeps, since it may show a secret."""
    answer = make_response(html)
    answer.headers["Cache-Control"] = "no-store"
    return answer
