"""What stored history says of a run, a step or a workflow beyond their columns.

Earlier releases stored any value under these names: one that is not what the parser takes today is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from portal.input.addresses import is_link
from portal.input.bounds import MAX_BIGINT
from portal.moments import parse_moment
from portal.runs.facts.outcomes import OUTCOMES, PERSON_KINDS

EXPIRES_AFTER = 24 * 60 * 60
"""Seconds after which an active run that nothing was heard of is noted, where history names no other."""

LabelValue = str | int | float | bool


class Given:
    """The members of a stored JSON object, each read as one type; None for another."""

    def __init__(self, members: object) -> None:
        self.members: Mapping[str, object] = members if isinstance(members, dict) else {}

    def text(self, name: str) -> str | None:
        value = self.members.get(name)
        return value if isinstance(value, str) and value else None

    def word(self, name: str, allowed: Sequence[str]) -> str | None:
        value = self.members.get(name)
        return value if isinstance(value, str) and value in allowed else None

    def link(self, name: str) -> str | None:
        value = self.members.get(name)
        return value if isinstance(value, str) and is_link(value) else None

    def integer(self, name: str, least: int = 0) -> int | None:
        value = self.members.get(name)
        return value if type(value) is int and least <= value <= MAX_BIGINT else None

    def flag(self, name: str) -> bool | None:
        value = self.members.get(name)
        return value if isinstance(value, bool) else None

    def moment(self, name: str) -> datetime | None:
        value = self.members.get(name)
        try:
            return parse_moment(value) if isinstance(value, str) else None
        except ValueError:
            return None

    def object(self, name: str) -> Mapping[str, object] | None:
        value = self.members.get(name)
        return value if isinstance(value, dict) else None

    def texts(self, name: str) -> Sequence[str]:
        value = self.members.get(name)
        whole = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return [str(each) for each in value] if whole and isinstance(value, list) else ()

    def objects(self, name: str) -> "Sequence[Given]":
        value = self.members.get(name)
        return [Given(each) for each in value if isinstance(each, dict)] if isinstance(value, list) else ()


def labels_in(members: Mapping[str, object]) -> Mapping[str, LabelValue]:
    """The labels that are text, numbers, true or false."""
    return {name: value for name, value in members.items() if isinstance(value, LabelValue)}


@dataclass(frozen=True, kw_only=True)
class Ref:
    """What of a repository a run is about."""

    branch: str | None
    tag: str | None
    commit: str | None
    pull_request: str | None
    url: str | None


@dataclass(frozen=True, kw_only=True)
class ArtifactLink:
    """A file that the source keeps."""

    name: str
    url: str | None
    size_bytes: int | None
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NamedRun:
    """Another run, as history names it."""

    id: str | None
    source: str | None
    external_id: str | None
    attempt: int | None
    step: str | None


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What history says of a run."""

    external_id: str | None
    attempt: int | None
    title: str | None
    labels: Mapping[str, LabelValue]
    trigger_name: str | None
    url: str | None
    log_url: str | None
    ref: Ref | None
    parameters: Mapping[str, object] | None
    environment: str | None
    source_status: str | None
    waiting_for: str | None
    scheduled_for: datetime | None
    last_heard_at: datetime | None
    expires_after: int | None
    duration_ms: int | None
    artifacts: Sequence[ArtifactLink]
    parent: NamedRun | None
    rerun_of: NamedRun | None

    @classmethod
    def read(cls, source: object) -> Self:
        given = Given(source)
        return cls(
            external_id=given.text("external_id"),
            attempt=given.integer("attempt", 1),
            title=given.text("title"),
            labels=labels_in(given.object("labels") or {}),
            trigger_name=given.text("trigger_name"),
            url=given.link("url"),
            log_url=given.link("log_url"),
            ref=_ref(given.object("ref")),
            parameters=given.object("parameters"),
            environment=given.text("environment"),
            source_status=given.text("source_status"),
            waiting_for=given.text("waiting_for"),
            scheduled_for=given.moment("scheduled_for"),
            last_heard_at=given.moment("last_heard_at"),
            expires_after=given.integer("expires_after"),
            duration_ms=given.integer("duration_ms"),
            artifacts=[_artifact(each) for each in given.objects("artifacts") if each.text("name")],
            parent=_named_run(given.object("parent")),
            rerun_of=_named_run(given.object("rerun_of")),
        )


@dataclass(frozen=True, kw_only=True)
class StepFacts:
    """What history says of a step."""

    outcome: str | None = None
    source_status: str | None = None
    url: str | None = None
    log_url: str | None = None
    exit_code: int | None = None
    worker: str | None = None
    map_index: int | None = None
    duration_ms: int | None = None
    allowed_to_fail: bool | None = None
    parent_node_id: str | None = None
    path: Sequence[str] = ()

    @classmethod
    def read(cls, source: object) -> Self:
        given = Given(source)
        return cls(
            outcome=given.word("outcome", OUTCOMES),
            source_status=given.text("source_status"),
            url=given.link("url"),
            log_url=given.link("log_url"),
            exit_code=given.integer("exit_code", -MAX_BIGINT),
            worker=given.text("worker"),
            map_index=given.integer("map_index"),
            duration_ms=given.integer("duration_ms"),
            allowed_to_fail=given.flag("allowed_to_fail"),
            parent_node_id=given.text("parent_node_id"),
            path=given.texts("path"),
        )


@dataclass(frozen=True, kw_only=True)
class WorkflowFacts:
    """What history says of a workflow."""

    source: str | None = None
    external_id: str | None = None
    url: str | None = None
    path: str | None = None

    @classmethod
    def read(cls, source: object) -> Self:
        given = Given(source)
        return cls(
            source=given.text("source"),
            external_id=given.text("external_id"),
            url=given.link("url"),
            path=given.text("path"),
        )


def person_kind(kind: str | None) -> str | None:
    """The kind of who triggered a run, where it is one that the portal knows."""
    return kind if kind in PERSON_KINDS else None


def silent_since(facts: RunFacts, as_of: datetime | None, now: datetime) -> datetime | None:
    """Since when nothing was heard of an active run; None while it is not long enough to be noted."""
    heard = facts.last_heard_at or as_of
    allowed = EXPIRES_AFTER if facts.expires_after is None else facts.expires_after
    try:
        overdue = heard is not None and heard + timedelta(seconds=allowed) < now
    except OverflowError:
        return None
    return heard if overdue else None


def _ref(members: Mapping[str, object] | None) -> Ref | None:
    given = Given(members)
    ref = Ref(
        branch=given.text("branch"),
        tag=given.text("tag"),
        commit=given.text("commit"),
        pull_request=given.text("pull_request"),
        url=given.link("url"),
    )
    return ref if any(vars(ref).values()) else None


def _artifact(given: Given) -> ArtifactLink:
    return ArtifactLink(
        name=given.text("name") or "",
        url=given.link("url"),
        size_bytes=given.integer("size_bytes"),
        expires_at=given.moment("expires_at"),
    )


def _named_run(members: Mapping[str, object] | None) -> NamedRun | None:
    if members is None:
        return None
    given = Given(members)
    return NamedRun(
        id=given.text("id"),
        source=given.text("source"),
        external_id=given.text("external_id"),
        attempt=given.integer("attempt", 1),
        step=given.text("step"),
    )
