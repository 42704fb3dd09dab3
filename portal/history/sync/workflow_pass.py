"""The pass over one workflow: what is new, what has moved on, and what is gone."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from portal.database.models import ACTIVE
from portal.database.transactions import writing
from portal.history.importer import import_lines
from portal.history.parsing.readers import Values
from portal.history.sync import lines, state
from portal.history.sync.batch import BY_MIRROR, MOST_RUNS, Batch, Work, WorkflowState, reading, reasons
from portal.history.sync.source import PAGE, Item, Order, RunPage, Sort
from portal.history.sync.state import WorkflowHere
from portal.runs.recording.workflow_rows import touch_workflows

MAX_LOOKS = 5
"""How often the top of a list is looked at while runs are being created."""
MOST_ACTIVE = 50
"""Active runs that are asked for again before the next commit."""
MAX_ENDED_PAGES = 10
"""Pages in which runs are looked for that have just ended."""
EARLIEST = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
"""Before any run, as far as a scan is concerned."""

OTHER_WORKSPACE = "Another workspace here has a workflow with its id."
DELETED_HERE = "Its workflow was deleted here."


class WorkflowGone(Exception):
    """The workflow was deleted there since it was listed."""


class WorkflowPass:
    """One pass over one workflow."""

    def __init__(self, work: Work, item: Item, progress: WorkflowState, here: WorkflowHere | None) -> None:
        self._work, self._item, self._progress, self._here = work, item, progress, here
        self._id = progress.workflow_id

    def run(self, *, full: bool) -> None:
        """Copy what has changed. A full pass lists all runs, whatever the counts say. Raises SourceFailed."""
        progress = self._progress
        refused_before, progress.refused, progress.gone_at = progress.refused, self._refusal(), None
        if progress.refused is None and not self._describe():
            return
        if progress.refused is not None:
            self._work.summary.refused[progress.refused] += 1
            if progress.refused != refused_before:
                self._store()
            return
        with suppress(WorkflowGone):  # the next pass finds it missing in the list
            self._copy(full)

    def _refusal(self) -> str | None:
        if self._here is None:
            return None
        if self._here.workspace_id != self._work.target.workspace_id:
            return OTHER_WORKSPACE
        return DELETED_HERE if self._here.deleted else None

    def _describe(self) -> bool:
        """Copy name and definition if they have changed. False if the workflow is gone meanwhile."""
        target, changed_at = self._work.target, self._item.moment("updated_at")
        is_ours = self._here is None or self._here.source == target.source
        if not is_ours or (self._here is not None and self._progress.described_at == changed_at):
            return True
        found = self._work.source.workflow(self._id)
        if found is None:
            return False
        for extras in (True, False):
            line = lines.workflow_line(found.values, target.source, extras=extras)
            now = self._work.clock()
            refused = reasons(import_lines(target.workspace_id, [line], now=now, way=BY_MIRROR))
            if not refused:
                break
        if refused and self._here is None:
            self._progress.refused = refused[1]
        elif refused:  # somebody has edited it here
            self._work.summary.refused[refused[1]] += 1
        self._progress.described_at = changed_at
        return True

    def _copy(self, full: bool) -> None:
        progress, counts = self._progress, checksum_of(self._item.values)
        with reading() as session:
            unsettled = state.unsettled_runs(session, self._work.target.id, self._id)
        agreed = progress.complete and not progress.scanning and progress.checksum == counts
        if agreed and not unsettled and not full:
            return
        progress.checksum = None
        self._ask_again(unsettled)
        listed = self._newest()
        scanned = False
        if full or not progress.complete or progress.scanning or self._differs(listed, counts):
            self._scan()
            self._newest()
            scanned = True
        if scanned or self._counts() == counts["runs"]:
            progress.checksum = counts
        self._store()

    def _store(self) -> None:
        with writing() as session:
            self._progress.store(session)
        self._work.go_on()

    def _page(self, offset: int, order: Order, sort: Sort = "created_at") -> RunPage:
        page = self._work.source.runs(self._id, offset, order, sort)
        if page is None:
            raise WorkflowGone
        return page

    def _ask_again(self, unsettled: Mapping[UUID, str]) -> None:
        """Bring runs up to date that were active, or had only just ended, when they were last seen."""
        active = [run_id for run_id, status in unsettled.items() if status in ACTIVE]
        ended: dict[UUID, Item | None] = dict.fromkeys(unsettled.keys() - set(active))
        for start in range(0, len(active), MOST_ACTIVE):
            batch, gone = Batch(self._work, self._progress), []
            for run_id in active[start : start + MOST_ACTIVE]:
                item = self._work.source.run(self._id, run_id)
                if item is None:
                    gone.append(run_id)
                elif item.values["status"] in ACTIVE:
                    batch.add([item], asked=True)
                else:
                    ended[run_id] = item
            batch.commit()
            self._mark_gone(gone)
        if ended:
            self._settle(ended)

    def _settle(self, ended: Mapping[UUID, Item | None]) -> None:
        """Copy runs that have just ended: the list says of them what Get Run does not, and the reverse."""

        def whole(row: Item) -> Item:
            asked = ended[row.id]
            return row if asked is None else Item(row.values | asked.values, row.at)

        offset, missing, batch = 0, set(ended), Batch(self._work, self._progress)
        for _ in range(MAX_ENDED_PAGES):
            page = self._page(offset, "desc", "completed_at")
            found = [whole(row) for row in page.rows if row.id in missing]
            batch.add(found, asked=True)
            missing -= {row.id for row in found}
            offset += len(page.rows)
            if page.is_last or not missing:
                break
        batch.add([item for run_id in missing if (item := ended[run_id])], asked=True)
        batch.commit()
        with writing() as session:
            state.settle(session, self._work.target.id, sorted(missing))

    def _newest(self) -> int:
        """Copy new runs from the top of the list; returns how many runs the workflow has there.

        Runs that are created meanwhile move the others down, so the top is looked at until nothing is new.
        Before the first scan is through, one page is enough: the scan brings the rest.
        """
        total = 0
        for _ in range(MAX_LOOKS):
            offset, batch = 0, Batch(self._work, self._progress)
            while True:
                page = self._page(offset, "desc")
                total = page.total if offset == 0 else total
                news = batch.add(page.rows)
                offset += len(page.rows)
                whole = page.is_last or not news or not self._progress.complete
                if whole or len(batch) >= MOST_RUNS:
                    batch.commit()
                if whole:
                    break
            if offset <= PAGE:
                break
        return total

    def _differs(self, listed: int, counts: Values) -> bool:
        """Whether there are other runs here than there, so that all have to be listed.

        Of a workflow whose runs are under way, only the number of runs is compared.
        """
        ours = self._counts()
        if sum(ours.values()) != listed:
            return True
        moving = any(counts["runs"].get(status) or ours.get(status) for status in ACTIVE)
        return not moving and sum(counts["runs"].values()) == listed and ours != counts["runs"]

    def _counts(self) -> dict[str, int]:
        with reading() as session:
            return state.count_runs(session, self._work.target.id, self._id)

    def _scan(self) -> None:
        """List all runs, oldest first; at the end, what was not listed is gone.

        Each page begins with a run that the pages before have covered. If it does not, runs were deleted
        there and the others moved up, so the scan steps back: nothing is skipped, whatever happens meanwhile.
        """
        progress, batch = self._progress, Batch(self._work, self._progress)
        if not progress.scanning:
            progress.scan, progress.scanning = progress.scan + 1, True
            progress.scan_offset, progress.covered_at, progress.covered_id = 0, None, None
        while True:
            offset = max(0, progress.scan_offset - 1)
            page = self._page(offset, "asc")
            if offset and not (page.rows and _key(page.rows[0]) <= self._covered()):
                progress.scan_offset = max(0, offset - PAGE + 2)
                continue
            batch.add(page.rows)
            self._work.listed(len(page.rows))
            if page.rows:
                progress.covered_at, progress.covered_id = max(self._covered(), _key(page.rows[-1]))
            progress.scan_offset = offset + len(page.rows)
            if page.is_last or len(batch) >= MOST_RUNS:
                batch.commit()
            if page.is_last:
                break
        with reading() as session:
            gone = state.unlisted(session, self._work.target.id, self._id, progress.scan)
        progress.scanning, progress.complete = False, True
        self._mark_gone(gone)
        self._store()

    def _covered(self) -> tuple[datetime, UUID]:
        if self._progress.covered_at is None or self._progress.covered_id is None:
            return EARLIEST
        return self._progress.covered_at, self._progress.covered_id

    def _mark_gone(self, run_ids: Sequence[UUID]) -> None:
        mark_gone(self._work, self._id, run_ids)


def mark_gone(work: Work, workflow_id: UUID, run_ids: Sequence[UUID]) -> None:
    """Note that runs of a workflow are not there any more, which their pages say."""
    if not run_ids:
        return
    with writing() as session:
        copied = state.mark_gone(session, work.target.id, run_ids, work.clock())
        touch_workflows(session, [workflow_id])
    work.summary.gone += copied


def checksum_of(values: Values) -> Values:
    """What List Workflows says of the runs of a workflow: whatever happens to them changes it."""
    counts = values.get("run_status_counts") or {}
    runs = {status: number for status, number in sorted(counts.items()) if number}
    return {"runs": runs, "last_run_at": values.get("last_run_at"), "status": values.get("last_run_status")}


def _key(item: Item) -> tuple[datetime, UUID]:
    """The place of a run in a list by creation, oldest first."""
    return item.created_at, item.id
