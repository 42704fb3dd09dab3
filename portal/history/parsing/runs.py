"""Parses a line about a run, or about one step of a run."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from portal.database.models import RunStatus
from portal.history import identity
from portal.history.parsing import readers
from portal.history.parsing.fields import known
from portal.history.parsing.fields.known import RUN_FACTS, WORKFLOW_FACTS
from portal.history.parsing.fields.people import PARTS, read_person
from portal.history.parsing.fields.said import RUN_BITS, said_by_run
from portal.history.parsing.readers import BadField, Fields, Reader, Values
from portal.history.parsing.results import RUN_KEYS, RunResults, take_results
from portal.history.parsing.steps import cleared_by, moments_of, read_step, steps_of
from portal.input import bounds
from portal.moments import EPOCH
from portal.runs.facts.duration import duration_of
from portal.runs.facts.terms import branch_of
from portal.workspaces.people import SourcePerson

Value = TypeVar("Value")

FIRST_ATTEMPT = 1

_MICROSECOND = timedelta(microseconds=1)
_FINISHED = (RunStatus.COMPLETED, RunStatus.FAILED)
_NO_MOMENT = "is missing, and so are started_at, completed_at and at."


class Arrival(NamedTuple):
    """Where and when a line arrives."""

    workspace_id: UUID
    now: datetime
    live: bool = False
    """Whether it tells of the present: a line without any moment is of now."""


class NamedWorkflow(NamedTuple):
    """The workflow of a run that names it instead of giving its id; made if it is not there."""

    name: str
    facts: tuple[tuple[str, str], ...]


class ParsedRun(NamedTuple):
    """A run as its line describes it, every field checked."""

    id: UUID
    workflow_id: UUID
    workflow: NamedWorkflow | None
    number: int | None
    ordinal: int | None
    identity: SourcePerson | None
    definition_snapshot: Values | None
    source: Values
    """Fields without a column."""
    steps: list[Values]
    digest: bytes
    """Of the content of the line, independent of the order of its keys."""
    provenance: Values | None
    """What merging needs beside the row (`history.merging`)."""
    text: bytes
    """The line itself: what it says is taken apart only where it meets another."""
    results: RunResults | None
    """None where the line has no results."""
    columns: Values
    """Columns of the run's row except its number, person, digest and version."""


RUN_COLUMNS: Mapping[str, Reader] = {
    "status": readers.status,
    "created_at": readers.moment,
    "started_at": readers.moment,
    "completed_at": readers.moment,
    "updated_at": readers.moment,
    "total_nodes": readers.count,
    "finished_nodes": readers.count,
    "total_steps": readers.count,
    "finished_steps": readers.count,
    "usage_summary": readers.object_,
    "credits": readers.count,
    "pause_requested_at": readers.moment,
    "paused_at": readers.moment,
    "paused_ms": readers.count,
    "pause_reason": readers.pause_reason,
    "pause_error": readers.text,
    "output_line_count": readers.count,
    "delivered_audio_ms": readers.count,
    "error": readers.text,
    "outcome": known.outcome,
    "trigger": known.trigger,
    "source": known.source,
}
KEPT: Mapping[str, Reader] = {
    **RUN_FACTS,
    "attempt": readers.number,
    "parent": known.related,
    "rerun_of": known.related,
}
"""Fields of a run that are checked, and stored with the unknown ones."""
_OF_THE_LINE = frozenset({"type", "id", "run_id", "workflow_id", "at", "replace"})
"""Fields that say which run a line is about, and when it was so."""
_OF_THE_RUN = ("source", "external_id", "attempt")
"""Fields of a step's line that are the run's."""
_APART = RUN_BITS.keys() | _OF_THE_LINE | {"steps", "ordinal", "workflow"}
_NEVER_CLEARED = ("created_at", "updated_at", "total_steps", "finished_steps")
"""Fields for which null says nothing: without them the portal looks at the others."""
MOMENTS = ("created_at", "started_at", "completed_at", "updated_at", "paused_at", "pause_requested_at")


class _Named(NamedTuple):
    run_id: UUID
    workflow_id: UUID
    workflow: NamedWorkflow | None
    at: datetime | None
    replaces: bool


