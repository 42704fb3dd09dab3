"""A long file is parsed in a process of its own: the same comes of it, whatever becomes of that process."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Run, Workspace
from portal.history.files.prefetch import ProcessEnded, produce_in_process
from portal.history.importer import import_files
from portal.history.parsing import chunks
from portal.runs.counts import find_drift
from tests.factories import NOON
from tests.history.lines import an_id, dump, empty, run_line, workflow_line, write

pytestmark = pytest.mark.slow

BAD_LINES: list[Any] = [
    b"{",
    {"type": "else"},
    run_line("bad", status="no such"),
    b'{"type": "run", "id": "\xff"}',
]


@pytest.fixture
def every_file_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "LONG_FILE", 0)


def some_lines() -> list[Any]:
    person, steps = {"id": 7, "name": "Ada", "team": "x"}, [{"node_id": "a", "status": "failed"}]
    good = [
        run_line(str(n), ordinal=n + 1, triggered_by=person, steps=steps, usage_summary={"n": 2**70})
        for n in range(40)
    ]
    return [workflow_line(), *good[:20], *BAD_LINES, *good[20:], good[3] | {"status": "cancelled"}]


def test_it_comes_to_the_same(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "runs.jsonl", *some_lines())
    here = import_files(workspace.id, [file], now=NOON, batch_size=7)
    stored = dump(db.engine)
    empty()
    monkeypatch.setattr(chunks, "LONG_FILE", 0)
    apart = import_files(workspace.id, [file], now=NOON, batch_size=7)
    assert dump(db.engine) == stored
    assert len(apart.bad) == len(BAD_LINES)
    assert (apart.bad, apart.total) == (here.bad, here.total)


@pytest.mark.usefixtures("every_file_is_long")
def test_real_history_with_steps_and_files_comes_in_whole(workspace: Workspace, history: Path) -> None:
    summary = import_files(workspace.id, [history / "bitcoin-core-ci" / "runs.jsonl.gz"], now=NOON)
    assert summary.ok
    assert summary.total.runs_new
    assert not find_drift(db.session())


@pytest.mark.usefixtures("every_file_is_long")
def test_a_file_that_is_cut_off_keeps_what_came_before(workspace: Workspace, tmp_path: Path) -> None:
    lines = [workflow_line(), *(run_line(str(n), title=an_id(str(n))) for n in range(2000))]
    packed = write(tmp_path / "runs.jsonl.gz", *lines, packed=True)
    packed.write_bytes(packed.read_bytes()[:-2000])
    summary = import_files(workspace.id, [packed], now=NOON)
    assert summary.files[0].error is not None
    assert summary.files[0].error.startswith("The gzip file ends too early")
    assert summary.total.runs_new > 1000


@pytest.mark.usefixtures("every_file_is_long")
def test_where_the_process_is_killed_the_file_says_so_and_whole_pieces_are_kept(
    workspace: Workspace, tmp_path: Path
) -> None:
    file = write(tmp_path / "runs.jsonl", workflow_line(), *(run_line(str(n)) for n in range(60_000)))

    def kill(_bytes: int, _of: int, _lines: int) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    summary = import_files(workspace.id, [file], now=NOON, progress=kill)
    assert summary.files[0].error == "The process that read the file was ended."
    with db.engine.connect() as connection:
        stored = connection.scalar(sa.select(sa.func.count()).select_from(Run))
    assert stored == summary.total.runs_new
    assert 0 < summary.total.runs_new < 60_000
    assert not find_drift(db.session())


def count_up(upto: int) -> Any:
    yield from range(upto)


def fail_after(upto: int) -> Any:
    yield from range(upto)
    raise ValueError("no more")


def test_items_made_apart_come_in_order() -> None:
    assert list(produce_in_process(count_up, 1000)) == list(range(1000))


def test_what_was_made_before_a_failure_comes_and_then_the_failure(
    capfd: pytest.CaptureFixture[str],
) -> None:
    items = produce_in_process(fail_after, 2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ProcessEnded):
        next(items)
    assert "ValueError: no more" in capfd.readouterr().err


def test_a_process_whose_items_nobody_takes_any_more_ends() -> None:
    items = produce_in_process(count_up, 10**9)
    assert next(items) == 0
    [process] = multiprocessing.active_children()
    items.close()
    assert not process.is_alive()
