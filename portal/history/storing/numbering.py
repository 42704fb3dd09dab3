"""Numbers for runs that come without one: by creation within a file, a request, or a batch of a pipe.

Most sources answer with the newest run first, and many have no numbers at all. A number once given stays.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, cast
from uuid import UUID

import orjson
import sqlalchemy as sa

from portal import moments
from portal.database.engine import db
from portal.database.models import Run, Workflow
from portal.database.sql.in_lists import chunks
from portal.history.files.retrieve import Unreadable, read_lines
from portal.history.parsing.encoding import EncodedRun, NumberedLine
from portal.history.parsing.readers import BadField, Values
from portal.history.parsing.runs import Arrival, about_run, microseconds

MOST = 1_000_000
"""Runs without a number in one file: more are numbered a batch at a time, as from a pipe."""

Numbers = Mapping[UUID, int]
"""Suggested numbers by run."""

_NUMBER = re.compile(rb'"(?:run_number|ordinal)"\s*:\s*([1-9][0-9]{0,15})\b')
_MOMENTS = ("created_at", "started_at", "completed_at", "updated_at", "at")


class _Seen(NamedTuple):
    workflow_id: UUID
    created_at: int


class Numbering:
    """Collects the runs without a number, and the numbers that others bring."""

    def __init__(self) -> None:
        self._runs: dict[UUID, _Seen] = {}
        self._highest: defaultdict[UUID, int] = defaultdict(int)

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run_id: UUID, workflow_id: UUID, created_at: int) -> None:
        before = self._runs.get(run_id)
        if before is None or created_at < before.created_at:
            self._runs[run_id] = _Seen(workflow_id, created_at)

    def note(self, workflow_id: UUID, number: int) -> None:
        """Another run of this workflow brings this number."""
        self._highest[workflow_id] = max(self._highest[workflow_id], number)

    def suggest(self) -> Numbers:
        """Numbers for the runs that are not stored yet, in the order of their creation, after all others."""
        for chunk in chunks(list(self._runs)):
            for stored in db.session.scalars(sa.select(Run.id).where(Run.id.in_(chunk))):
                del self._runs[stored]
        following = {each: number + 1 for each, number in self._highest.items()}
        for chunk in chunks(list({run.workflow_id for run in self._runs.values()})):
            rows = sa.select(Workflow.id, Workflow.next_run_number).where(Workflow.id.in_(chunk))
            for workflow_id, number in db.session.execute(rows):
                following[workflow_id] = max(following.get(workflow_id, 1), number)
        numbers: dict[UUID, int] = {}
        for run_id, run in sorted(self._runs.items(), key=lambda each: (each[1].created_at, each[0].int)):
            numbers[run_id] = following.setdefault(run.workflow_id, 1)
            following[run.workflow_id] += 1
        return numbers


def with_numbers(lines: list[NumberedLine], numbers: Numbers) -> None:
    """Give the lines without a number the one that is suggested for their run."""
    if not numbers:
        return
    for position, (line_number, line) in enumerate(lines):
        if isinstance(line, EncodedRun) and _lacks_number(line):
            lines[position] = (line_number, line._replace(ordinal=numbers.get(line.id)))


def numbers_of_lines(lines: Iterable[NumberedLine]) -> Numbers:
    """Suggestions for the runs among these lines."""
    found = Numbering()
    for _, line in lines:
        if isinstance(line, EncodedRun):
            if _lacks_number(line):
                found.add(line.id, line.workflow_id, cast(int, line.counted[3]))
            else:
                found.note(line.workflow_id, line.number or line.ordinal or 0)
    return found.suggest() if len(found) else {}


def _lacks_number(line: EncodedRun) -> bool:
    return line.number is None and line.ordinal is None


def numbers_of_file(file: Path, arrival: Arrival) -> Numbers | None:
    """Suggestions for the runs of a regular file, which is read once more for them.

    None if too many have no number.
    """
    found, has_numbers = Numbering(), False
    for text in _texts(file):
        if _NUMBER.search(text) is not None:
            has_numbers = True
        elif values := _read(text):
            for run_id, workflow_id, created_at in _run_in(values, arrival):
                found.add(run_id, workflow_id, created_at)
        if len(found) > MOST:
            return None
    if len(found) and has_numbers:
        for text in _texts(file):
            number = _NUMBER.search(text)
            if number and (values := _read(text)):
                for _, workflow_id, _ in _run_in(values, arrival):
                    found.note(workflow_id, int(number[1]))
    return found.suggest() if len(found) else {}


def _texts(file: Path) -> Iterator[bytes]:
    try:
        yield from (line.text for line in read_lines(file) if line.text is not None)
    except Unreadable:
        return  # the import says so


def _read(text: bytes) -> Values | None:
    try:
        found: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None  # the import says so, or reads it more slowly
    return found if isinstance(found, dict) and found.get("type") in ("run", "step") else None


def _run_in(values: Values, arrival: Arrival) -> Iterator[tuple[UUID, UUID, int]]:
    """The run of a line, its workflow, and when it was created; nothing if the line is wrong."""
    try:
        run_id, workflow_id = about_run(values, arrival)
        written = next((values[name] for name in _MOMENTS if values.get(name) is not None), None)
        moment = moments.parse_moment(written) if isinstance(written, str) else arrival.now
    except (BadField, ValueError):
        return
    yield run_id, workflow_id, microseconds(moment)
