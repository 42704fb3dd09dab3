"""WfFormat: executions of scientific workflows as the WfCommons project writes them, version 1.5."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import read_json
from portal.history.sources.reading.reader import Input, Line, Made, Source
from portal.history.sources.reading.record import Record
from portal.history.sources.reading.values import identifier, later, link, person, workflow

SYSTEM = "wfformat"
_MONTH_FIRST = re.compile(r"(\d\d)-(\d\d)-(\d\d)(T.*)")


def read(source: Input) -> Iterator[Made]:
    def make(record: Record) -> Iterator[Line]:
        yield _run(record, source)

    return read_json(source, make)


def _run(document: Record, source: Input) -> Line:
    body = document.record("workflow")
    execution = body.record("execution") if body else None
    if body is None or execution is None:
        version = document.text("schemaVersion")
        found = f"; its schemaVersion is {version}" if version else ""
        raise BadField(document.path, f"is no execution of WfFormat 1.5, with workflow.execution{found}.")
    specification = body.record("specification")
    specified = {task.need("id"): task for task in specification.records("tasks")} if specification else {}
    name = document.need("name")
    said = execution.text("executedAt")
    begun, is_month_first = _executed_at(execution)
    lasted = execution.number("makespanInSeconds")
    author = document.record("author")
    who = author.text("name") if author else None
    tasks = execution.records("tasks")
    return {
        "type": "run",
        "source": source.source(SYSTEM),
        "external_id": identifier(f"{name}@{said}" if said else PurePath(source.name).name),
        "workflow": workflow(name, url=link(body.text("repo"))),
        "title": body.text("runName"),
        "status": "completed",
        "outcome": "succeeded",
        "status_from": "WfFormat holds executions that have ended, and no status",
        "started_at": begun,
        "started_at_from": "executedAt, read as MM-DD-YY" if is_month_first else None,
        "completed_at": _end(execution, "makespanInSeconds", begun, lasted),
        "completed_at_from": "executedAt + makespanInSeconds" if begun and lasted is not None else None,
        "triggered_by": person(SYSTEM, who, kind="person") if who else None,
        "total_nodes": len(specified) or None,
        "steps": [_step(task, specified.get(task.need("id"))) for task in tasks] or None,
        "wfformat": {
            **(document.rest() or {}),
            "machines": execution.value("machines"),
            "author": author.rest("email") if author else None,
        },
    }


def _executed_at(record: Record) -> tuple[str | None, bool]:
    """A time with its zone; some files begin it with month, day and two digits of the year."""
    said = record.text("executedAt")
    found = _MONTH_FIRST.fullmatch(said) if said else None
    if not found:
        return record.moment("executedAt"), False
    month, day, year, rest = found.groups()
    fixed = Record({"executedAt": f"20{year}-{month}-{day}{rest}"}, record.path)
    return fixed.moment("executedAt"), True


def _end(record: Record, field: str, begun: str | None, seconds: float | None) -> str | None:
    if begun is None or seconds is None:
        return None
    try:
        return later(begun, seconds * 1000)
    except OverflowError:
        raise record.fault(field, "leads outside the calendar.") from None


def _step(task: Record, specified: Record | None) -> Line:
    """A task: most files say how long it ran, and not when."""
    begun, is_month_first = _executed_at(task)
    seconds = task.number("runtimeInSeconds")
    machines = task.value("machines")
    name = (specified.text("name") if specified else None) or task.text("name")
    return {
        "node_id": task.need("id"),
        "node_type": name,
        "name": name or task.text("id"),
        "status": "completed",
        "outcome": "succeeded",
        "started_at": begun,
        "started_at_from": "executedAt, read as MM-DD-YY" if is_month_first else None,
        "completed_at": _end(task, "runtimeInSeconds", begun, seconds),
        "completed_at_from": "executedAt + runtimeInSeconds" if begun and seconds is not None else None,
        "duration_ms": round(seconds * 1000) if seconds is not None and seconds >= 0 and not begun else None,
        "worker": machines[0]
        if isinstance(machines, list) and machines and isinstance(machines[0], str)
        else None,
        "wfformat": {
            **(task.rest() or {}),
            "machines": machines if isinstance(machines, list) and len(machines) > 1 else None,
            "parents": specified.value("parents") if specified else None,
        },
    }


READER = Source(
    name=SYSTEM,
    title="WfFormat (WfCommons)",
    reads="Executions in WfFormat 1.5, a JSON file each.",
    commands=(
        "git clone --depth 1 https://github.com/wfcommons/WfInstances",
        "flask import --from wfformat WfInstances/nextflow/*/*.json",
    ),
    read=read,
)
