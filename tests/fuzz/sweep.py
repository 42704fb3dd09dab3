"""Asks every address for what was imported, follows what pages offer, and notes what is wrong."""

import html
import json
import logging
import re
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from traceback import extract_tb
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect, Rule
from werkzeug.test import TestResponse

from portal.errors import is_api
from tests.authorization.table import TABLE, Api, Page

MOST_BYTES = 1_500_000
"""Of a page or fragment, whatever is stored."""

MADE_HERE = {
    "GET /ping/<ping_key>/<slug>",
    "GET /ping/<ping_key>/<slug>/<what>",
    "GET /views/<view_id>",
    "GET /views/<view_id>/delete",
    "GET /views/<view_id>/edit",
    "GET /workflows/<workflow_id>/runs/<run_id>/steps/<position>/log.txt",
    "GET /workflows/<workflow_id>/schedule/remove",
    "GET /workflows/<workflow_id>/versions/<number>",
    "GET /workflows/<workflow_id>/versions/<number>/definition",
}
"""Routes about what no import brings."""

_NAME = re.compile(r"{(\w+)}")
_LINK = re.compile(r'\s(href|hx-get|src)="([^"]*)"')
_NO_NUMBER = re.compile(r"\b(?:nan|inf|infinity)\b", re.IGNORECASE)
_SIZE_OR_QUOTE = re.compile(r"[\d.]+ MB|: ….*…")
_SHELL = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>", re.DOTALL)

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """Something that addresses are asked about: its kind, and what stands for the names in routes."""

    kind: str
    arguments: Arguments

    def beside(self, other: "Subject") -> "Subject":
        """The same with what it does not say itself taken from another one."""
        return Subject(self.kind, {**other.arguments, **self.arguments})


@dataclass(frozen=True)
class Failure:
    route: str
    kind: str
    what: str
    path: str


@dataclass
class Callers:
    """Who asks: a browser for pages, a script with a key, and with a session token where no key will do."""

    browser: FlaskClient
    script: FlaskClient
    key: Mapping[str, str]
    token: Mapping[str, str]


