"""`flask import --from`: its options, and what it refuses."""

import contextvars
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from tests.factories import make_workspace
from tests.history.sources.reading import HERE

RUNS = HERE / "dagster" / "runs.json"
Import = Callable[..., Result]


@pytest.fixture
def import_(app: Flask) -> Import:
    """Run `flask import` with these words, with one workspace to import into."""
    make_workspace()
    runner = app.test_cli_runner()
    return lambda *words: contextvars.Context().run(
        runner.invoke, args=["import", *(str(word) for word in words)]
    )


def test_a_reader_that_does_not_exist_is_refused_with_those_that_do(import_: Import) -> None:
    refused = import_("--from", "kestra", RUNS)
    assert refused.exit_code == 1
    assert "from must be one of github, gitlab," in refused.output


def test_options_of_readers_go_with_a_reader_only(import_: Import) -> None:
    refused = import_("--zone", "UTC", RUNS)
    assert refused.exit_code == 1
    assert "zone goes with --from only." in refused.output


def test_a_check_says_what_is_wrong_with_a_record_and_where(import_: Import, tmp_path: Path) -> None:
    file = tmp_path / "runs.json"
    file.write_text(json.dumps({"workflow_runs": [{"id": 1, "run_number": "one"}]}))
    result = import_("--check", "--json", "--from", "github", file)
    assert result.exit_code == 1
    [bad] = json.loads(result.stdout)["bad"]
    assert (bad["field"], bad["line_number"]) == ("workflow_runs[0].url", 1)


def test_a_file_that_is_no_json_says_where(import_: Import, tmp_path: Path) -> None:
    file = tmp_path / "runs.json"
    file.write_text('{\n "workflow_runs": [,]\n}\n')
    result = import_("--json", "--from", "github", file)
    assert result.exit_code == 1
    [error] = json.loads(result.stdout)["errors"]
    assert error["file"] == str(file)
    assert "(line 2, column 20)" in error["reason"]
