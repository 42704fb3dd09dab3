"""A worker that waits for a child, to be killed by a test: `parent.py FOLDER PORT`."""

import sys
from pathlib import Path

from portal.engine.media.children import Children
from tests.engine.media.children.work import wait
from tests.engine.step_context import StepContext

context = StepContext(Path(sys.argv[1]))
with Children(context).folder() as folder:
    Children(context).call(wait, int(sys.argv[2]), False, folder=folder)
