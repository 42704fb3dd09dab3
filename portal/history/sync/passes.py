"""One pass of a mirror: everything that has changed there since the last."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from uuid import UUID

import sqlalchemy as sa

from portal import moments
from portal.database.engine import db
from portal.database.models import Mirror, MirroredWorkflow
from portal.database.transactions import writing
from portal.errors import SourceFailed
from portal.history.sync import details, schedule, state
from portal.history.sync.batch import Target, Work, WorkflowState, reading
from portal.history.sync.mirrors import OpenSource, open_source, read_key
from portal.history.sync.source import Item, Source
from portal.history.sync.summary import PassSummary
from portal.history.sync.workflow_pass import WorkflowPass, mark_gone
from portal.runs.recording.recorder import delete_runs
from portal.runs.recording.workflow_rows import lock_workflows

DEFAULT_INTERVAL = timedelta(minutes=5)
"""Until workers make the next pass after one by hand, if they make none by themselves."""
MAX_ERROR = 500
_AN_HOUR = timedelta(hours=1)

Progress = Callable[[int, int], None]
"""Told how many runs were gone through, and of how many."""


class TimeIsUp(Exception):
    """The time that the pass was given is over."""


def no_progress(_done: int, _total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, kw_only=True)
class PassOptions:
    full: bool = False
    """List all runs, whatever the counts say."""
    delete: bool = False
    """Delete here what an earlier pass has found to be deleted there."""
    only_opened: bool = False
    """Fetch only the details of runs that somebody has opened."""
    is_over: Callable[[], bool] = lambda: False
    """Asked after each commit: whether to stop there. The next pass goes on."""
    interval: timedelta = DEFAULT_INTERVAL
    open_source: OpenSource = open_source
    clock: Callable[[], datetime] = moments.now
    progress: Progress = no_progress


def run_pass(mirror_id: UUID, holder: str, options: PassOptions, summary: PassSummary) -> PassSummary:
    """Bring a mirror up to date; the summary says what was done, also if it ends with an error.

    A source that fails ends the pass, and what was committed stays. Raises Conflict while another process
    makes a pass, NotFound, and LeaseLost.
    """
    mirror = schedule.begin(mirror_id, holder)
    summary.name = mirror.name
    made = _Pass(mirror, holder, options, summary)
    begun = time.monotonic()
    try:
        made.run()
    except SourceFailed as failure:
        summary.error, made.wait = failure.message[:MAX_ERROR], failure.retry_after
    except TimeIsUp:
        summary.unfinished = True
    except schedule.LeaseLost:
        raise
    except BaseException as error:
        summary.unfinished = True
        if isinstance(error, Exception):
            summary.error = f"The pass failed: {type(error).__name__}."
        made.end()
        raise
    summary.seconds = time.monotonic() - begun
    made.end()
    return summary


@dataclass
class _Pass:
    mirror: Mirror
    """As it was when the pass began."""
    holder: str
    options: PassOptions
    summary: PassSummary
    wait: int | None = None
    _spent: int = 0
    """Details that count against the budget."""
    _fetching: bool = False
    _gone_through: int = 0
    _within: int = 0
    _total: int = 0
    _work: Work | None = field(default=None)

    def run(self) -> None:
        """Raises SourceFailed, TimeIsUp, LeaseLost."""
        mirror, options = self.mirror, self.options
        try:
            key = read_key(mirror.key_file)
        except ValueError as error:
            raise SourceFailed(f"The key file {error}") from None
        target = Target(mirror.id, mirror.workspace_id, mirror.source)
        with options.open_source(mirror.base_url, key, mirror.source_workspace_id) as source:
            work = Work(target, source, self.summary, options.clock, self._go_on, self._listed)
            self._work = work
            try:
                self._spent += details.fetch_opened(work)
                if not options.only_opened:
                    self._workflows(work, source)
                    self._spent += details.fetch_due(work, self._budget())
                if options.delete:
                    self._delete()
            finally:
                self.summary.requests = source.requests

    def _workflows(self, work: Work, source: Source) -> None:
        """Go through the workflows, those with few runs first: none waits for a long history."""
        items = sorted(source.workflows(), key=lambda item: item.values.get("runs_count") or 0)
        self.summary.workflows = len(items)
        self._total = sum(item.values.get("runs_count") or 0 for item in items)
        states, here = self._states(), self._here(items)
        for item in items:
            progress = states.get(item.id) or WorkflowState(self.mirror.id, item.id)
            WorkflowPass(work, item, progress, here.get(item.id)).run(full=self.options.full)
            self._gone_through += item.values.get("runs_count") or 0
            self._within = 0
            self.options.progress(self._gone_through, self._total)
        listed = {item.id for item in items}
        for workflow_id in sorted(states.keys() - listed):
            if states[workflow_id].gone_at is None and source.workflow(workflow_id) is None:
                self._lose_workflow(work, states[workflow_id])

    def _states(self) -> dict[UUID, WorkflowState]:
        with reading() as session:
            rows = session.scalars(
                sa.select(MirroredWorkflow).where(MirroredWorkflow.mirror_id == self.mirror.id)
            )
            return {row.workflow_id: WorkflowState.of(row) for row in rows}

    def _here(self, items: Sequence[Item]) -> Mapping[UUID, state.WorkflowHere]:
        with reading() as session:
            return state.workflows_here(session, [item.id for item in items])

    def _lose_workflow(self, work: Work, lost: WorkflowState) -> None:
        """Note that a workflow is not there any more, and none of its runs."""
        with reading() as session:
            run_ids = state.all_runs(session, self.mirror.id, lost.workflow_id)
        mark_gone(work, lost.workflow_id, run_ids)
        lost.gone_at, lost.checksum = self.options.clock(), None
        with writing() as session:
            lost.store(session)

    def _delete(self) -> None:
        """Delete what was gone before this pass: one wrong answer deletes nothing."""
        with reading() as session:
            gone = state.gone_runs(session, self.mirror.id, self._begun)
        for workflow_id, pairs in groupby(gone, key=itemgetter(0)):
            run_ids = [run_id for _, run_id in pairs]
            with writing() as session:
                lock_workflows(session, [workflow_id])
                refused = state.refusals(session, self.mirror.source, workflow_id, run_ids)
                mine = [run_id for run_id in run_ids if run_id not in refused]
                delete_runs(session, workflow_id, mine)
                state.forget_runs(session, self.mirror.id, run_ids)
            self.summary.deleted += len(mine)

    def __post_init__(self) -> None:
        self._begun = self.options.clock()

    def _listed(self, runs: int) -> None:
        self._within += runs
        self.options.progress(min(self._gone_through + self._within, self._total), self._total)

    def _go_on(self) -> None:
        """Renew the lease, let opened runs go first, and stop when the time is up."""
        with writing() as session:
            schedule.renew_lease(session, self.mirror.id, self.holder)
        if self._fetching or self._work is None:
            return
        if self.options.is_over():
            raise TimeIsUp
        self._fetching = True
        try:
            self._spent += details.fetch_opened(self._work)
        finally:
            self._fetching = False

    def _budget(self) -> int:
        """How many details may still be fetched in this hour."""
        fetched = self.mirror.details_fetched if self.mirror.detail_hour == self._hour() else 0
        return max(0, self.mirror.details_per_hour - fetched - self._spent)

    def _hour(self) -> datetime:
        return self._begun.replace(minute=0, second=0, microsecond=0)

    def end(self) -> None:
        """Write how the pass went, and give the lease back."""
        now, summary = self.options.clock(), self.summary
        with writing() as session:
            mirror = session.get(Mirror, self.mirror.id, with_for_update=True)
            if mirror is None or mirror.holder != self.holder:
                return
            fetched = mirror.details_fetched if mirror.detail_hour == self._hour() else 0
            mirror.detail_hour, mirror.details_fetched = self._hour(), fetched + self._spent
            mirror.holder = mirror.held_until = None
            mirror.last_error = summary.error
            mirror.failures = mirror.failures + 1 if summary.error else 0
            if summary.error or not (self.options.only_opened or summary.unfinished):
                mirror.next_pass_at = schedule.next_pass(
                    now, self.options.interval, mirror.failures, self.wait
                )
            if not self.options.only_opened:
                mirror.last_summary = summary.to_json()
            if not (self.options.only_opened or summary.error or summary.unfinished):
                mirror.passed_at = now
        db.session.rollback()