@dataclass
class Sweep:
    app: Flask
    callers: Callers
    failures: list[Failure] = field(default_factory=list)
    asked: set[tuple[str, bool]] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    good: set[str] = field(default_factory=set)
    """Routes that answered with what was asked for."""
    took: list[tuple[float, str, str]] = field(default_factory=list)
    """Seconds, kind and path of each answer: to be read by people only."""
    _followed: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """How often links of a shape were followed: of an address and names of parameters."""
    _urls: MapAdapter = field(init=False)
    _causes: "_Causes" = field(init=False)

    def __post_init__(self) -> None:
        self._urls = self.app.url_map.bind("127.0.0.1:8000")
        self._causes = _Causes()

    def routes(self) -> Iterator[tuple[str, Rule]]:
        """Every route that answers GET, as the table of routes names it."""
        for rule in self.app.url_map.iter_rules():
            if "GET" in (rule.methods or ()):
                yield f"GET {rule.rule}", rule

    def ask_every_route(
        self, subjects: Sequence[Subject], queries: Mapping[str, Sequence[str]], most: int
    ) -> None:
        """Ask each route about each subject that has all of its arguments: plainly, and with its queries.

        Of these `most` for each subject, by turns. A route with other arguments is reached by links.
        """
        for route, rule in self.routes():
            fitting = [each for each in subjects if rule.arguments <= each.arguments.keys()]
            for place, subject in enumerate(fitting):
                arguments = {name: subject.arguments[name] for name in rule.arguments}
                path = self._urls.build(rule.endpoint, arguments)
                for query in ("", *_turn(queries.get(route, ()), place * most, most)):
                    if set(_NAME.findall(query)) <= subject.arguments.keys():
                        self.ask(route, subject, path + query.format(**subject.arguments))

    def miss_none(self) -> None:
        """Note the routes that gave nothing, neither by name nor by a link: there, nothing was tried."""
        for route, rule in self.routes():
            row = TABLE.get(route)
            if route not in self.good | MADE_HERE and (row is None or row.ok < 400):
                names = ", ".join(sorted(rule.arguments)) or "nothing"
                self._note(route, "", f"gave nothing; its address takes {names}", rule.rule)

    def ask(self, route: str, subject: Subject, path: str) -> TestResponse | None:
        """Ask as who may, fragments as htmx does; None where it was asked before."""
        row = TABLE.get(route)
        fragment = isinstance(row, Page) and row.fragment
        if row is None:  # a new one: both ways
            self._ask(route, subject, path, fragment=True)
        return self._ask(route, subject, path, fragment)

    def follow(self, route: str, subject: Subject, path: str, most: int) -> None:
        """Ask for a page and for what it and its links offer, at most so many addresses.

        Links of the shapes come first that were followed least, whatever they were followed from.
        """
        waiting = [(route, (route,), path, False)]
        while waiting and most:
            nearest = min(range(len(waiting)), key=lambda place: (self._followed[waiting[place][1]], place))
            route, shape, path, fragment = waiting.pop(nearest)
            answer = self._ask(route, subject, path, fragment, offered=True)
            if answer is None:
                continue
            most -= 1
            self._followed[shape] += 1
            found = list(_links(answer)) if answer.mimetype == "text/html" else []
            if answer.location:
                found.append((answer.location, False))
            waiting += [(*self._shape(link), link, part) for link, part in dict.fromkeys(found)]

    def _shape(self, link: str) -> tuple[str, tuple[str, ...]]:
        parts = urlsplit(link)
        try:
            rule, _ = self._urls.match(parts.path, "GET", return_rule=True)
        except (HTTPException, RequestRedirect):
            return "no route", (parts.path,)
        names = sorted({word.partition("=")[0] for word in parts.query.split("&")})
        return f"GET {rule.rule}", (rule.rule, *names)

    def _ask(
        self, route: str, subject: Subject, path: str, fragment: bool, offered: bool = False
    ) -> TestResponse | None:
        if (path, fragment) in self.asked:
            return None
        self.asked.add((path, fragment))
        headers = {"HX-Request": "true"} if fragment else {}
        client = self.callers.browser
        if is_api(path):
            row = TABLE.get(route)
            client = self.callers.script
            needs_person = isinstance(row, Api) and row.scope is None
            headers |= self.callers.token if needs_person else self.callers.key
        self._causes.last = ""
        begun = time.monotonic()
        answer = client.get(path, headers=headers)
        self.took.append((time.monotonic() - begun, subject.kind, path))
        self.statuses[answer.status_code] += 1
        if answer.status_code < 400:
            self.good.add(route)
        for what in (*self._wrong(answer), *(_dead_end(answer) if offered else ())):
            self._note(route, subject.kind, what, path)
        return answer

    def _note(self, route: str, kind: str, what: str, path: str) -> None:
        self.failures.append(Failure(route, kind, what, path))

    def _wrong(self, answer: TestResponse) -> Iterator[str]:
        if answer.status_code >= 500:
            yield f"{answer.status_code} {self._causes.last}".strip()
        elif answer.mimetype == "text/html":
            if len(answer.data) > MOST_BYTES:
                yield f"is {len(answer.data) / 1e6:.1f} MB long"
            if found := _NO_NUMBER.search(_SHELL.sub("", answer.text)):
                around = answer.text[max(found.start() - 60, 0) : found.end() + 20]
                yield f"shows {found[0]}: …{' '.join(around.split())}…"
        elif answer.mimetype == "application/json":
            try:
                json.loads(answer.data, parse_constant=_refuse, parse_int=str)
            except ValueError as error:
                yield f"is not JSON: {error}"
        elif answer.mimetype == "application/zip":
            try:
                damaged = zipfile.ZipFile(BytesIO(answer.data)).testzip()
            except zipfile.BadZipFile as error:
                damaged = str(error)
            if damaged is not None:
                yield f"is a damaged archive: {damaged!r}"

    def __enter__(self) -> "Sweep":
        logging.getLogger("portal").addHandler(self._causes)
        logging.getLogger("portal").propagate = False  # the report says it shorter
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("portal").removeHandler(self._causes)
        logging.getLogger("portal").propagate = True

    def report(self) -> list[str]:
        """What went wrong: each once for a route and a cause, with how often and an example."""
        grouped: dict[tuple[str, str], list[Failure]] = {}
        for failure in self.failures:
            cause = _SIZE_OR_QUOTE.sub("", failure.what)
            grouped.setdefault((failure.route, cause), []).append(failure)
        return [_told(alike) for alike in grouped.values()]

    def slowest(self) -> list[str]:
        return [f"{seconds:.1f} s {kind} {path[:150]}" for seconds, kind, path in sorted(self.took)[:-9:-1]]


def _told(alike: Sequence[Failure]) -> str:
    first = alike[0]
    by_kind = {each.kind: f"{each.kind}: {each.what[:160]}" for each in reversed(alike)}
    kinds = [by_kind[kind] for kind in list(dict.fromkeys(each.kind for each in alike))[:12]]
    return "\n    ".join([f"{first.route}, {len(alike)} times, first {first.path[:300]}", *kinds])


def _turn(queries: Sequence[str], begin: int, most: int) -> Sequence[str]:
    """So many of them from this one on, as if they stood in a circle."""
    begin = begin % (len(queries) or 1)
    return [*queries, *queries][begin : begin + min(most, len(queries))]


class _Causes(logging.Handler):
    """Remembers why the last request failed."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            frames = extract_tb(error.__traceback__)
            ours = [each for each in frames if "/portal/" in each.filename or "/templates/" in each.filename]
            where = [f"{each.filename.rpartition('/')[2]}:{each.lineno}" for each in ours[-2:]]
            self.last = f"{type(error).__name__}: {str(error)[:150]} ({' '.join(where)})"


def _links(answer: TestResponse) -> Iterator[tuple[str, bool]]:
    """The addresses of ours that a page offers, and whether htmx asks for them."""
    for attribute, text in _LINK.findall(answer.text):
        link = html.unescape(text)
        if link.startswith("?"):
            link = urlsplit(answer.request.path).path + link
        if link.startswith("/") and not link.startswith("/static/"):
            yield link.partition("#")[0], attribute == "hx-get"


def _dead_end(answer: TestResponse) -> Iterator[str]:
    if 400 <= answer.status_code < 500:
        yield f"{answer.status_code} at an address that a page offers"


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")
