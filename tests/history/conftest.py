"""A workspace to import into, and a function that imports."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.database.models import Workspace
from portal.history.importer import import_files
from portal.history.summary import ImportSummary
from tests.factories import NOON, make_workspace
from tests.history.lines import write

Import = Callable[..., ImportSummary]


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def load(workspace: Workspace, tmp_path: Path) -> Import:
    """Import these lines as a file."""

    def load(*lines: Any, into: Workspace = workspace, batch_size: int = 1000) -> ImportSummary:
        file = write(tmp_path / "runs.jsonl", *lines)
        return import_files(into.id, [file], now=NOON, batch_size=batch_size)

    return load
