"""The published clients start, watch, steer and download runs, over real HTTP."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jiwer
import pytest
import soundfile
import sqlalchemy as sa

from portal import moments
from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.database.models import EngineWorker, User, Workflow, Workspace
from portal.history.demo.sample import USER_EMAIL, install_demo
from tests.definitions.graphs import checked
from tests.factories import CAN_ALL, make_key, make_worker, make_workflow
from tests.listening import heard, words
from tests.onepin.conftest import NEWEST, Onepin

ROOT = Path(__file__).parents[2]
SPOKEN = "Welcome to Acme Voice. Your projects are on the left. Press the green button to record."
SDK_STEERS = """
import json, sys
from onepin import OnepinClient
base_url, key, workflow_id = sys.argv[1:]
flows = OnepinClient(api_key=key, base_url=base_url).workflows
run = flows.runs.start(workflow_id=workflow_id, request={"script_text": "Hello"}).data
where = {"workflow_id": workflow_id, "run_id": run.id}
states = [run, flows.pause_run(**where).data, flows.resume_run(**where).data, flows.runs.cancel(**where).data]
print(json.dumps([each.model_dump(mode="json") for each in states]))
"""


@pytest.fixture
def tour(onepin: Onepin) -> tuple[Onepin, str]:
    """The client of the sample's user, and the id of its workflow that has not run yet."""
    install_demo(moments.now())
    db.session.rollback()
    user = db.session.scalars(sa.select(User).where(User.email == USER_EMAIL)).one()
    workflow = db.session.scalars(sa.select(Workflow).where(Workflow.name == "Onboarding tour")).one()
    workflow_id = str(workflow.id)
    use_key(onepin, make_key(db.session.get_one(Workspace, workflow.workspace_id), user, SCOPES))
    return onepin, workflow_id


@pytest.fixture
def steerer(onepin: Onepin) -> tuple[Onepin, str]:
    """A client, and the id of a workflow whose runs wait: the worker works in word only."""
    make_worker(abilities=CAN_ALL)
    db.session.rollback()
    workspace = db.session.get_one(Workspace, onepin.workflow.workspace_id)
    use_key(onepin, make_key(workspace, db.session.scalars(sa.select(User)).one(), SCOPES))
    return onepin, str(make_workflow(workspace, definition=checked()).id)


def use_key(onepin: Onepin, key: str) -> None:
    onepin.environment, onepin.key = {"ONEPIN_API_KEY": key}, key


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """`flask worker` beside the served portal."""
    settings = environment | {"PATH": os.environ["PATH"], "PORTAL_ARTIFACTS": str(tmp_path / "artifacts")}
    command = [sys.executable, "-m", "flask", "worker", "--threads", "2"]
    with open(tmp_path / "worker.log", "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            code = process.wait(timeout=60)
    assert code == 0, (tmp_path / "worker.log").read_text()


def read(onepin: Onepin, command: str, *arguments: str) -> Any:
    return onepin.json("workflows", "runs", command, *arguments)


@pytest.mark.parametrize("onepin", [NEWEST], indirect=True)
def test_the_command_line_runs_the_sample_watches_and_downloads_it(
    tour: tuple[Onepin, str], worker: None, recogniser: Path, tmp_path: Path
) -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("the program espeak-ng is not installed: nothing here speaks")
    onepin, workflow_id = tour
    assert onepin.json("workflows", "preview-run", workflow_id)["can_run"]
    watched = onepin("workflows", "run", workflow_id, "--watch", "--timeout", "200")
    assert "completed" in watched.stdout
    [run] = read(onepin, "list", workflow_id)
    assert (run["status"], run["run_number"], run["finished_steps"]) == ("completed", 1, 3)
    assert run["output_line_count"] == 3
    lines = read(onepin, "data", workflow_id, run["id"])
    assert len(lines["rows"]) == 3
    file = tmp_path / "run.zip"
    onepin("workflows", "runs", "download", workflow_id, run["id"], "--out", str(file))
    sounds = sounds_in(file)
    assert len(sounds) == 3
    milliseconds = [1000 * len(sound[0]) / sound[1] for sound in map(soundfile.read, map(io.BytesIO, sounds))]
    assert abs(sum(milliseconds) - run["delivered_audio_ms"]) < 50
    assert jiwer.wer(words(SPOKEN), words(" ".join(heard(recogniser, sounds)))) < 0.25


def sounds_in(file: Path) -> list[bytes]:
    with zipfile.ZipFile(file) as archive:
        return [archive.read(name) for name in sorted(archive.namelist()) if name.endswith(".wav")]


@pytest.mark.parametrize("onepin", [NEWEST], indirect=True)
def test_without_a_voice_the_command_line_says_what_to_install(
    tour: tuple[Onepin, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    onepin, workflow_id = tour
    assert db.session.scalars(sa.select(EngineWorker)).all() == []
    client = shutil.which("onepin", path=str(Path(sys.executable).parent))
    assert client is not None
    monkeypatch.setenv("PATH", "/nowhere")
    german = ("--script", "Hallo", "--source-language", "de-de")  # an English voice may be a package
    for command in ("run", "preview-run"):
        refused = onepin.run(client, "workflows", command, workflow_id, *german, check=False)
        assert refused.returncode == 1
        for said in ("VALIDATION_ERROR", "espeak-ng", "PORTAL_PROVIDER_URL"):
            assert said in refused.stderr
    assert read(onepin, "list", workflow_id) == []


def test_every_release_starts_a_run_without_a_body_and_cancels_it(steerer: tuple[Onepin, str]) -> None:
    onepin, workflow_id = steerer
    run = onepin.json("workflows", "run", workflow_id)
    assert run["status"] == "pending"
    again = onepin("workflows", "run", workflow_id, check=False)
    assert "CONFLICT" in again.stderr
    assert (again.returncode, read(onepin, "status", workflow_id, run["id"])["status"]) == (1, "pending")
    for _ in range(2):
        onepin("workflows", "runs", "cancel", workflow_id, run["id"], "--yes")
        assert read(onepin, "show", workflow_id, run["id"])["status"] == "cancelled"


@pytest.mark.parametrize("onepin", [NEWEST], indirect=True)
def test_the_library_pauses_resumes_and_cancels(steerer: tuple[Onepin, str]) -> None:
    onepin, workflow_id = steerer
    done = onepin.run(sys.executable, "-c", SDK_STEERS, onepin.base_url, onepin.key, workflow_id)
    states = json.loads(done.stdout)
    assert [each["status"] for each in states] == ["pending", "paused", "running", "cancelled"]
    assert [each["node_id"] for each in states[1]["held_nodes"]] == ["source_script"]
    assert states[2]["held_nodes"] is None
