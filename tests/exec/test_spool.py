"""What could not be sent is kept, and goes once with a later run or with `run-portal flush`."""

import json
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from run_portal import Spool
from tests.exec.conftest import Machine
from tests.exec.recorder import Answer, Recorder

DOWN = Answer(503)
QUICKLY = ("--wait", "0")
"""Options of runs that are only kept."""


def make_kept(machine: Machine, count: int) -> list[str]:
    """Runs that are kept: their names, oldest first."""
    names = [f"{number:03}.json" for number in range(count)]
    [folder] = {path.parent for path in machine.kept}
    for name in names:
        (folder / name).write_text(json.dumps({"external_id": name, "status": "completed", "type": "run"}))
    return names


@pytest.mark.slow
def test_the_next_run_sends_what_was_kept(machine: Machine, portal: Recorder) -> None:
    portal.answer = lambda _: DOWN
    for word in ("one", "two"):
        machine.exec("echo", word, options=QUICKLY)
    assert len(machine.kept) == 2
    portal.requests.clear()
    portal.answer = lambda _: Answer()
    machine.exec("echo", "three")
    outputs = [end["steps"][0]["result"]["output"] for end in portal.ends]
    assert sorted(outputs) == ["one\n", "three\n", "two\n"]
    assert machine.kept == []


@pytest.mark.slow
def test_flush_sends_what_was_kept_and_says_so(machine: Machine, portal: Recorder) -> None:
    portal.answer = lambda _: DOWN
    machine.exec("true", options=QUICKLY)
    refused = machine.flush()
    assert (refused.returncode, refused.stdout) == (1, b"0 sent, 1 kept\n")
    assert refused.stderr == f"run-portal: {portal.url} answered 503\n".encode()
    portal.answer = lambda _: Answer()
    sent = machine.flush()
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, b"1 sent, 0 kept\n", b"")
    assert machine.flush().stdout == b"0 sent, 0 kept\n"


@pytest.mark.slow
def test_what_another_key_left_is_sent_only_if_told_to(machine: Machine, portal: Recorder) -> None:
    portal.answer = lambda _: DOWN
    machine.exec("true", options=QUICKLY, env=machine.environment | {"RUN_PORTAL_KEY": "op_ing_other"})
    portal.requests.clear()
    portal.answer = lambda _: Answer()
    machine.exec("true")
    assert len(portal.ends) == 1
    assert machine.flush().stdout == b"0 sent, 0 kept, 1 kept for another address or key\n"
    assert machine.flush("--all").stdout == b"1 sent, 0 kept\n"
    assert len(portal.ends) == 2


@pytest.mark.slow
def test_a_new_key_in_the_same_file_sends_what_the_old_one_left(machine: Machine, portal: Recorder) -> None:
    file = machine.home / "key"
    file.write_text("op_ing_old")
    portal.answer = lambda sent: Answer(401 if sent.headers["Authorization"].endswith("old") else 200)
    options = ("--key-file", str(file))
    machine.exec("true", options=options)
    file.write_text("op_ing_new")
    assert machine.flush(*options).stdout == b"1 sent, 0 kept\n"


@pytest.mark.slow
def test_concurrent_runs_lose_and_double_nothing(machine: Machine, portal: Recorder) -> None:
    portal.answer = lambda _: DOWN
    machine.exec("true", options=QUICKLY)
    names = make_kept(machine, 250)
    portal.requests.clear()
    portal.answer = lambda _: Answer()
    ways = [machine.start_exec("true"), machine.start("flush"), machine.start("flush")]
    for process in ways:
        process.communicate(timeout=60)
    assert machine.flush().returncode == 0
    counts = Counter(end["external_id"] for end in portal.ends)
    assert counts.keys() >= set(names)
    assert set(counts.values()) == {1}
    assert len(counts) == 252
    assert all(len(sent.lines) <= 100 for sent in portal.requests)


@pytest.mark.slow
def test_a_run_whose_machine_died_is_known_to_have_started(machine: Machine, portal: Recorder) -> None:
    portal.answer = lambda _: DOWN
    with machine.start_exec("cat", stdin=subprocess.PIPE) as process:
        portal.wait_for(lambda: bool(portal.requests))
        process.kill()
    portal.answer = lambda _: Answer()
    assert machine.flush().stdout == b"1 sent, 0 kept\n"
    assert portal.lines[-1] == portal.lines[0]
    assert portal.lines[-1]["status"] == "running"


@pytest.mark.slow
def test_an_end_outlives_a_kill_while_it_is_sent(machine: Machine, portal: Recorder) -> None:
    portal.let_go.clear()
    with machine.start_exec("true", options=("--wait", "600")) as process:
        portal.wait_for(lambda: bool(portal.ends))
        assert machine.flush().stdout == b"0 sent, 1 kept\n"  # it is being sent
        process.kill()
    portal.let_go.set()
    assert machine.flush().stdout == b"1 sent, 0 kept\n"
    assert [end["status"] for end in portal.ends] == ["completed", "completed"]


@pytest.mark.slow
def test_half_written_and_broken_files_do_no_harm(machine: Machine, portal: Recorder) -> None:
    portal.answer = lambda _: DOWN
    machine.exec("true", options=QUICKLY)
    [kept] = machine.kept
    broken = kept.with_name("000.json")
    broken.write_text('{"type": "ru')
    unfinished = kept.with_name("001.json.tmp")
    unfinished.write_text("{")
    portal.answer = lambda _: Answer()
    assert machine.flush().stdout == b"1 sent, 0 kept\n"
    assert not broken.exists()
    an_hour_ago = time.time() - 3700
    os.utime(unfinished, (an_hour_ago, an_hour_ago))
    machine.exec("true")
    assert not unfinished.exists()


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "run-portal" / "spool" / "here"), most_files=5)
    other = Spool(str(tmp_path / "run-portal" / "spool" / "there"), most_files=5)
    for number in range(4):
        other.keep(f"{number}.json", {"number": number}).release()
    for number in range(4, 8):
        spool.keep(f"{number}.json", {"number": number}).release()
    found = sorted(path.name for path in tmp_path.rglob("*.json"))
    assert found == ["3.json", "4.json", "5.json", "6.json", "7.json"]


def test_the_oldest_go_when_they_are_too_large_but_none_that_is_in_use(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "run-portal" / "spool" / "here"), most_bytes=1_000)
    used = spool.keep("0.json", {"output": "x" * 400})
    for number in range(1, 5):
        spool.keep(f"{number}.json", {"output": "x" * 400}).release()
    assert sorted(path.name for path in tmp_path.rglob("*.json")) == ["0.json", "4.json"]
    used.remove()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_changes_nothing(machine: Machine, portal: Recorder) -> None:
    (machine.home / "state").write_text("a file where the folder should be")
    portal.answer = lambda _: DOWN
    ran = machine.exec("sh", "-c", "exit 3", options=("--wait", "0.1"))
    assert (ran.returncode, ran.stderr) == (3, b"")
    portal.answer = lambda _: Answer()
    assert machine.exec("true").returncode == 0
    assert portal.ends[-1]["status"] == "completed"
