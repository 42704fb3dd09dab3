"""Every method of every address, tried by everybody on own, foreign, mixed, absent and garbled objects."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.answer_rules import faults
from tests.authorization.table import ADMIN, TABLE, Api, Ingest, Open, Page, Row
from tests.authorization.world import OURS, SAME, THEIRS, Caller, World, built_world

LEAST_CELLS = {Api: 3000, Page: 1500, Open: 50, Ingest: 30}
"""A part of the table each, so that two processes can share the work."""

_FREE_TEXT = frozenset(
    {
        "node_id",
        "node_type",
        "audio_id",
        "name",
        "token",
        "provider_name",
        "model_name",
        "position",
        "number",
        "ping_key",
        "slug",
        "what",
    }
)
"""Arguments that are no ids of ours: any text will do."""
_VARIANTS = {
    0: ("own",),
    1: ("own", "foreign", "absent", "garbled"),
    2: (
        "own own",
        "own foreign",
        "own absent",
        "own garbled",
        "foreign own",
        "foreign foreign",
        "foreign absent",
        "absent own",
        "absent absent",
        "garbled own",
    ),
}
"""Which objects stand in an address of so many ids."""
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Cell:
    """One request: who, what, on which objects."""

    route: str
    row: Row
    caller: Caller
    variant: str

    def __str__(self) -> str:
        return f"{self.route} by {self.caller.name} on {self.variant}"

    @property
    def method(self) -> str:
        return self.route.split(" ", 1)[0]

    @property
    def rule(self) -> str:
        return self.route.split(" ", 1)[1]


@pytest.fixture
def world(environment: dict[str, str], tmp_path: Path) -> Iterator[World]:
    with built_world(environment, tmp_path) as world:
        yield world


@pytest.mark.parametrize(
    "part",
    [pytest.param(Api, marks=pytest.mark.slow), pytest.param(Page, marks=pytest.mark.slow), Open],
    ids=lambda part: part.__name__.lower(),
)
def test_nobody_gets_more_than_the_table_says_and_nothing_shows_what_is_foreign(
    world: World, part: type[Row]
) -> None:
    wrong: list[str] = []
    bodies: dict[tuple[str, str, str], str] = {}
    tried = 0
    for cell in _cells(world, part):
        answer = _ask(world, cell)
        tried += 1
        wanted = _expected(cell)
        if answer.status_code != wanted:
            wrong.append(f"{cell}: {answer.status_code}, expected {wanted}")
        wrong += [f"{cell}: {fault}" for fault in faults(answer)]
        word = OURS if cell.caller.theirs else THEIRS
        if not isinstance(cell.row, Open) and word in _shown(answer, world):
            wrong.append(f"{cell}: shows {word}")
        if answer.status_code in (200, 404):
            bodies[cell.route, cell.caller.name, cell.variant] = _shown(answer, world)
        if (cell.method != "GET" or isinstance(cell.row, Ingest)) and answer.status_code < 400:
            world.restore()
    wrong += _oracles(bodies)
    assert wrong == []
    assert tried >= LEAST_CELLS[part]


def _cells(world: World, part: type[Row]) -> Iterator[Cell]:
    for route, row in TABLE.items():
        if not isinstance(row, part):
            continue
        arguments = set(_ARGUMENT.findall(route + _query(row))) - _FREE_TEXT
        variants = ("own",) if isinstance(row, Open | Ingest) else _VARIANTS[len(arguments)]
        callers = [caller for caller in world.callers if _matters(row, caller)]
        for caller, variant in itertools.product(callers, variants):
            yield Cell(route, row, caller, variant)


def _query(row: Row) -> str:
    return "" if isinstance(row, Open) else row.query


def _matters(row: Row, caller: Caller) -> bool:
    """To pages all bearer tokens are alike, to the API all cookies: one of each will do."""
    if isinstance(row, Ingest):
        return True
    if isinstance(row, Api):
        return caller.kind != "session" or caller.role == "admin"
    return caller.kind in ("nobody", "session") or caller.name in ("key with every scope", "admin (token)")


def _ask(world: World, cell: Cell) -> TestResponse:
    words = iter(cell.variant.split())
    address = cell.rule + _query(cell.row)
    path = _ARGUMENT.sub(lambda found: _id(world, cell, found[1], words), address)
    headers = SAME | cell.caller.headers
    browser: FlaskClient = cell.caller.browser or world.app.test_client()
    options: dict[str, Any] = {}
    if isinstance(cell.row, Api | Ingest):
        options = {"json": cell.row.body} if cell.row.body is not None else {}
    elif cell.method != "GET":
        options = {"data": cell.row.form}
    if isinstance(cell.row, Page) and cell.row.fragment:
        headers = headers | {"HX-Request": "true"}
    return browser.open(path, method=cell.method, headers=headers, **options)


def _id(world: World, cell: Cell, argument: str, words: Iterator[str]) -> str:
    """What stands in an address for this argument; each id takes the next word of the variant."""
    if isinstance(cell.row, Open):
        return "garbled"
    if argument == "ping_key":
        return cell.caller.headers.get("Authorization", "none").removeprefix("Bearer ")
    if argument in _FREE_TEXT:
        return str(world.objects["theirs" if cell.caller.theirs else "ours"][argument])
    word = next(words)
    if word == "garbled":
        return word
    if word == "absent":
        return "Absent00" if argument == "template_id" else str(uuid4())
    ours = (word == "own") != cell.caller.theirs
    return str(world.objects["ours" if ours else "theirs"][argument])


def _expected(cell: Cell) -> int:
    if isinstance(cell.row, Open):
        signed_in = cell.caller.kind == "session" and cell.row.signed_in is not None
        return cell.row.signed_in if signed_in and cell.row.signed_in else cell.row.ok
    if isinstance(cell.row, Ingest):
        return cell.row.ok if cell.caller.kind == cell.row.kind else cell.row.refused
    if isinstance(cell.row, Api):
        return _expected_of_api(cell, cell.row)
    return _expected_of_page(cell, cell.row)


def _expected_of_api(cell: Cell, row: Api) -> int:
    """In the order of the contract (1.4): 401, 403, 422, 404."""
    caller = cell.caller
    if caller.kind in ("nobody", "session", "bad", "history", "ping"):
        return 401
    if caller.kind == "key":
        if row.scope is None or (row.scope and row.scope not in caller.scopes):
            return 403
    elif caller.role is None:
        return 404  # the workspace that it names is none of its own
    elif caller.role not in row.roles and not row.hidden:
        return 403
    if "garbled" in cell.variant:
        return 422
    missing = {"absent"} if row.shared else {"foreign", "absent"}
    if not row.harmless and missing & set(cell.variant.split()):
        return 404
    if row.own_only and caller.kind == "token" and caller.role != ADMIN:
        return 404
    return 404 if caller.kind == "token" and caller.role not in row.roles else row.ok


def _expected_of_page(cell: Cell, row: Page) -> int:
    """Signed out to the door, then is the workspace mine, then does my role do, then is the rest there."""
    caller, words = cell.caller, cell.variant.split()
    if caller.kind != "session":
        return 401 if row.fragment else 302
    in_address = "<workspace_id>" in cell.rule
    if row.personal:
        return row.own.get(caller.role or "", row.ok) if set(words) == {"own"} else row.ok
    if in_address and words[0] != "own":
        return 404
    if caller.role is None or (row.found_first and set(words) != {"own"}):
        return 404
    if caller.role not in row.roles:
        return 403
    return row.own.get(caller.role, row.ok) if set(words) == {"own"} else 404


def _shown(answer: TestResponse, world: World) -> str:
    """What an answer says, without ids and moments, which may differ; and where it leads."""
    text = answer.get_data(as_text=True) + answer.headers.get("Location", "")
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "an id", text)
    text = re.sub(r'"id":"[0-9A-Za-z]{8}"', '"id":"an id"', text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "a moment", text)


def _oracles(bodies: dict[tuple[str, str, str], str]) -> list[str]:
    """Where a foreign object is answered otherwise than one that is not there, for who gets an answer."""
    told = []
    for (route, caller, variant), body in bodies.items():
        row = TABLE[route]
        if isinstance(row, Api) and row.shared:
            continue
        twin = bodies.get((route, caller, variant.replace("foreign", "absent")))
        if "foreign" in variant and twin is not None and twin != body:
            told.append(f"{route} by {caller}: {variant} reads otherwise than absent")
    return told
