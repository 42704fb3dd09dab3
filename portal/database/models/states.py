"""Enumerations stored in columns."""

from enum import StrEnum

import sqlalchemy as sa


class RunStatus(StrEnum):
    """The six stored states of a run (contract section 4)."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED})
TERMINAL = frozenset(RunStatus) - ACTIVE
OCCUPYING = frozenset({RunStatus.PENDING, RunStatus.RUNNING})


class Role(StrEnum):
    """The role of a member in a workspace (contract 2.4)."""

    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"


class Outcome(StrEnum):
    """What became of a run or step, finer than the six states, where its source says so."""

    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_WARNINGS = "succeeded_with_warnings"
    NEUTRAL = "neutral"
    SKIPPED = "skipped"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    START_FAILED = "start_failed"
    ABORTED = "aborted"
    STALE = "stale"
    SUPERSEDED = "superseded"
    UPSTREAM_FAILED = "upstream_failed"
    CACHED = "cached"


class Trigger(StrEnum):
    """What started a run, where its source says so."""

    PERSON = "person"
    SCHEDULE = "schedule"
    EVENT = "event"
    API = "api"
    UPSTREAM = "upstream"
    RETRY = "retry"
    OTHER = "other"


class PersonKind(StrEnum):
    """Who a run names as its starter."""

    PERSON = "person"
    BOT = "bot"
    SYSTEM = "system"


class PauseReason(StrEnum):
    """Why a run is paused (contract 3.1)."""

    USER = "user"
    PROVIDER_OUTAGE = "provider_outage"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_BILLING = "provider_billing"
    NODE_TIMEOUT = "node_timeout"


class TakeStatus(StrEnum):
    """The outcome of a take (contract 3.8)."""

    DELIVERED = "delivered"
    GENERATED = "generated"
    NOT_DELIVERED = "not_delivered"
    DROPPED = "dropped"


class UploadCategory(StrEnum):
    """The purpose of an upload (contract 3.13)."""

    SCRIPT = "script"
    DICTIONARY = "dictionary"


class UploadStatus(StrEnum):
    """Whether an upload was confirmed."""

    PENDING = "pending"
    UPLOADED = "uploaded"


def check_one_of(column: str, words: type[StrEnum]) -> sa.CheckConstraint:
    """The CHECK constraint of an enumeration."""
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)
