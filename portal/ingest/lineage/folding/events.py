"""Reads an event of OpenLineage (1-0 to 2-0-2), or says which field is wrong; the key that names an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from uuid import UUID, uuid5

from typing_extensions import TypeIs

from portal import moments
from portal.errors import FieldError, InvalidQuery
from portal.ingest.lineage.folding.facets import RunFacets, read_facets, text_in
from portal.input import parameters, sentences
from portal.input.parameters import Reader, Refused
from portal.input.text import storable

AHEAD = timedelta(hours=24)
"""How far ahead of this portal's clock a sender's clock may be."""
MAX_NAME = 1000
"""Characters of a job's name or namespace; more are cut off."""

Json = Mapping[str, object]

_NO_ID = UUID(int=0)
_NOTHING: Json = {}


class EventType(StrEnum):
    """What an event says of its run; OTHER changes nothing but facets."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ABORT = "ABORT"
    FAIL = "FAIL"
    OTHER = "OTHER"


BEGUN = frozenset({EventType.START, EventType.RUNNING})
ENDS = (EventType.COMPLETE, EventType.ABORT, EventType.FAIL)
"""Of two ends at the same moment, the later one here wins."""


@dataclass(frozen=True, slots=True)
class Job:
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Link:
    """Another run that an event names, and the job that it is a run of."""

    run_id: UUID
    job: Job


@dataclass(frozen=True)
class RunEvent:
    run_id: UUID
    type: EventType
    time: datetime
    job: Job
    parent: Link | None = None
    root: Link | None = None
    facets: RunFacets = field(default_factory=RunFacets)
    has_zone: bool = True
    """Whether the time came with its zone; without one it is taken as UTC."""
    source: str | None = None
    """The source that the sender's key is bound to."""

    @cached_property
    def key(self) -> bytes:
        """Names the event: a second one with the same key is the first one, sent again."""
        parts = (self.run_id.hex, self.type, self._time_text, *_names(self.job))
        return blake2b("\n".join(parts).encode(), digest_size=16).digest()

    @cached_property
    def at(self) -> datetime:
        """When this was so: its time, at which an ABORT follows a COMPLETE, and a FAIL both.

        The steps between them are microseconds, too small to matter between two events of real clocks.
        """
        return self.time + timedelta(microseconds=ENDS.index(self.type) if self.type in ENDS else 0)

    @property
    def of_dag(self) -> bool:
        """Whether this is about a run of an Airflow DAG as a whole, which is no step of another run."""
        return self.facets.dag_run is not None and self.facets.task is None

    @property
    def task_of(self) -> Link | None:
        """The DAG run, if this is about one of its tasks."""
        dag_run, parent = self.facets.dag_run, self.parent
        if dag_run is None or self.facets.task is None or parent is None or parent.job.name != dag_run.dag_id:
            return None
        return parent

    @property
    def _time_text(self) -> str:
        return moments.format_moment(self.time).removesuffix("" if self.has_zone else "Z")

    def to_json(self) -> dict[str, object]:
        """The event with nothing but what `read_event` reads: no data sets, plans and properties."""
        facets = self.facets.to_json()
        if self.parent is not None:
            parent = _link_to_json(self.parent)
            facets["parent"] = parent | ({"root": _link_to_json(self.root)} if self.root else {})
        job_facets = {"jobType": {"jobType": self.facets.job_type}} if self.facets.job_type else {}
        return {
            "eventType": str(self.type),
            "eventTime": self._time_text,
            "run": {"runId": str(self.run_id), "facets": facets},
            "job": {"namespace": self.job.namespace, "name": self.job.name, "facets": job_facets},
        }


