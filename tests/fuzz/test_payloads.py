"""Every route, wherever it reads something, is sent what attackers send: no failure, no echo, no way out.

`PORTAL_TEST_PAYLOADS` says how many requests; `make fuzz` makes them many.
"""

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.answer_rules import faults
from tests.authorization.table import TABLE, Api, Ingest, Row
from tests.authorization.world import SAME, Caller, World, built_world

pytestmark = pytest.mark.slow

HOST = "portal.example"
BASE_URL = f"https://{HOST}"
WANTED = int(os.environ.get("PORTAL_TEST_PAYLOADS", "800"))

MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "<b hx-get=/logout hx-trigger=load>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<a href=javascript:alert(1)>x</a>",
    "<!--<script>alert(1)//-->",
    '"autofocus onfocus=alert(1) x="',
    "<iframe srcdoc='<script>alert(1)</script>'>",
    '<math><mi//xlink:href="data:x,<script>alert(1)</script>">',
    "\u2028<script>alert(1)</script>",
    "＜script＞alert(1)＜/script＞",
]
"""What must never stand in a page as it is."""
OFF_SITE = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "https:evil.example",
    "%2f%2fevil.example",
    "/%09/evil.example",
    f"https://{HOST}@evil.example",
    f"https://{HOST}.evil.example",
    "javascript:alert(1)",
    "///evil.example/%2f..",
]
OTHERS = [
    *("", " ", "\0", "a\0b", "\x1b[31mred", "\r\nX-Injected: yes", "\n", "\t", "\x7f", "\x85", "\u00a0"),
    *("\ufeff", "\u202eevil", "\u200b", "\ud7ff", "\uffff", "\U0010ffff", "e\u0301" * 60, "İ", "ß", "ﬃ"),
    *("x" * 101, "x" * 2001, "9" * 30, "9" * 5000, "-1", "0", "1e9", "0x10", "٣", "NaN", "Infinity", "true"),
    *("null", "[]", "{}", "[[[[", '{"a":1,"a":2}', "a,b,,c", "completed,failed,completed"),
    *("' OR '1'='1", "'; DROP TABLE runs;--", '" OR 1=1--', "1) UNION SELECT 1--", "%", "_", "\\", "%_\\"),
    *("../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "....//", "/etc/passwd", "file:///etc/passwd"),
    *(
        "{{7919*7907}}",
        "${7919*7907}",
        "#{7919*7907}",
        "{%raw%}",
        "%(x)s",
        "%s%s%n",
        "{0.__class__}",
        "$(id)",
        "`id`",
        "|id",
    ),
    *(
        "=1+1",
        "@SUM(1)",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "2026-02-30",
        "1970-01-01",
    ),
    *(
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "urn:uuid:1",
        "__proto__",
    ),
    *(
        "2147483648",
        "9223372036854775808",
        "-9223372036854775809",
        "1.7976931348623157e309",
        "(((((a)*)*)*)*)$",
    ),
]
PAYLOADS = [*MARKUP, *OFF_SITE, *OTHERS]
QUERY = (
    *("offset", "limit", "page", "status", "search", "sort", "order", "from", "to", "q", "workflow", "days"),
    *("next", "kind", "actor", "name", "from_ms", "to_ms", "node_type", "include", "v", "part", "expires"),
    *("signature", "code", "state", "error", "iss", "shown", "next_number", "has_failed_run"),
)
HEADERS = (
    *("User-Agent", "Referer", "HX-Current-URL", "HX-Source", "X-Workspace-Id", "X-Forwarded-Host"),
    *("X-Forwarded-For", "X-Forwarded-Prefix", "X-Original-URL", "X-HTTP-Method-Override", "If-None-Match"),
    *("Accept", "Accept-Encoding", "Accept-Language", "Range", "If-Range", "Content-Type", "X-Request-Id"),
    *("Authorization", "Cookie"),
)
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_INSIDE = re.compile(
    r"Traceback \(most|sqlalchemy|psycopg|sqlite3|OperationalError|jinja2|werkzeug\.|root:x:0|portal/\w+\.py",
    re.I,
)
"""Words of our inside."""


@dataclass(frozen=True)
class Place:
    """Somewhere that a request carries text of its sender."""

    route: str
    row: Row
    kind: str
    """argument, query, form, body or header"""
    name: str


@dataclass
class Request:
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    form: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None


@pytest.fixture
def world(environment: dict[str, str], tmp_path: Path) -> Iterator[World]:
    with built_world(environment | {"PORTAL_BASE_URL": BASE_URL}, tmp_path, base_url=BASE_URL) as world:
        yield world


def test_no_payload_breaks_a_route_is_echoed_as_markup_or_leads_away(world: World) -> None:
    callers = {caller.name: caller for caller in world.callers}
    browser, script = callers["admin (session)"], callers["admin (token)"]
    cookie = _cookie_of(browser)
    sent, wrong = 0, []
    for place, payload in _trials():
        caller = script if isinstance(place.row, Api) else browser
        if isinstance(place.row, Ingest):
            caller = callers[f"{place.row.kind} key"]
        request = _request(world, place, caller, cookie)
        if not _put(request, place, payload):
            continue
        answer = _send(world, place, request)
        sent += 1
        wrong += [
            f"{place.route} {place.kind} {place.name} {payload[:50]!r}: {fault}"
            for fault in _judged(answer, payload)
        ]
        if not place.route.startswith("GET ") and answer.status_code < 400:
            world.restore()
    assert wrong[:20] == []
    assert sent >= WANTED * 0.9  # a few cannot be sent at all


def _trials() -> Iterator[tuple[Place, str]]:
    """As many as asked for, spread evenly over all places and payloads."""
    every = list(itertools.product(_places(), PAYLOADS))
    stride = max(1, len(every) // WANTED)
    return iter(every[::stride])


def _places() -> Iterator[Place]:
    for route, row in TABLE.items():
        for name in _ARGUMENT.findall(route):
            yield Place(route, row, "argument", name)
        for name in QUERY if route.startswith("GET ") else ():
            yield Place(route, row, "query", name)
        for name in () if isinstance(row, Api | Ingest) else row.form:
            yield Place(route, row, "form", name)
        for name in (row.body or {}) if isinstance(row, Api | Ingest) else {}:
            yield Place(route, row, "body", name)
        for name in HEADERS:
            yield Place(route, row, "header", name)


def _cookie_of(caller: Caller) -> str:
    assert caller.browser is not None
    kept = caller.browser.get_cookie("__Host-portal", domain=HOST)
    assert kept is not None
    return f"__Host-portal={kept.value}"


def _request(world: World, place: Place, caller: Caller, cookie: str) -> Request:
    ours = world.objects["ours"] | {"token": "x", "filename": "portal.css", "hook_id": "x"}
    path = _ARGUMENT.sub(lambda found: str(ours[found[1]]), place.route.split(" ", 1)[1])
    request = Request(path, headers=SAME | caller.headers)
    if caller.kind == "session":
        request.headers["Cookie"] = cookie
    if isinstance(place.row, Api | Ingest):
        request.body = dict(place.row.body) if place.row.body is not None else None
    else:
        request.form = dict(place.row.form)
        if getattr(place.row, "fragment", False):
            request.headers["HX-Request"] = "true"
    return request


def _put(request: Request, place: Place, payload: str) -> bool:
    """Put the payload there, if it can be put there at all."""
    if place.kind == "argument":
        template = place.route.split(" ", 1)[1]
        around = re.split(rf"<(?:\w+:)?{place.name}>", template)
        begin = len(_ARGUMENT.sub("{}", around[0]).split("/")) - 1
        words = request.path.split("/")
        words[begin] = quote(payload, safe="")
        request.path = "/".join(words)
    elif place.kind == "query":
        request.query[place.name] = payload
    elif place.kind == "form":
        request.form[place.name] = payload
    elif place.kind == "body":
        assert request.body is not None
        request.body[place.name] = payload
    else:
        if "\r" in payload or "\n" in payload or "\0" in payload:
            return False  # no server lets these through
        request.headers[place.name] = payload.encode().decode("latin-1")
    return True


def _send(world: World, place: Place, request: Request) -> TestResponse:
    client: FlaskClient = world.app.test_client(use_cookies=False)
    options: dict[str, Any] = {"json": request.body} if request.body is not None else {}
    if not isinstance(place.row, Api | Ingest) and not place.route.startswith("GET "):
        options = {"data": request.form}
    return client.open(
        request.path,
        method=place.route.split(" ", 1)[0],
        query_string=request.query or None,
        headers=request.headers,
        base_url=BASE_URL,
        **options,
    )


def _judged(answer: TestResponse, payload: str) -> Iterator[str]:
    yield from faults(answer, secure=True)
    if answer.status_code >= 500:
        yield f"status {answer.status_code}"
    text = answer.get_data(as_text=True) if answer.mimetype.startswith(("text/", "application/json")) else ""
    if answer.mimetype == "text/html" and payload in MARKUP and payload in text and "＜" not in payload:
        yield "stands in the page as it is"
    if "62615533" in text:
        yield "was computed"
    if found := _INSIDE.search(text):
        yield f"shows {found[0]}"
    location = answer.headers.get("Location") or answer.headers.get("HX-Redirect") or ""
    if location and not _is_ours(location):
        yield f"leads to {location}"
    if "X-Injected" in answer.headers:
        yield "makes a header"


def _is_ours(location: str) -> bool:
    parts = urlsplit(location)
    if parts.scheme or parts.netloc:
        return (parts.scheme, parts.netloc) == ("https", HOST)
    return location.startswith("/") and not location.startswith(("//", "/\\"))
