"""What runs gave comes in with them: results, lines, takes, scores and files, with all promises kept."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Artifact, OutputLine, RunResult, StepResult, Take, Validation, Workspace
from portal.storage import artifact_store, object_key
from tests.history.conftest import Import
from tests.history.lines import an_id, dump, run_line, workflow_line

SOUND = b"RIFF-sound"


SCORE = "output_lines.0.takes.0.validations.0"


def scored(**fields: Any) -> dict[str, Any]:
    """What gives a run one take with one score."""
    return {"output_lines": [{"takes": [{"validations": [{"kind": "wer", **fields}]}]}]}


def gave(**fields: Any) -> dict[str, Any]:
    """A run that gave something of everything."""
    return run_line(
        token_cost=12,
        credits_absorbed=0.25,
        held_nodes=[{"node_id": "n", "locales": []}],
        steps=[
            {"node_id": "a", "status": "completed", "result": {"takes": 1}, "locales": ["de-DE"]},
            {"node_id": "b", "status": "completed", "result": "ok"},
        ],
        output_lines=[
            {
                "script": "Hello",
                "line_id": "l1",
                "takes": [
                    {
                        "locale": "de_DE",
                        "audio": {"path": "audio/one.wav"},
                        "duration_ms": 900,
                        "validations": [{"kind": "wer", "score": 1, "passed": True, "node_id": "v"}],
                    },
                    {"status": "dropped"},
                ],
            },
            {},
        ],
        files=[{"path": "report.html", "node_id": "out"}],
        **fields,
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The files that `gave` names, beside the history file."""
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "one.wav").write_bytes(SOUND)
    (tmp_path / "report.html").write_bytes(b"<script>")
    return tmp_path


def count(table: type) -> int:
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_everything_that_a_run_gave_goes_in(load: Import, files: Path) -> None:
    summary = load(workflow_line(), gave())
    assert summary.ok, summary.to_text()
    own = db.session.scalars(sa.select(RunResult)).one()
    assert (own.token_cost, own.credits_absorbed) == (12, 0.25)
    assert own.held_nodes == [{"node_id": "n", "locales": []}]
    step = db.session.scalars(sa.select(StepResult).order_by(StepResult.position)).first()
    assert step is not None
    assert (step.result, step.locales) == ({"takes": 1}, ["de-DE"])
    takes = db.session.scalars(sa.select(Take).order_by(Take.position)).all()
    assert [(take.locale_code, take.status, take.retry_count) for take in takes] == [
        ("de-DE", "delivered", 0),
        (None, "dropped", 1),
    ]
    assert count(OutputLine) == 2
    assert db.session.scalars(sa.select(Validation.score)).one() == 1.0


def test_files_are_kept_and_what_is_no_audio_is_never_shown_as_a_page(load: Import, files: Path) -> None:
    load(workflow_line(), gave())
    kept = {each.name: each for each in db.session.scalars(sa.select(Artifact))}
    assert {name: each.content_type for name, each in kept.items()} == {
        "one.wav": "audio/wav",
        "report.html": "application/octet-stream",
    }
    sound = kept["one.wav"]
    assert sound.sha256 == hashlib.sha256(SOUND).digest()
    assert b"".join(artifact_store().read(object_key(sound.workspace_id, sound.sha256))) == SOUND


def test_a_second_time_changes_nothing(load: Import, files: Path, app: Flask) -> None:
    load(workflow_line(), gave())
    before = dump(db.engine, everything=True)
    assert load(workflow_line(), gave()).total.runs_unchanged == 1
    assert dump(db.engine, everything=True) == before


def test_a_line_that_differs_replaces_what_the_run_gave(load: Import, files: Path) -> None:
    load(workflow_line(), gave())
    assert load(gave(title="again")).total.runs_updated == 1
    assert (count(OutputLine), count(Artifact), count(Take), count(StepResult)) == (2, 2, 2, 2)
    assert load(run_line(replace=True)).total.runs_updated == 1
    for table in (OutputLine, Artifact, Take, Validation, StepResult, RunResult):
        assert count(table) == 0


def test_another_content_of_a_file_brings_the_run_up_to_date(load: Import, files: Path) -> None:
    load(workflow_line(), gave())
    (files / "audio" / "one.wav").write_bytes(b"RIFF-better")
    assert load(gave()).total.runs_updated == 1
    digests = set(db.session.scalars(sa.select(Artifact.sha256)))
    assert hashlib.sha256(b"RIFF-better").digest() in digests


