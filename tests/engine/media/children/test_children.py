"""Child processes: their limits, their ends, and what they find around them."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.engine.contract import Cancelled
from portal.engine.media.children import ChildFailed, Children, Limits, TooSlow
from tests.engine.media.children import work
from tests.engine.step_context import StepContext

ROOT = Path(__file__).parents[4]
GONE_WITHIN = 60
"""Seconds after which a process that should be dead counts as alive."""


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    return StepContext(tmp_path)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(GONE_WITHIN)
        yield server


def call(context: StepContext, function: Callable[..., Any], *arguments: Any, **limits: Any) -> Any:
    children = Children(context)
    with children.folder() as folder:
        return children.call(function, *arguments, folder=folder, limits=Limits(**limits))


def run(context: StepContext, *command: str, given: bytes = b"", **limits: Any) -> bytes:
    children = Children(context)
    with children.folder() as folder:
        return children.run(command[0], command[1:], given, folder, Limits(**limits))


def test_a_program_reads_and_writes_bytes(context: StepContext) -> None:
    assert run(context, "/bin/cat", given=b"\x00text\n" * 50_000) == b"\x00text\n" * 50_000


def test_a_program_has_an_empty_folder_and_no_environment(context: StepContext) -> None:
    assert run(context, "/bin/sh", "-c", "ls -A; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL=; true") == b""


def test_what_a_function_yields_arrives_in_order(context: StepContext) -> None:
    children = Children(context)
    with children.folder() as folder:
        assert list(children.stream(work.count, 1000, folder=folder)) == list(range(1000))
    assert children.processor_seconds > 0
    assert not folder.exists()


def test_a_function_finds_an_empty_folder_no_secrets_and_no_portal(context: StepContext) -> None:
    found = call(context, work.surroundings)
    assert found["folder"] == []
    assert set(found["environment"]) <= {"LC_CTYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    assert found["session"]
    assert not found["portal"]


def test_memory_is_limited(context: StepContext) -> None:
    with pytest.raises(ChildFailed) as failure:
        call(context, work.fill_memory)
    assert failure.value.complaint.endswith("MemoryError")


def test_files_are_limited(context: StepContext) -> None:
    with pytest.raises(ChildFailed) as failure:
        call(context, work.fill_disk, file_bytes=1_000_000)
    assert "File too large" in failure.value.complaint


@pytest.mark.slow
def test_output_is_limited(context: StepContext) -> None:
    children = Children(context)
    with children.folder() as folder, pytest.raises(ChildFailed, match=r"wrote more than 10,000 bytes"):
        for _ in children.stream(work.chatter, folder=folder, limits=Limits(output_bytes=10_000)):
            pass


@pytest.mark.slow
def test_time_is_limited(context: StepContext) -> None:
    with pytest.raises(TooSlow, match=r"took longer than 0\.3 seconds"):
        run(context, "/bin/sleep", "600", seconds=0.3)


def test_a_crash_ends_the_child_alone(context: StepContext) -> None:
    with pytest.raises(ChildFailed, match=r"was ended by SIGSEGV"):
        call(context, work.crash)


def test_a_program_that_is_not_there_is_a_failure(context: StepContext) -> None:
    with pytest.raises(ChildFailed, match=r"ended with code 1") as failure:
        run(context, "/nowhere/program")
    assert "FileNotFoundError" in failure.value.complaint


def test_the_code_of_a_program_is_named(context: StepContext) -> None:
    with pytest.raises(ChildFailed, match=r"ended with code 3") as failure:
        run(context, "/bin/sh", "-c", "echo broken >&2; exit 3")
    assert failure.value.complaint == "broken"


@pytest.mark.slow
def test_processor_time_is_counted_also_of_a_child_that_failed(context: StepContext) -> None:
    children = Children(context)
    with children.folder() as folder:
        children.call(work.burn, 0.3, folder=folder)
        once = children.processor_seconds
        assert once >= 0.3
        with pytest.raises(ChildFailed):
            children.call(work.burn, 0.3, 0.3, folder=folder)
    assert children.processor_seconds > once


@pytest.mark.slow
def test_a_step_that_is_not_wanted_any_more_kills_child_and_grandchild(
    context: StepContext, listener: socket.socket
) -> None:
    """Both hold a connection, which ends when both are dead."""
    arrived: list[socket.socket] = []

    def cancelled() -> bool:
        if not arrived:
            listener.settimeout(0.01)
            try:
                arrived.append(listener.accept()[0])
            except TimeoutError:
                return False
            arrived[0].settimeout(GONE_WITHIN)
            assert arrived[0].recv(4) == b"here"
        return True

    context.is_cancelled = cancelled
    with pytest.raises(Cancelled):
        call(context, work.wait, listener.getsockname()[1], True)
    with arrived[0] as connection:
        assert connection.recv(4) == b""


def test_whoever_stops_reading_ends_the_child(context: StepContext) -> None:
    children = Children(context)
    with children.folder() as folder:
        stream = children.stream(work.chatter, folder=folder)
        assert next(stream) == "x" * 1000
        del stream
    assert children.processor_seconds > 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_dies_with_a_killed_worker(tmp_path: Path, listener: socket.socket) -> None:
    port = str(listener.getsockname()[1])
    command = [sys.executable, "-m", "tests.engine.media.children.parent", str(tmp_path), port]
    with subprocess.Popen(command, cwd=ROOT) as worker:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(GONE_WITHIN)
            assert connection.recv(4) == b"here"
            worker.kill()
            assert connection.recv(4) == b""
