"""`flask import --from`: its options, and what it refuses."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.test_commands import Run, run, team  # noqa: F401 — fixtures
from tests.history.sources.reading import HERE

RUNS = HERE / "dagster" / "runs.json"


@pytest.mark.usefixtures("team")
def test_a_reader_that_does_not_exist_is_refused_with_those_that_do(run: Run) -> None:  # noqa: F811
    refused = run("import", "--from", "kestra", RUNS)
    assert refused.exit_code == 1
    assert "from: must be one of github, gitlab," in refused.output


@pytest.mark.usefixtures("team")
def test_options_of_readers_go_with_a_reader_only(run: Run) -> None:  # noqa: F811
    refused = run("import", "--zone", "UTC", RUNS)
    assert refused.exit_code == 1
    assert "zone: goes with --from only." in refused.output


@pytest.mark.usefixtures("team")
def test_a_check_says_what_is_wrong_with_the_record_and_where(run: Run, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "runs.json"
    file.write_text(json.dumps({"workflow_runs": [{"id": 1, "run_number": "one"}]}))
    result: Result = run("import", "--check", "--json", "--from", "github", file)
    assert result.exit_code == 1
    [bad] = json.loads(result.output)["bad"]
    assert (bad["field"], bad["line_number"]) == ("workflow_runs[0].status", 1)