def parse_run(values: Values, digest: bytes, text: bytes, arrival: Arrival) -> ParsedRun:
    """A line about a run. Raises BadField."""
    fields = Fields(values)
    named = _named(fields, arrival, "id")
    number, ordinal = fields.take("run_number", readers.number), fields.take("ordinal", readers.number)
    columns = fields.take_all(RUN_COLUMNS, KEPT)
    if columns["status"] is None:
        raise BadField("status", "is missing.")
    triggered_by = values.get("triggered_by")
    person = fields.take("triggered_by", read_person)
    snapshot = fields.take("definition_snapshot", readers.object_)
    steps = fields.take("steps", steps_of(named.run_id)) or []
    gave = [step.pop("gave") for step in steps if "gave" in step]
    results = None
    if gave or RUN_KEYS & fields.rest.keys():
        results = take_results(fields, named.run_id, gave)
    source = fields.rest
    if ordinal is not None:
        source["ordinal"] = ordinal
    if isinstance(triggered_by, dict) and not triggered_by.keys() <= {*PARTS[:-1]}:
        source["triggered_by"] = triggered_by
    columns["said"] = said_by_run(tuple(values))
    if None in values.values() or columns["created_at"] is None:
        columns["said"] &= ~sum(RUN_BITS[name] for name in _NEVER_CLEARED if columns[name] is None)
    columns["as_of"] = _moment_of(named.at, columns, steps, arrival)
    complete(columns, source, steps, arrival.workspace_id)
    provenance = _provenance(cleared_by(values, _APART), named, columns, results)
    return _parsed(
        named, columns, source, steps, digest, provenance, text, results,
        number=number, ordinal=ordinal, identity=person, definition_snapshot=snapshot,
    )  # fmt: skip


def parse_step(values: Values, digest: bytes, text: bytes, arrival: Arrival) -> ParsedRun:
    """A line about one step: a run of which only this step is known. Raises BadField."""
    fields = Fields(values)
    named = _named(fields, arrival, "run_id")
    about = {name: fields.rest[name] for name in _OF_THE_RUN if name in fields.rest}
    left_out = (_OF_THE_LINE - {"id"}) | {"workflow", *_OF_THE_RUN}
    step = read_step(named.run_id, 0, {name: each for name, each in values.items() if name not in left_out})
    step["provenance"] = {**(step["provenance"] or {}), "unordered": True}  # no list says where it stands
    gave = [step.pop("gave")] if "gave" in step else []
    columns: Values = dict.fromkeys(RUN_COLUMNS)
    columns["said"] = RUN_BITS["source"] if "source" in about else 0
    columns["source"] = about.pop("source", None)
    columns["as_of"] = _moment_of(named.at, columns, [step], arrival)
    complete(columns, about, [step], arrival.workspace_id)
    results = RunResults(steps=gave) if gave else None
    provenance = _provenance([], named, columns, results)
    return _parsed(named, columns, about, [step], digest, provenance, text, results)


def _parsed(
    named: _Named,
    columns: Values,
    source: Values,
    steps: list[Values],
    digest: bytes,
    provenance: Values | None,
    text: bytes,
    results: RunResults | None,
    *,
    number: int | None = None,
    ordinal: int | None = None,
    identity: SourcePerson | None = None,
    definition_snapshot: Values | None = None,
) -> ParsedRun:
    columns["id"], columns["workflow_id"], columns["imported"] = named.run_id, named.workflow_id, True
    return ParsedRun(
        id=named.run_id,
        workflow_id=named.workflow_id,
        workflow=named.workflow,
        number=number,
        ordinal=ordinal,
        identity=identity,
        definition_snapshot=definition_snapshot,
        source=source,
        steps=steps,
        digest=digest,
        provenance=provenance,
        text=text,
        results=results,
        columns=columns,
    )


def _named(fields: Fields, arrival: Arrival, id_field: str) -> _Named:
    """Which run a line is about, and when it was so; takes what is of the line alone out of the fields."""
    rest = fields.rest
    run_id = fields.take(id_field, readers.uuid)
    source = _look("source", known.source, rest)
    external_id = _look("external_id", known.external_id, rest)
    attempt = _look("attempt", readers.number, rest) or FIRST_ATTEMPT
    if external_id is not None:
        if source is None:
            raise BadField("source", "is missing: an external_id is of one source.")
        run_id = identity.run_id(arrival.workspace_id, source, external_id, attempt)
    elif run_id is None:
        raise BadField(id_field, "is missing, and so is external_id.")
    workflow = None
    workflow_id = fields.take("workflow_id", readers.workflow_id)
    if workflow_id is None:
        if "workflow" not in rest:
            raise BadField("workflow_id", "is missing.")
        workflow_id, workflow = _named_workflow(rest.pop("workflow"), source, arrival)
    at = fields.take("at", readers.moment) if "at" in rest else None
    replaces = bool(fields.take("replace", readers.boolean)) if "replace" in rest else False
    del rest["type"]
    return _Named(run_id, workflow_id, workflow, at, replaces)


def about_run(values: Values, arrival: Arrival) -> tuple[UUID, UUID]:
    """The ids of the run and the workflow that a line is about. Raises BadField."""
    named = _named(Fields(values), arrival, "id" if values.get("type") == "run" else "run_id")
    return named.run_id, named.workflow_id


