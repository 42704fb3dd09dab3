"""Every release, SDK and CLI, reads everything that there is to read about a workflow and its runs."""

import json
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.database.engine import db
from portal.database.models import Workflow, Workspace
from portal.history.importer import import_lines
from tests.factories import NOON, make_detail, make_output, make_run, make_steps
from tests.history.lines import encode, upload_line
from tests.onepin.conftest import Onepin

WRONG = {"text": "Hello", "status": "word_error", "start": 0, "end": 5}
COUNTS = {"substitutions": 1, "insertions": 0, "deletions": 0, "reference_units": 1}
READS = Path(__file__).with_name("reads.py")


@pytest.fixture
def ids(shelf: tuple[Workflow, str]) -> tuple[str, str]:
    """A workflow with an upload, and a run of it that has something of everything."""
    workflow, _ = shelf
    workspace = db.session.get_one(Workspace, workflow.workspace_id)
    run = make_run(workflow, run_number=8, started_at=NOON, completed_at=NOON + timedelta(minutes=1))
    make_detail(run, definition_snapshot={"graph": {"nodes": [{"id": "out", "type": "sink_preview"}]}})
    make_steps(run, {"node_id": "out", "node_type": "sink_preview", "started_at": NOON})
    said = [{"kind": "wer", "score": 0.9, "passed": True, "segments": [WRONG], "error_counts": COUNTS}]
    take = {"locale_code": "de-DE", "audio": b"RIFF", "validations": said}
    make_output(run, workspace, {"script": "Hello", "takes": [take]})
    upload = upload_line(workflow_id=str(workflow.id), path="script.txt", uploaded_by={"name": "Ada"})
    db.session.commit()
    assert import_lines(workspace.id, [encode(upload)], now=NOON, files={"script.txt": b"Hello\n"}).ok
    return str(workflow.id), str(run.id)


def test_the_command_line_reads_everything(onepin: Onepin, ids: tuple[str, str], tmp_path: Path) -> None:
    found = {f"workflows {name}": onepin.json("workflows", name, ids[0]) for name in ("show", "uploads")}
    found["workflows list"] = onepin.json("workflows", "list")
    for name in ("show", "status", "steps", "overview", "data"):
        found[f"runs {name}"] = onepin.json("workflows", "runs", name, *ids)
    for name in ("list", "summary"):
        found[f"runs {name}"] = onepin.json("workflows", "runs", name, ids[0])
    check(found, ids)
    for name, more in (("download", ()), ("download-node", ("out",))):
        file = tmp_path / f"{name}.zip"
        onepin("workflows", "runs", name, *ids, *more, "--out", str(file))
        assert zipfile.ZipFile(file).namelist() == ["de-DE/0001-0-0.wav"]


def test_the_sdk_reads_everything(onepin: Onepin, ids: tuple[str, str]) -> None:
    read = onepin.run(sys.executable, str(READS), onepin.base_url, onepin.key, *ids, "out")
    found = json.loads(read.stdout)
    check(found, ids)
    assert found["download"]["filename"] == "Nightly-dub-run-8.zip"
    assert found["download-node"]["filename"] == "Nightly-dub-run-8-out.zip"


def check(found: dict[str, Any], ids: tuple[str, str]) -> None:
    """What every release makes of the answers."""
    [listed] = found["workflows list"]
    shown = found["workflows show"]
    assert listed["id"] == shown["id"] == ids[0]
    assert listed["runs_count"] == shown["runs_count"] == 8
    [upload] = found["workflows uploads"]
    assert (upload["filename"], upload["size_bytes"], upload["category"]) == ("script.txt", 6, "script")
    assert {run["run_number"] for run in found["runs list"]} == set(range(1, 9))
    for name in ("show", "status"):
        run = found[f"runs {name}"]
        assert (run["id"], run["workflow_id"], run["status"]) == (ids[1], ids[0], "completed")
    assert found["runs show"]["definition_snapshot"]["graph"]["nodes"][0]["id"] == "out"
    assert [step["node_id"] for step in found["runs steps"]] == ["out"]
    overview = found["runs overview"]
    assert overview["workflow"]["name"] == "Nightly dub"
    assert [node["node_id"] for node in overview["workflow_snapshot"]["node_states"]] == ["out"]
    [row] = found["runs data"]["rows"]
    [card] = row["cards"]
    assert (row["script"], card["locale_code"], card["audio"]["status"]) == ("Hello", "de-DE", "available")
    summary = found["runs summary"]
    assert (summary["total_runs"], summary["completed"], summary["failed"]) == (8, 3, 1)
