"""What is counted beside the runs: in all, by person and in histograms; changed with each run, recounted."""

from portal.runs.counts.changes import (
    COUNTED,
    Changes,
    Counted,
    apply,
    count_in,
    count_out,
    lock_workspaces,
)
from portal.runs.counts.days import Day, count_by_day, count_outside, days_with_runs
from portal.runs.counts.reading import count_by_status
from portal.runs.counts.recount import find_drift, repair

__all__ = [
    "COUNTED",
    "Changes",
    "Counted",
    "Day",
    "apply",
    "count_by_day",
    "count_by_status",
    "count_in",
    "count_out",
    "count_outside",
    "days_with_runs",
    "find_drift",
    "lock_workspaces",
    "repair",
]