@pytest.mark.parametrize(
    "path",
    [
        "../secret.wav",
        "/etc/passwd",
        "audio/../../secret.wav",
        "audio\\one.wav",
        "C:/one.wav",
        "audio//one.wav",
        "./one.wav",
        "link.wav",
        "absent.wav",
        "audio",
        "empty.wav",
    ],
)
def test_a_file_that_is_not_below_the_history_is_refused(load: Import, tmp_path: Path, path: str) -> None:
    folder = tmp_path / "audio"
    folder.mkdir()
    (tmp_path / "empty.wav").touch()
    (tmp_path / "link.wav").symlink_to("/etc/hostname")
    summary = load(workflow_line(), run_line(files=[{"path": path}]), run_line("other"))
    assert [(bad.line_number, bad.field) for bad in summary.bad] == [(2, "files.0.path")]
    assert summary.total.runs_new == 1
    assert count(Artifact) == 0


def test_a_file_with_another_digest_is_refused(load: Import, files: Path) -> None:
    good, bad = hashlib.sha256(SOUND).hexdigest(), "0" * 64
    named = {"path": "audio/one.wav", "sha256": bad}
    summary = load(workflow_line(), run_line(files=[named]))
    assert [bad.field for bad in summary.bad] == ["files.0.sha256"]
    assert load(run_line(files=[named | {"sha256": good}])).ok


@pytest.mark.slow
def test_nothing_is_kept_of_a_line_that_is_refused(load: Import, files: Path, workspace: Workspace) -> None:
    def is_stored(content: bytes) -> bool:
        return artifact_store().size(object_key(workspace.id, hashlib.sha256(content).digest())) is not None

    report, sound = {"path": "report.html"}, {"path": "audio/one.wav"}
    summary = load(
        workflow_line(),
        run_line("stray", workflow_id=an_id("unknown"), files=[report]),
        run_line("half", files=[report, {"path": "absent"}]),
        run_line("other", files=[report | {"sha256": "0" * 64}]),
        run_line(files=[sound]),
    )
    assert [bad.line_number for bad in summary.bad] == [2, 3, 4]
    assert is_stored(SOUND)
    assert not is_stored(b"<script>")
    assert load(run_line("later", files=[report])).ok
    assert is_stored(b"<script>")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"output_lines": 1}, "output_lines"),
        ({"output_lines": [1]}, "output_lines.0"),
        ({"output_lines": [{}, {"script": 1}]}, "output_lines.1.script"),
        ({"output_lines": [{"takes": [{"status": "lost"}]}]}, "output_lines.0.takes.0.status"),
        (
            {"output_lines": [{"takes": [{"validations": [{"score": 1}]}]}]},
            "output_lines.0.takes.0.validations.0.kind",
        ),
        ({"output_lines": [{"takes": [{"audio": {}}]}]}, "output_lines.0.takes.0.audio.path"),
        ({"output_lines": [{"takes": [{"audio": {"path": "a.html"}}]}]}, "output_lines.0.takes.0.audio.path"),
        ({"output_lines": [{"takes": [{"audio": {"path": "a/wav"}}]}]}, "output_lines.0.takes.0.audio.path"),
        ({"files": [{"path": "a", "sha256": "x"}]}, "files.0.sha256"),
        ({"held_nodes": ["n"]}, "held_nodes"),
        ({"held_nodes": [{"node_id": "n"}, {"locales": []}]}, "held_nodes.1.node_id"),
        ({"held_nodes": [{"node_id": "n", "locales": [1]}]}, "held_nodes.0.locales"),
        (scored(segments=[{"text": "x", "status": "word_error", "start": 0}]), f"{SCORE}.segments.0.end"),
        (scored(error_counts={"substitutions": 1}), f"{SCORE}.error_counts.insertions"),
        ({"credits_absorbed": "1"}, "credits_absorbed"),
        ({"steps": [{"node_id": "a", "status": "failed", "locales": [1]}]}, "steps.0.locales"),
    ],
)
def test_a_bad_field_is_named_by_its_place(load: Import, fields: dict[str, Any], field: str) -> None:
    summary = load(workflow_line(), run_line(**fields))
    assert [(bad.line_number, bad.field) for bad in summary.bad] == [(2, field)]
