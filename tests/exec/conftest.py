"""`run-portal`, run as people run it: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.exec.recorder import Recorder, recording

ROOT = Path(__file__).parents[2]
KEY = "op_ing_" + "7c9E" * 8


@dataclass(frozen=True)
class Machine:
    """A machine with `run-portal`: its home, and the portal that it reports to."""

    home: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "RUN_PORTAL_URL": self.url,
            "RUN_PORTAL_KEY": KEY,
        }

    def start(self, *arguments: str, **how: Any) -> subprocess.Popen[bytes]:
        """Start it, by default with pipes; without `site`, since it needs no packages."""
        pipe = subprocess.PIPE
        how = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe, "env": self.environment} | how
        return subprocess.Popen([sys.executable, "-IS", str(ROOT / "run_portal.py"), *arguments], **how)

    def run(self, *arguments: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
        with self.start(*arguments, **how) as process:
            stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def exec(self, *command: str, options: tuple[str, ...] = (), **how: Any) -> Any:
        return self.run("exec", "--workflow", "Backup", *options, "--", *command, **how)

    def start_exec(self, *command: str, options: tuple[str, ...] = (), **how: Any) -> subprocess.Popen[bytes]:
        return self.start("exec", "--workflow", "Backup", *options, "--", *command, **how)

    def flush(self, *options: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
        return self.run("flush", *options, **how)

    @property
    def kept(self) -> list[Path]:
        return sorted((self.home / "state").rglob("*.json"))


@pytest.fixture
def portal() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def machine(tmp_path: Path, portal: Recorder) -> Machine:
    return Machine(tmp_path, portal.url)
