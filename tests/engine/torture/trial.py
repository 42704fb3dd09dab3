"""A trial in a process of its own, since it brings node types of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.engine.torture.checker import Findings
from tests.engine.torture.processes import ROOT, environment


def torture(folder: Path, *words: str) -> Findings:
    """Run a trial in an empty folder; `words` are the options of the driver."""
    environment(folder, "sqlite://")
    paths = os.pathsep.join((str(ROOT), str(folder / "packages")))
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.torture.driver", folder, *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": paths},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return Findings(**json.loads(done.stdout.splitlines()[-1]))
