"""Details of runs: their steps and results, fetched behind a budget, those that somebody opened first."""

from collections.abc import Collection, Sequence

from portal.database.transactions import writing
from portal.errors import SourceFailed
from portal.history.sync import state
from portal.history.sync.batch import Copied, Work, import_runs, reading
from portal.history.sync.state import DetailRank, Wanted
from portal.history.sync.workflow_pass import mark_gone

MOST_DETAILS = 20
"""Runs whose details are fetched before the next commit."""
MAX_FAILED = 3
"""Runs in a row whose details cannot be fetched: then it is not about the run."""

_BY_BUDGET = (DetailRank.FAILED, DetailRank.ENDED, DetailRank.TRIED)


def fetch_opened(work: Work) -> int:
    """Fetch the details of the runs that somebody has opened; returns how many. Raises SourceFailed."""
    return _fetch(work, (DetailRank.OPENED,), None)


def fetch_due(work: Work, budget: int) -> int:
    """Fetch the details of as many runs as the budget allows, failed ones first. Raises SourceFailed."""
    return _fetch(work, _BY_BUDGET, budget)


def _fetch(work: Work, ranks: Collection[DetailRank], budget: int | None) -> int:
    fetched = 0
    while budget is None or fetched < budget:
        most = MOST_DETAILS if budget is None else min(MOST_DETAILS, budget - fetched)
        with reading() as session:
            wanted = state.next_details(session, work.target.id, ranks, most)
        if not wanted:
            break
        failed = _fetch_batch(work, wanted)
        fetched += len(wanted)
        if failed == len(wanted):  # what is left was tried before
            break
    return fetched


def _fetch_batch(work: Work, wanted: Sequence[Wanted]) -> int:
    """Fetch and store the details of some runs; returns how many failed. Raises SourceFailed."""
    found: dict[Wanted, Copied] = {}
    gone, failed, in_a_row = [], [], 0
    for run in wanted:
        try:
            copied = _ask(work, run)
        except SourceFailed as failure:
            in_a_row += 1
            if not failure.about_one or in_a_row == MAX_FAILED:
                raise
            failed.append(run)
            continue
        in_a_row = 0
        if copied is None:
            gone.append(run)
        else:
            found[run] = copied
    for workflow_id in dict.fromkeys(run.workflow_id for run in found):
        runs = [copied for run, copied in found.items() if run.workflow_id == workflow_id]
        work.summary.refused.update(import_runs(work, workflow_id, runs).values())
    ended = [run.run_id for run, copied in found.items() if not _is_active(copied)]
    with writing() as session:
        state.set_rank(session, work.target.id, ended, None)
        active = [run.run_id for run in found if run.run_id not in ended]
        state.set_rank(session, work.target.id, active, DetailRank.ACTIVE)
        state.set_rank(session, work.target.id, [run.run_id for run in failed], DetailRank.TRIED)
    for run in gone:
        mark_gone(work, run.workflow_id, [run.run_id])
    work.summary.details += len(found)
    work.go_on()
    return len(failed)


def _ask(work: Work, run: Wanted) -> Copied | None:
    item = work.source.run(run.workflow_id, run.run_id)
    steps = None if item is None else work.source.steps(run.workflow_id, run.run_id)
    return None if item is None or steps is None else Copied(item, item.at, steps)


def _is_active(copied: Copied) -> bool:
    return state.rank_of(str(copied.item.values["status"])) is DetailRank.ACTIVE
