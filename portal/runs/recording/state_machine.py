"""The state machine of a run (contract section 4)."""

from collections.abc import Mapping
from enum import StrEnum

from portal.database.models import TERMINAL, RunStatus
from portal.errors import Conflict


class Event(StrEnum):
    """What can happen to a run."""

    START = "start"
    """Creates the run."""
    PICK_UP = "pick_up"
    COMPLETE = "complete"
    FAIL = "fail"
    PAUSE = "pause"
    DRAIN = "drain"
    RESUME = "resume"
    CANCEL = "cancel"


_TRANSITIONS: Mapping[tuple[RunStatus, Event], RunStatus] = {
    (RunStatus.PENDING, Event.PICK_UP): RunStatus.RUNNING,
    (RunStatus.PENDING, Event.PAUSE): RunStatus.PAUSED,
    (RunStatus.PENDING, Event.CANCEL): RunStatus.CANCELLED,
    (RunStatus.RUNNING, Event.COMPLETE): RunStatus.COMPLETED,
    (RunStatus.RUNNING, Event.FAIL): RunStatus.FAILED,
    (RunStatus.RUNNING, Event.PAUSE): RunStatus.RUNNING,
    (RunStatus.RUNNING, Event.CANCEL): RunStatus.CANCELLED,
    (RunStatus.PAUSED, Event.PAUSE): RunStatus.PAUSED,
    (RunStatus.PAUSED, Event.RESUME): RunStatus.RUNNING,
    (RunStatus.PAUSED, Event.CANCEL): RunStatus.CANCELLED,
    **{(status, Event.CANCEL): status for status in TERMINAL},
}


def next_status(status: RunStatus, pausing: bool, event: Event) -> RunStatus:
    """The status after an event; `pausing` is a running run with a pause requested. Raises Conflict."""
    if status is RunStatus.RUNNING and pausing and event is Event.DRAIN:
        return RunStatus.PAUSED
    after = _TRANSITIONS.get((status, event))
    if after is None:
        now = "pausing" if status is RunStatus.RUNNING and pausing else status
        raise Conflict(f"A run that is {now} cannot {event.replace('_', ' ')}.")
    return after


def event_of(before: RunStatus, after: RunStatus) -> Event:
    """The event by which a run of another system got its status, whatever may lie between."""
    if after is RunStatus.RUNNING:
        return Event.RESUME if before is RunStatus.PAUSED else Event.PICK_UP
    return _ENDING_IN[after]


_ENDING_IN = {
    RunStatus.PENDING: Event.START,
    RunStatus.PAUSED: Event.PAUSE,
    RunStatus.COMPLETED: Event.COMPLETE,
    RunStatus.FAILED: Event.FAIL,
    RunStatus.CANCELLED: Event.CANCEL,
}


def changes_nothing(status: RunStatus, pausing: bool, event: Event) -> bool:
    """Whether an allowed event leaves the run exactly as it is."""
    if event is Event.PAUSE:
        return pausing or status is RunStatus.PAUSED
    return event is Event.CANCEL and status in TERMINAL
