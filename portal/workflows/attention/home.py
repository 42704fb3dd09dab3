"""The page of workflows: ordered by what needs a look, with the failures of late."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from portal.database.sql.versions import Version
from portal.moments import EPOCH
from portal.paging import Page
from portal.runs.statistics.usual import UsualDuration, UsualOn, usual_durations
from portal.workflows.attention.figures import Figures, read_figures
from portal.workflows.attention.home_query import HomeQuery
from portal.workflows.attention.recent_failures import RecentFailures, count_failures
from portal.workflows.attention.verdicts import ORDER, Look, Verdict, judge
from portal.workflows.listing import ListedWorkflow, WorkflowRow, matching_workflows, read_rows

_NO_FAILURES = RecentFailures(0, 0)
_NONE = Figures()

IsLate = Callable[[ListedWorkflow, datetime | None], bool]
"""Whether a workflow's run was expected and did not come, by when its last one was created."""


@dataclass(frozen=True)
class _Windows:
    """When the last 24 hours and 7 days begin: on a whole minute, which belongs to them."""

    day: datetime
    week: datetime

    @classmethod
    def before(cls, now: datetime) -> Self:
        minute = now.replace(second=0, microsecond=0)
        return cls(minute - timedelta(days=1), minute - timedelta(days=7))


@dataclass(frozen=True)
class Entry:
    """A workflow with what is said of it."""

    workflow: ListedWorkflow
    figures: Figures
    verdict: Verdict
    usual: UsualDuration | None
    """That of today; None if nothing is usual yet."""
    failures: RecentFailures = _NO_FAILURES


@dataclass(frozen=True, kw_only=True)
class Home:
    """A page of a workspace's workflows."""

    page: Page[Entry]
    rows: Mapping[UUID, WorkflowRow]
    """The workflows of the page."""
    looks: Mapping[Look, int]
    """How many need a look for each reason, under the other filters."""
    in_all: int
    """How many there are under the other filters."""
    active: bool
    """Whether any of them has an active run."""


def read_home(workspace_id: UUID, query: HomeQuery, is_late: IsLate, now: datetime) -> Home:
    """The page of a workspace's workflows that a query asks for."""
    windows = _Windows.before(now)
    matching = matching_workflows(workspace_id, query.filters)
    entries = _entries(matching, is_late, now)
    looks = Counter(entry.verdict.look for entry in entries if entry.verdict.look)
    if query.look:
        entries = [entry for entry in entries if entry.verdict.look == query.look]
    by_failures = any(key == "failures" for key, _ in query.sorts)
    if by_failures:
        entries = _with_failures(entries, windows)
    page = Page.of(_sorted(entries, query), query.slice)
    if not by_failures:
        page = replace(page, rows=_with_failures(page.rows, windows))
    return Home(
        page=page,
        rows=read_rows([entry.workflow.id for entry in page.rows]),
        looks=looks,
        in_all=len(matching),
        active=any(workflow.active for workflow in matching),
    )


def _entries(matching: Sequence[ListedWorkflow], is_late: IsLate, now: datetime) -> list[Entry]:
    versions = [Version(each.id, each.version, each.change_stamp) for each in matching]
    figures = read_figures(versions)
    today = {version.workflow_id: UsualOn.at(version, now) for version in versions}
    longest = {
        version.workflow_id: UsualOn.at(version, created_at)
        for version in versions
        if (created_at := figures.get(version.workflow_id, _NONE).longest_created_at)
    }
    usual = usual_durations([*today.values(), *longest.values()])
    found = []
    for workflow in matching:
        its = figures.get(workflow.id, _NONE)
        late = is_late(workflow, its.last.created_at if its.last else None)
        then = usual[longest[workflow.id]] if workflow.id in longest else None
        found.append(Entry(workflow, its, judge(its, then, late, now), usual[today[workflow.id]]))
    return found


def _with_failures(entries: Sequence[Entry], windows: _Windows) -> list[Entry]:
    failed = [entry.workflow.id for entry in entries if _failed_since(entry.figures, windows.week)]
    counts = count_failures(failed, windows.day, windows.week) if failed else {}
    return [replace(entry, failures=counts.get(entry.workflow.id, _NO_FAILURES)) for entry in entries]


def _failed_since(figures: Figures, begin: datetime) -> bool:
    return figures.last_failed_at is not None and figures.last_failed_at >= begin


def _sorted(entries: Sequence[Entry], query: HomeQuery) -> list[Entry]:
    """In the order of the query; its last key is the id."""
    found = sorted(entries, key=lambda entry: entry.workflow.id)
    for key, order in reversed(query.sorts or (("last_run", "desc"),)):
        if key == "last_run":
            found = _by_last_run(found, order)
        else:
            found.sort(key=_KEYS[key], reverse=order == "desc")
    if not query.sorts:
        found.sort(key=lambda entry: ORDER[entry.verdict.look])
    return found


def _by_last_run(entries: Sequence[Entry], order: str) -> list[Entry]:
    """Workflows without a run stand last in both directions."""
    ran = [entry for entry in entries if entry.figures.last]
    ran.sort(key=_last_run, reverse=order == "desc")
    return [*ran, *(entry for entry in entries if not entry.figures.last)]


def _last_run(entry: Entry) -> datetime:
    return entry.figures.last.created_at if entry.figures.last else EPOCH


_KEYS: Mapping[str, Callable[[Entry], Any]] = {  # of any type that compares
    "name": lambda entry: entry.workflow.name_folded,
    "failures": lambda entry: entry.failures,
    "runs_count": lambda entry: entry.workflow.runs_count,
    "updated_at": lambda entry: entry.workflow.updated_at,
}
