"""Child processes of a step: programs, and functions that compute long or read what strangers wrote.

Each has limits, an own session and an empty environment, and dies with this process. It is killed as soon as
the step is no longer wanted. A function is loaded from its file alone, without the package it lies in, so its
module should import little; its arguments and what it yields are JSON.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

POLL_SECONDS = 0.1
"""How often a step that waits for a child asks whether it is still wanted."""

_START = Path(__file__).with_name("start.py")
_CHUNK_BYTES = 64 * 1024
_COMPLAINT_BYTES = 4096
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""The environment of a function: libraries must not take a thread for each processor."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a child may use; it is killed, or its system calls fail, when it wants more."""

    seconds: float = 60
    memory_bytes: int = 1024**3
    """Of address space, which is more than what is used: neural models need 4 GiB."""
    output_bytes: int = 16 * 1024**2
    file_bytes: int = 512 * 1024**2
    """Of each file that it writes."""


class ChildFailed(Exception):
    """A child ended before its work was done; the message says how."""

    def __init__(self, message: str, complaint: str = "") -> None:
        super().__init__(message)
        self.complaint = complaint
        """The end of what it wrote to standard error: for a log, not for people."""


class TooSlow(ChildFailed):
    """A child took longer than it may."""


class Step(Protocol):
    """The part of `contract.Context` that children need."""

    @property
    def folder(self) -> Path: ...

    def check(self) -> None: ...


class Children:
    """The child processes of one step, one at a time."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.processor_seconds = 0.0
        """What those that have ended used, for `contract.Usage`."""

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder for a child, removed afterwards."""
        with tempfile.TemporaryDirectory(dir=self._step.folder) as name:
            yield Path(name)

    def run(
        self, program: str, arguments: Sequence[str], given: bytes, folder: Path, limits: Limits | None = None
    ) -> bytes:
        """What a program, named by its path, writes to standard output when it reads these bytes.

        Raises ChildFailed, and what `check` of the step raises.
        """
        limits = limits or Limits()
        command = [sys.executable, "-I", "-S", *_start(limits), program, *arguments]
        return b"".join(self._output(command, given, folder, {}, limits))

    def stream(
        self, function: Callable[..., Any], *arguments: Any, folder: Path, limits: Limits | None = None
    ) -> Iterator[Any]:
        """What a generator function of a module yields, one by one. It works in the folder.

        Raises ChildFailed, also for whatever it raises, and what `check` of the step raises.
        """
        limits = limits or Limits()
        file = sys.modules[function.__module__].__file__
        call = [sys.path, function.__module__, file, function.__name__, arguments]
        command = [sys.executable, "-I", *_start(limits)]
        chunks = self._output(command, json.dumps(call).encode(), folder, _ONE_THREAD, limits)
        return map(json.loads, _lines(chunks))

    def call(
        self, function: Callable[..., Any], *arguments: Any, folder: Path, limits: Limits | None = None
    ) -> Any:
        """What a generator function yields, which must be one value. Raises as `stream`."""
        [value] = self.stream(function, *arguments, folder=folder, limits=limits)
        return value

    def _output(
        self, command: list[str], given: bytes, folder: Path, environment: Mapping[str, str], limits: Limits
    ) -> Iterator[bytes]:
        with tempfile.TemporaryFile() as reads, tempfile.TemporaryFile() as complains:
            reads.write(given)
            reads.seek(0)
            process = subprocess.Popen(  # noqa: S603  (callers give programs and arguments of ours)
                command,
                stdin=reads,
                stdout=subprocess.PIPE,
                stderr=complains,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
            try:
                yield from self._read(process, limits)
            finally:
                self._end(process)
            if process.returncode:
                raise ChildFailed(_how_it_ended(process.returncode), _last_of(complains))

    def _read(self, process: subprocess.Popen[bytes], limits: Limits) -> Iterator[bytes]:
        """Its standard output, until it has ended."""
        assert process.stdout is not None  # noqa: S101
        end, size, is_open = time.monotonic() + limits.seconds, 0, True
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                ready = selector.select(POLL_SECONDS if is_open else 0)
                self._step.check()
                if time.monotonic() > end:
                    raise TooSlow(f"took longer than {limits.seconds:g} seconds")
                if ready:
                    chunk = os.read(process.stdout.fileno(), _CHUNK_BYTES)
                    if not chunk:
                        is_open = False
                        selector.unregister(process.stdout)
                    size += len(chunk)
                    if size > limits.output_bytes:
                        raise ChildFailed(f"wrote more than {limits.output_bytes:,} bytes")
                    yield chunk
                elif _has_ended(process):
                    return
                elif not is_open:
                    time.sleep(POLL_SECONDS / 20)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill it, and all that it started, unless it has ended; count what it used."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.processor_seconds += used.ru_utime + used.ru_stime
        if process.stdout is not None:
            process.stdout.close()


def _start(limits: Limits) -> list[str]:
    return [str(_START), json.dumps({"parent": os.getpid(), **asdict(limits)})]


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; it stays there to be waited for, so that its number is not given to another."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def _last_of(complains: IO[bytes]) -> str:
    size = complains.seek(0, os.SEEK_END)
    complains.seek(max(0, size - _COMPLAINT_BYTES))
    return complains.read().decode(errors="replace").strip()
