"""Dagster: runs with their steps, as a query of its GraphQL API gives them."""

from collections.abc import Iterator, Mapping

from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import json_values
from portal.history.sources.reading.reader import Input, Line, Made, Source, each
from portal.history.sources.reading.record import Record, flatten
from portal.history.sources.reading.values import from_seconds, identifier, labels, person, workflow

SYSTEM = "dagster"
QUERY = (
    "{ runsOrError { ... on Runs { results { runId status jobName creationTime startTime endTime updateTime "
    "rootRunId parentRunId runConfig tags { key value } "
    "repositoryOrigin { repositoryName repositoryLocationName } "
    "stepStats { stepKey status startTime endTime attempts { startTime endTime } } } } } }"
)
"""What the reader can use; fields that are left out of a query are left out of the history."""

_RUNS: Mapping[str, tuple[str, str | None]] = {
    "NOT_STARTED": ("pending", None),
    "QUEUED": ("pending", None),
    "MANAGED": ("pending", None),
    "STARTING": ("pending", None),
    "STARTED": ("running", None),
    "CANCELING": ("running", None),
    "SUCCESS": ("completed", "succeeded"),
    "FAILURE": ("failed", "failed"),
    "CANCELED": ("cancelled", "aborted"),
}
_STEPS: Mapping[str, tuple[str, str | None]] = {
    "IN_PROGRESS": ("running", None),
    "SUCCESS": ("completed", "succeeded"),
    "FAILURE": ("failed", "failed"),
    "SKIPPED": ("cancelled", "skipped"),
}
_CAUSES = {
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "event",
    "dagster/backfill": "other",
    "dagster/auto_materialize": "event",
}


def read(source: Input) -> Iterator[Made]:
    for found in json_values(source):
        if isinstance(found, BadField):
            yield found
            continue
        runs = (run for place in flatten(found.value, found.path) for run in _runs(*place))
        yield from each(runs, lambda place: _lines(Record(*place), source.source(SYSTEM)))


def _runs(value: object, path: str) -> Iterator[tuple[object, str]]:
    """The runs of an answer: below `data`, in a list of results or one alone."""
    while isinstance(value, dict) and len(inner := [key for key in _WRAPPERS if key in value]) == 1:
        value, path = value[inner[0]], f"{path}{'.' if path and not path.endswith(': ') else ''}{inner[0]}"
    yield from flatten(value, path)


_WRAPPERS = ("data", "runsOrError", "runOrError", "pipelineRunsOrError", "results")


def _lines(run: Record, source: str) -> Iterator[Line]:
    if "runId" not in run:
        said = run.value("errors") or run.value("message")
        raise BadField(run.path, f"is an error of Dagster: {said}." if said else "is no run of Dagster.")
    word = run.need("status")
    if word not in _RUNS:
        raise run.fault("status", f"is {word[:50]}, which this reader does not know.")
    status, outcome = _RUNS[word]
    tags = {tag.need("key"): tag.value("value") for tag in run.records("tags")}
    fitting, others = labels(tags)
    parent = run.text("parentRunId")
    yield {
        "type": "run",
        "source": source,
        "external_id": run.need("runId"),
        "workflow": _job(run),
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "created_at": _moment(run, "creationTime"),
        "started_at": _moment(run, "startTime"),
        "completed_at": _moment(run, "endTime"),
        "updated_at": _moment(run, "updateTime"),
        **_cause(tags, parent),
        "rerun_of": {"external_id": parent} if parent else None,
        "parameters": run.mapping("runConfig"),
        "labels": fitting,
        "steps": [line for step in run.records("stepStats") for line in _steps(step)] or None,
        "dagster": {**(run.rest("__typename", "id", "parentRunId") or {}), "tags": others},
    }


def _job(run: Record) -> dict[str, object]:
    """The job by its name, and by its place in the code where the answer has it."""
    name = run.text("jobName") or run.need("pipelineName")
    origin = run.record("repositoryOrigin")
    if origin is None:
        return workflow(name)
    place = (origin.text("repositoryLocationName"), origin.text("repositoryName"), name)
    return workflow(name, external_id=identifier("/".join(part for part in place if part)))


def _cause(tags: Mapping[str, object], parent: str | None) -> Line:
    user = tags.get("user") or tags.get("dagster/user")
    triggered_by = person(SYSTEM, user, kind="person") if isinstance(user, str) and user else None
    if parent:
        return {"trigger": "retry", "triggered_by": triggered_by}
    for tag, kind in _CAUSES.items():
        if isinstance(name := tags.get(tag), str):
            return {"trigger": kind, "trigger_name": name}
    return {"trigger": "person" if triggered_by else None, "triggered_by": triggered_by}


def _steps(step: Record) -> Iterator[Line]:
    """A step of each attempt: those before the last have failed, or there would have been no other."""
    word = step.text("status") or "IN_PROGRESS"
    if word not in _STEPS:
        raise step.fault("status", f"is {word[:50]}, which this reader does not know.")
    status, outcome = _STEPS[word]
    attempts = step.records("attempts") or [step]
    key = step.need("stepKey")
    for number, attempt in enumerate(attempts, 1):
        is_last = number == len(attempts)
        yield {
            "node_id": key,
            "name": key,
            "iteration": number,
            "status": status if is_last else "failed",
            "outcome": outcome if is_last else "failed",
            "source_status": word if is_last else None,
            "started_at": _moment(attempt, "startTime"),
            "completed_at": _moment(attempt, "endTime"),
            "dagster": step.rest("startTime", "endTime") if is_last else None,
        }


def _moment(record: Record, field: str) -> str | None:
    """A time in seconds since 1970, with a fraction."""
    seconds = record.number(field)
    try:
        return None if seconds is None else from_seconds(seconds)
    except (OverflowError, ValueError):
        raise record.fault(field, "is outside the calendar.") from None


READER = Source(
    name=SYSTEM,
    title="Dagster",
    reads="Runs with their steps, as this query of the GraphQL API gives them.",
    commands=(
        f"curl -H 'Content-Type: application/json' https://HOST/graphql -d '{{\"query\":\"{QUERY}\"}}' "
        "> runs.json",
        "flask import --from dagster runs.json",
    ),
    read=read,
)