def read_event(body: Json, source: str | None = None) -> RunEvent | None:
    """The event in a JSON object; None if it is about a job or a data set and no run. Raises InvalidQuery."""
    if body.get("run") is None and not _is_run_event(body):
        return None
    fields = {"eventType": body.get("eventType"), "eventTime": body.get("eventTime")}
    for name, parts in (("run", ("runId",)), ("job", ("namespace", "name"))):
        inner = body.get(name)
        fields[name] = inner
        if _is_object(inner):
            fields |= {f"{name}.{part}": inner.get(part) for part in parts}
    reader = Reader({name: value for name, value in fields.items() if value is not None})
    run, job = reader.require("run", _object, _NOTHING), reader.require("job", _object, _NOTHING)
    run_id = reader.require("run.runId", _uuid, _NO_ID) if _is_object(body.get("run")) else _NO_ID
    kind = reader.read("eventType", _event_type, EventType.OTHER)
    time, has_zone = reader.require("eventTime", _time, (moments.EPOCH, True))
    has_job = _is_object(body.get("job"))
    namespace = reader.require("job.namespace", _name, "") if has_job else ""
    name = reader.require("job.name", _name, "") if has_job else ""
    reader.finish()
    facets = read_facets(_facets(run), _facets(job))
    found = RunEvent(run_id, kind, time, Job(namespace, name), None, None, facets, has_zone, source)
    return _with_links(found, _facets(run).get("parent"))


def refuse_ahead(event: RunEvent, now: datetime) -> None:
    """Refuse an event from the future. Raises InvalidQuery."""
    if event.time > now + AHEAD:
        raise InvalidQuery([FieldError("eventTime", "must not be more than 24 hours ahead.")])


def _is_run_event(body: Json) -> bool:
    """Whether an event without a run ought to have one."""
    schema = body.get("schemaURL")
    if isinstance(schema, str) and schema.endswith("/RunEvent"):
        return True
    return body.get("job") is None and body.get("dataset") is None


def _with_links(event: RunEvent, facet: object) -> RunEvent:
    parent = _link(facet)
    if parent is None or parent.run_id == event.run_id:
        return event
    root = _link(facet.get("root")) if isinstance(facet, Mapping) else None
    if root is not None and root.run_id == event.run_id:
        root = None
    return replace(event, parent=parent, root=root)


def _link(value: object) -> Link | None:
    """A run that a facet names; none where the facet is not as it should be.

    Clients have sent ids that are no UUIDs for parents: such an id stands for a UUID made from it.
    """
    if not isinstance(value, Mapping):
        return None
    run, job = value.get("run"), value.get("job")
    run_id, namespace, name = text_in(run, "runId"), text_in(job, "namespace"), text_in(job, "name")
    if not run_id or not namespace or not name:
        return None
    job = Job(namespace[:MAX_NAME], name[:MAX_NAME])
    try:
        return Link(parameters.uuid(run_id), job)
    except Refused:
        return Link(uuid5(_OTHER_IDS, "\n".join((*_names(job), run_id))), job)


_OTHER_IDS = UUID("b45386bc-4cc4-4f5c-b4c5-8b1b5b7d9d0e")
"""The namespace of UUIDs that stand for other ids of parents."""


def _link_to_json(link: Link) -> dict[str, object]:
    job = {"namespace": link.job.namespace, "name": link.job.name}
    return {"run": {"runId": str(link.run_id)}, "job": job}


def _names(job: Job) -> tuple[str, str]:
    return job.namespace, job.name


def _facets(value: Json) -> Json:
    facets = value.get("facets")
    return facets if isinstance(facets, Mapping) else {}


def _is_object(value: object) -> TypeIs[Json]:
    return isinstance(value, Mapping)


def _object(value: object) -> Json:
    if not _is_object(value):
        raise Refused("must be an object.")
    return value


def _uuid(value: object) -> UUID:
    return parameters.uuid(value if isinstance(value, str) else "")


def _name(value: object) -> str:
    if not isinstance(value, str) or not (text := storable(value)):
        raise Refused("must be text.")
    return text[:MAX_NAME]


def _event_type(value: object) -> EventType:
    if not isinstance(value, str) or value not in _EVENT_TYPES:
        raise Refused(sentences.one_of(EventType))
    return EventType(value)


_EVENT_TYPES = frozenset(map(str, EventType))


def _time(value: object) -> tuple[datetime, bool]:
    """A moment, and whether it came with its zone."""
    for text, has_zone in ((value, True), (f"{value}Z", False)):
        try:
            if isinstance(value, str):
                return moments.parse_moment(str(text)), has_zone
        except ValueError:
            continue
    raise Refused("must be a date and time, such as 2026-01-31T14:00:00Z.")
