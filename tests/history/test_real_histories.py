"""The real histories go in whole, and a second time change nothing."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Person, Run, RunDetail, Step, Workflow, Workspace
from portal.history.importer import import_files
from tests.factories import NOON, make_workspace
from tests.history.lines import dump

SETS = {
    "bitcoin-core-ci": (1, 923, 17_002),
    "ionic-stencil-nightly": (2, 296, 1_762),
    "kth-sp2-1996": (1, 28_476, 0),
    "wfinstances": (25, 167, 64_321),
}


def file_of(history: Path, name: str) -> Path:
    return history / name / "runs.jsonl.gz"


def count(table: type) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_four_sets_go_in_whole_and_again_change_nothing(workspace: Workspace, history: Path) -> None:
    files = [file_of(history, name) for name in SETS]
    summary = import_files(workspace.id, files, now=NOON)
    assert summary.ok
    for name, each in zip(SETS, summary.files, strict=True):
        counts = each.counts
        assert (counts.workflows_new, counts.runs_new, counts.steps) == SETS[name]
    expected = tuple(sum(numbers) for numbers in zip(*SETS.values(), strict=True))
    assert (count(Workflow), count(Run), count(Step)) == expected
    db.session.rollback()
    before = dump(db.engine, everything=True)
    again = import_files(workspace.id, files, now=NOON, batch_size=777).total
    assert again.runs_unchanged == expected[1]
    assert dump(db.engine, everything=True) == before


@pytest.mark.usefixtures("sqlite_app")
def test_the_largest_set_goes_in_whole(history: Path) -> None:
    workspace = make_workspace()
    summary = import_files(workspace.id, [file_of(history, "lpc-egee-2004")], now=NOON)
    assert summary.ok
    assert summary.total.runs_new == count(Run) == 234_889
    assert count(Person) == 55
    workflow = db.session.scalars(sa.select(Workflow)).one()
    highest = db.session.scalar(sa.select(sa.func.max(Run.run_number)))
    assert workflow.next_run_number == (highest or 0) + 1


def test_every_key_of_a_real_run_is_kept(workspace: Workspace, history: Path) -> None:
    import_files(workspace.id, [file_of(history, "ionic-stencil-nightly")], now=NOON)
    keys = {key for source in db.session.scalars(sa.select(RunDetail.source)) for key in source or ()}
    assert {"source_status", "labels", "title", "attempt", "source_id", "workflow", "ordinal"} <= keys
