"""The sample workspace: realistic, the same every time, made once."""

import io
import json
import wave
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import (
    ACTIVE,
    Artifact,
    Member,
    Person,
    Run,
    User,
    Validation,
    Workflow,
    Workspace,
)
from portal.database.transactions import writing
from portal.history.demo.sample import USER_EMAIL, demo_lines, install_demo
from portal.moments import parse_moment
from portal.storage import artifact_store, object_key
from tests.factories import NOON, make_workspace
from tests.history.lines import dump

pytestmark = pytest.mark.slow


def test_the_sample_is_the_same_every_time() -> None:
    assert list(demo_lines(NOON)) == list(demo_lines(NOON))


def test_ids_numbers_and_statuses_do_not_depend_on_the_moment() -> None:
    def fixed(days: int) -> list[tuple[object, ...]]:
        lines = demo_lines(NOON + timedelta(days=days))
        return [(line["id"], line.get("run_number"), line.get("status")) for line in lines]

    assert fixed(0) == fixed(100)


def test_the_sample_goes_in_whole_and_only_once(app: Flask) -> None:
    first = install_demo(NOON)
    assert first.made
    assert first.imported is not None
    assert first.imported.ok
    before = dump(db.engine, everything=True)
    again = install_demo(NOON)
    assert not again.made
    assert "nothing was changed" in again.to_text()
    assert dump(db.engine, everything=True) == before
    json.dumps([first.to_json(), again.to_json()])


def test_a_sample_that_was_cut_off_is_completed_by_the_next_try(app: Flask) -> None:
    install_demo(NOON)
    whole = dump(db.engine)
    with writing() as session:
        late = sa.select(Run.id).order_by(Run.created_at.desc()).limit(500).scalar_subquery()
        session.execute(sa.delete(Run).where(Run.id.in_(late)))
    again = install_demo(NOON + timedelta(days=1))
    assert again.imported is not None
    assert again.imported.total.runs_new == 500
    assert dump(db.engine) == whole


def test_a_workspace_of_the_same_name_that_is_no_sample_is_left_alone(app: Flask) -> None:
    make_workspace("acme-voice", "Ours")
    assert not install_demo(NOON).made
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Run)) == 0


def test_the_sample_shows_what_people_look_for(app: Flask) -> None:
    install_demo(NOON)
    counted = sa.select(Workflow.name, sa.func.count(Run.id)).outerjoin(Run).group_by(Workflow.name)
    runs = {row[0]: row[1] for row in db.session.execute(counted)}
    assert runs == {"Nightly dub": 1200, "Podcast intros": 400, "Support prompts": 90, "Onboarding tour": 0}
    statuses = set(db.session.scalars(sa.select(Run.status).distinct()))
    assert statuses == {"pending", "running", "paused", "completed", "failed", "cancelled"}
    names = set(db.session.scalars(sa.select(Person.display_name)))
    assert {"Ada Lovelace", "Åsa Öberg", "김민수", "ops@acme.example", "Nightly schedule"} <= names
    assert db.session.scalar(sa.select(Run.error).where(Run.error.contains("word error rate")).limit(1))


def test_the_user_of_the_sample_is_the_person_who_triggered_runs(app: Flask) -> None:
    install_demo(NOON)
    user = db.session.scalars(sa.select(User).join(Member, Member.user_id == User.id)).one()
    workspace = db.session.scalars(sa.select(Workspace)).one()
    person = db.session.scalars(sa.select(Person).where(Person.user_id == user.id)).one()
    assert (user.email, person.email, person.workspace_id) == (USER_EMAIL, USER_EMAIL, workspace.id)
    assert db.session.scalar(sa.select(Run.id).where(Run.person_id == person.id).limit(1))


def test_the_sample_keeps_the_order_of_moments_and_has_none_in_the_future() -> None:
    for line in demo_lines(NOON):
        if line["type"] != "run":
            continue
        moments = [
            parse_moment(line[key]) for key in ("created_at", "started_at", "completed_at") if key in line
        ]
        assert moments == sorted(moments)
        assert moments[-1] <= NOON
        assert line["finished_steps"] <= line["total_steps"]
        assert ("completed_at" in line) == (line["status"] not in ACTIVE)


def test_the_sample_can_be_listened_to(app: Flask) -> None:
    install_demo(NOON)
    played = db.session.scalars(sa.select(Artifact).where(Artifact.name == "01.wav").limit(1)).one()
    content = b"".join(artifact_store().read(object_key(played.workspace_id, played.sha256)))
    with wave.open(io.BytesIO(content)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(0.5, abs=0.01)
    counted = sa.select(sa.func.count()).select_from(Validation).group_by(Validation.passed)
    assert len(db.session.scalars(counted).all()) == 2
