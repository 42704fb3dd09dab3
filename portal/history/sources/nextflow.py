"""Nextflow: the execution trace of a run, a table of its tasks with a tab between columns."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from portal.history.files.retrieve import Unreadable
from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import text_lines
from portal.history.sources.reading.reader import Input, Line, Made, Source
from portal.history.sources.reading.values import (
    earliest,
    from_milliseconds,
    identifier,
    later,
    latest,
    local,
    worded_duration,
    workflow,
)

SYSTEM = "nextflow"
MAX_TASKS = 200_000
"""A trace is one run, which is held in memory."""

_STATES: Mapping[str, tuple[str, str | None]] = {
    "NEW": ("pending", None),
    "SUBMITTED": ("pending", None),
    "RUNNING": ("running", None),
    "COMPLETED": ("completed", "succeeded"),
    "CACHED": ("completed", "cached"),
    "FAILED": ("failed", "failed"),
    "ABORTED": ("cancelled", "aborted"),
}
_FORMS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S")
_PROCESS = re.compile(r"(\S+)(?: \(.*\))?")
_USED = ("name", "status", "exit", "submit", "start", "complete", "attempt", "process")

Row = dict[str, str]


def read(source: Input) -> Iterator[Made]:
    """One line: the run with its tasks. The trace names neither, so the file and its first task do."""
    columns: list[str] = []
    steps: list[Line] = []
    names: dict[str, str] = {}
    tries: dict[str, int] = {}
    first = ""
    for number, text in text_lines(source):
        if not text.strip():
            continue
        cells = text.split("\t")
        if not columns:
            columns = _columns(cells)
            continue
        if len(steps) == MAX_TASKS:
            raise Unreadable(f"A trace may have {MAX_TASKS:,} tasks.")
        try:
            row = _row(columns, cells, number)
            step = _step(row, number, names, tries, source)
        except BadField as fault:
            yield fault
            continue
        steps.append(step)
        if not first and step["outcome"] != "cached":
            first = f"{row.get('hash') or row.get('task_id')}@{row.get('submit')}"
    if not columns:
        raise Unreadable("The file is empty.")
    yield _run(source, steps, first)


def _columns(cells: list[str]) -> list[str]:
    columns = [cell.strip() for cell in cells]
    if not {"name", "status"} <= set(columns):
        raise Unreadable(
            "The first line must name the columns, name and status among them, with tabs between."
        )
    return columns


def _row(columns: list[str], cells: list[str], number: int) -> Row:
    if len(cells) != len(columns):
        raise BadField(f"line {number}", f"has {len(cells)} columns; the first line has {len(columns)}.")
    return {
        name: said
        for name, cell in zip(columns, cells, strict=True)
        if (said := cell.strip()) not in ("", "-")
    }


def _step(row: Row, number: int, names: dict[str, str], tries: dict[str, int], source: Input) -> Line:
    word, name = row.get("status", ""), row.get("name", "")
    if word not in _STATES:
        raise BadField(f"line {number} status", f"is {word[:50]}, which this reader does not know.")
    if not name:
        raise BadField(f"line {number} name", "is missing.")
    status, outcome = _STATES[word]
    task = row.get("task_id", name)
    node_id = name if names.setdefault(name, task) == task else f"{name} #{task}"
    tries[node_id] = int(row["attempt"]) if row.get("attempt", "").isdigit() else tries.get(node_id, 0) + 1
    process = _PROCESS.match(name)
    exit_code = row.get("exit", "")
    left = {column: value for column, value in row.items() if column not in _USED}
    step: Line = {
        "node_id": node_id,
        "node_type": row.get("process") or (process[1] if process else None),
        "name": name,
        "iteration": max(tries[node_id], 1),
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "exit_code": int(exit_code) if exit_code.isdigit() and len(exit_code) < 10 else None,
    }
    if outcome == "cached":  # its times are those of the run that did the work
        times = {column: row[column] for column in ("submit", "start", "complete") if column in row}
        return step | {"nextflow": left | times}
    return step | _times(row, number, source) | {"nextflow": left}


def _times(row: Row, number: int, source: Input) -> Line:
    """Submitted, begun and ended: where a column lacks, by the durations, which are all that traces have."""
    submitted, begun, ended = (
        _moment(row, column, number, source) for column in ("submit", "start", "complete")
    )
    whole, real = (worded_duration(row.get(column, "")) for column in ("duration", "realtime"))
    derived = {}
    try:
        if ended is None and submitted and whole is not None:
            ended = later(submitted, whole)
            derived["completed_at_from"] = "submit + duration"
        if begun is None and ended and real is not None:
            begun = later(ended, -real)
            derived["started_at_from"] = "complete - realtime"
    except OverflowError:
        raise BadField(f"line {number} duration", "leads outside the calendar.") from None
    return {"created_at": submitted, "started_at": begun, "completed_at": ended, **derived}


def _moment(row: Row, column: str, number: int, source: Input) -> str | None:
    """A time in the zone of the command, or in milliseconds since 1970, as raw traces have them."""
    said = row.get(column)
    if said is None:
        return None
    try:
        return from_milliseconds(int(said)) if said.isdigit() else local(said, _FORMS, source.reading.zone)
    except (ValueError, OverflowError):
        reason = "must be a time such as 2022-11-03 22:11:13.833, or milliseconds since 1970."
        raise BadField(f"line {number} {column}", reason) from None


def _run(source: Input, steps: list[Line], first: str) -> Line:
    """The run as its tasks make it: when the first was submitted, when the last ended, whether one failed."""
    own = [step for step in steps if step["outcome"] != "cached"]
    file = PurePath(source.name).name
    status, outcome = _outcome(own)
    ended = outcome is not None
    return {
        "type": "run",
        "source": source.source(SYSTEM),
        "external_id": identifier(first or file),
        "external_id_from": "the first task that ran" if first else "the name of the file",
        "workflow": workflow(source.reading.workflow or "Nextflow"),
        "status": status,
        "outcome": outcome,
        "status_from": "tasks",
        "created_at": earliest(_moments(own, "created_at")),
        "started_at": earliest(_moments(own, "started_at")),
        "started_at_from": "tasks",
        "completed_at": latest(_moments(own, "completed_at")) if ended else None,
        "completed_at_from": "tasks" if ended else None,
        "assumed_zone": str(source.reading.zone),
        "steps": steps,
        "nextflow": {"file": file},
    }


def _moments(steps: list[Line], field: str) -> Iterator[str]:
    return (value for step in steps if isinstance(value := step.get(field), str))


def _outcome(steps: list[Line]) -> tuple[str, str | None]:
    """Failed if a task was aborted, as all are when the run gives up, or if the last try of one failed."""
    last = {step["node_id"]: step["status"] for step in steps}
    words = set(last.values())
    if words & {"running", "pending"}:
        return "running", None
    return ("failed", "failed") if words & {"failed", "cancelled"} else ("completed", "succeeded")


READER = Source(
    name=SYSTEM,
    title="Nextflow",
    reads="The execution trace of one run, which `-with-trace` writes.",
    commands=(
        "nextflow run PIPELINE -with-trace trace.txt",
        "flask import --from nextflow --workflow PIPELINE --zone Europe/Berlin trace.txt",
    ),
    read=read,
)
