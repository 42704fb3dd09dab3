"""What the tests of child processes let them do."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def count(most: int) -> Iterator[int]:
    print("This is printed, and no result.")
    yield from range(most)


def surroundings() -> Iterator[dict[str, object]]:
    yield {
        "folder": os.listdir(),
        "environment": sorted(os.environ),
        "portal": "portal" in sys.modules,
        "session": os.getsid(0) == os.getpid(),
    }


def fill_memory() -> Iterator[int]:
    yield len(bytearray(10 * 1024**3))


def fill_disk() -> Iterator[int]:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield Path("big").write_bytes(bytes(10_000_000))


def crash() -> Iterator[None]:
    yield None
    os.kill(os.getpid(), signal.SIGSEGV)


def burn(seconds: float) -> Iterator[float]:
    while time.process_time() < seconds:
        pass
    yield seconds


def wait(port: int, with_child: bool) -> Iterator[int]:
    """Say by a connection that this process is there, and maybe one of its own that keeps it open too."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        if with_child:
            subprocess.Popen(["/bin/sleep", "600"], pass_fds=[connection.fileno()])
        connection.sendall(b"here")
        time.sleep(600)
    yield 0


def chatter() -> Iterator[str]:
    while True:
        yield "x" * 1000