def _look(name: str, read: Callable[[object], Value], rest: Values) -> Value | None:
    """The value of a field, which stays where it is. Raises BadField."""
    if name not in rest:
        return None
    try:
        return read(rest[name])
    except ValueError as error:
        raise readers.within(name, error) from None


def _named_workflow(named: object, source: str | None, arrival: Arrival) -> tuple[UUID, NamedWorkflow]:
    try:
        fields = Fields(readers.object_(named))
        name = fields.need("name", readers.text_of(1, bounds.MAX_WORKFLOW_NAME))
        fields.take_all({}, WORKFLOW_FACTS)
    except ValueError as error:
        raise readers.within("workflow", error) from None
    source = fields.rest.get("source", source)
    if source is None:
        raise BadField("source", "is missing: a workflow is named within its source.")
    facts = {key: str(fields.rest[key]) for key in ("external_id", "url", "path") if key in fields.rest}
    workflow_id = identity.workflow_id(arrival.workspace_id, source, facts.get("external_id", name))
    return workflow_id, NamedWorkflow(name, (("source", source), *facts.items()))


def _moment_of(at: datetime | None, columns: Values, steps: list[Values], arrival: Arrival) -> datetime:
    """When it was as the line says: `at`, else `updated_at`, else its latest moment, else now."""
    if at is not None:
        return at
    if columns["updated_at"] is not None:
        updated_at: datetime = columns["updated_at"]
        return updated_at
    own = [columns[name] for name in MOMENTS if columns[name] is not None]
    if not own and not arrival.live and columns["status"] is not None:
        raise BadField("created_at", _NO_MOMENT)
    known_moments: list[datetime] = own + moments_of(steps)
    if not known_moments and not arrival.live:
        raise BadField("at", "is missing, and so are created_at, started_at and completed_at.")
    return max(known_moments, default=arrival.now)


def complete(columns: Values, source: Values, steps: list[Values], workspace_id: UUID) -> None:
    """Fill what a row needs from what is known, and say so in `source`."""
    if columns["status"] is None:  # only steps are known
        columns["status"] = str(RunStatus.RUNNING)
    if columns["created_at"] is None:
        stand_in = next((name for name in ("started_at", "completed_at") if columns[name] is not None), None)
        from_steps = moments_of(steps)
        source["created_at_from"] = stand_in or ("steps" if from_steps else "at")
        columns["created_at"] = columns[stand_in] if stand_in else min(from_steps, default=columns["as_of"])
    if columns["updated_at"] is None:
        known_moments = (
            columns[name] for name in ("as_of", "created_at", "started_at", "completed_at", "paused_at")
        )
        columns["updated_at"] = max(moment for moment in known_moments if moment is not None)
    if columns["total_steps"] is None:
        columns["total_steps"] = len(steps)
    if columns["finished_steps"] is None:
        columns["finished_steps"] = sum(step["status"] in _FINISHED for step in steps)
    columns["duration_ms"] = duration_of(
        columns["status"],
        columns["started_at"],
        columns["completed_at"],
        columns["paused_ms"],
        source.get("duration_ms"),
    )
    columns["source_system"] = columns.pop("source")
    columns["branch"] = branch_of(source) if "ref" in source else None
    columns["parent_id"], columns["rerun_of_id"] = related_runs(
        source, columns["source_system"], workspace_id
    )


def related_runs(
    source: Mapping[str, Any], source_system: str | None, workspace_id: UUID
) -> tuple[UUID | None, UUID | None]:
    """The ids of the run that started one and of the run that it repeats, from what lines say of it."""
    parent_id = _related(source.get("parent"), source_system, workspace_id)
    rerun_of_id = _related(source.get("rerun_of"), source_system, workspace_id)
    if rerun_of_id is None and source_system is not None and "external_id" in source:
        attempt = source.get("attempt", FIRST_ATTEMPT)
        if attempt > FIRST_ATTEMPT:  # the attempt before is another run
            rerun_of_id = identity.run_id(workspace_id, source_system, source["external_id"], attempt - 1)
    return parent_id, rerun_of_id


def _related(named: Mapping[str, str] | None, source: str | None, workspace_id: UUID) -> UUID | None:
    """The id of the run that a field names, which may not have arrived yet."""
    if named is None:
        return None
    system, external_id = named.get("source", source), named.get("external_id")
    if system is not None and external_id is not None:
        attempt = int(named.get("attempt", FIRST_ATTEMPT))
        return identity.run_id(workspace_id, system, external_id, attempt)
    return UUID(named["id"]) if "id" in named else None


def _provenance(
    cleared: Collection[str], named: _Named, columns: Values, results: RunResults | None
) -> Values | None:
    found: Values = {}
    if cleared:
        found["cleared"] = list(cleared)
    if named.replaces:
        found["floor"] = microseconds(columns["as_of"])
    if results is not None and results.digests:
        found["outputs"] = results.digests
    return found or None


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // _MICROSECOND
