"""The statuses of runs and steps, and their orders, for the rooms that read runs and for pages."""

from portal.database.models import ACTIVE
from portal.database.models import RunStatus as RunStatus  # pages know no tables

STATUSES = tuple(status.value for status in RunStatus)
"""As the API names and orders them."""

WORST_FIRST = (
    RunStatus.FAILED,
    RunStatus.RUNNING,
    RunStatus.PAUSED,
    RunStatus.PENDING,
    RunStatus.CANCELLED,
    RunStatus.COMPLETED,
)
"""Of several statuses, the first of these stands for all."""


def is_active(status: str) -> bool:
    """Whether a run or step of this status may still change by itself."""
    return status in ACTIVE
