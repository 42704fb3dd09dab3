"""Outcomes and triggers, and their words on pages."""

from collections.abc import Mapping

from portal.database.models import Outcome, PersonKind, RunStatus, Trigger

OUTCOMES = tuple(outcome.value for outcome in Outcome)
TRIGGERS = tuple(trigger.value for trigger in Trigger)
PERSON_KINDS = tuple(kind.value for kind in PersonKind)

OUTCOME_WORDS: Mapping[str, str] = {
    Outcome.SUCCEEDED: "Succeeded",
    Outcome.SUCCEEDED_WITH_WARNINGS: "With warnings",
    Outcome.NEUTRAL: "Neutral",
    Outcome.SKIPPED: "Skipped",
    Outcome.FAILED: "Failed",
    Outcome.TIMED_OUT: "Timed out",
    Outcome.CRASHED: "Crashed",
    Outcome.START_FAILED: "Did not start",
    Outcome.ABORTED: "Aborted",
    Outcome.STALE: "Stale",
    Outcome.SUPERSEDED: "Superseded",
    Outcome.UPSTREAM_FAILED: "Upstream failed",
    Outcome.CACHED: "Cached",
}
TRIGGER_WORDS: Mapping[str, str] = {
    Trigger.PERSON: "By hand",
    Trigger.SCHEDULE: "Schedule",
    Trigger.EVENT: "Event",
    Trigger.API: "API",
    Trigger.UPSTREAM: "Another run",
    Trigger.RETRY: "Retry",
    Trigger.OTHER: "Other",
}
KIND_WORDS: Mapping[str, str] = {PersonKind.BOT: "Bot", PersonKind.SYSTEM: "System"}
"""A person is not told apart."""

_NO_FINER = {
    RunStatus.COMPLETED: Outcome.SUCCEEDED,
    RunStatus.FAILED: Outcome.FAILED,
    RunStatus.CANCELLED: Outcome.ABORTED,
}
"""The outcome that says the same as the status."""

FINER = tuple(outcome for outcome in OUTCOMES if outcome not in _NO_FINER.values())
"""The outcomes that say more than a status does."""


def outcome_word(status: str, outcome: str | None) -> str:
    """The outcome of an ended run or step in words, empty where the status says as much."""
    if not outcome or status not in _NO_FINER or outcome == _NO_FINER[RunStatus(status)]:
        return ""
    return OUTCOME_WORDS.get(outcome, "")
