"""Migrations build exactly the models, and can be taken back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade

from portal import create_app
from portal.database.columns import Base
from portal.database.engine import db
from portal.database.models import Run, RunEvent, SchemaState, Upload
from portal.database.transactions import writing
from portal.engine.queue import dbos_queue
from portal.runs.counts import find_drift
from portal.runs.counts.histograms import DAY
from portal.runs.recording import recorder
from portal.runs.recording.state_machine import Event
from tests.conftest import settings_for
from tests.factories import NOON, make_run, make_steps, make_upload, make_workflow, make_workspace


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of its own kind without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bare.sqlite3'}"
    url: str = request.getfixturevalue("fresh_postgres_url")
    return url


def _tables() -> set[str]:
    """Our tables; on SQLite, those of the queue lie beside them."""
    return set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"} - dbos_queue.TABLES


def _checks() -> dict[str, set[str]]:
    inspector = sa.inspect(db.engine)
    return {
        table: {str(check["name"]) for check in inspector.get_check_constraints(table)} for table in _tables()
    }


@pytest.mark.slow
def test_migrations_build_exactly_the_models_and_go_down_and_up_again(bare_url: str, tmp_path: Path) -> None:
    with create_app(settings_for(bare_url), instance=tmp_path).app_context():
        for _ in range(2):
            upgrade()
            with db.engine.connect() as connection:
                ours = {"include_object": dbos_queue.is_not_its_own}
                context = MigrationContext.configure(connection, opts=ours)
                differences = compare_metadata(context, Base.metadata)
            assert differences == []
            assert _tables() == set(Base.metadata.tables)
            modelled = {
                table.name: {str(c.name) for c in table.constraints if isinstance(c, sa.CheckConstraint)}
                for table in Base.metadata.sorted_tables
            }
            assert _checks() == modelled
            downgrade(revision="base")
            assert _tables() == set()
        db.engine.dispose()


def test_no_table_of_ours_has_the_name_of_one_of_the_queue() -> None:
    assert dbos_queue.TABLES.isdisjoint(Base.metadata.tables)


@pytest.mark.slow
def test_an_upgrade_makes_the_tables_of_the_queue_and_those_we_know_of(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bare.sqlite3'}"
    with create_app(settings_for(url), instance=tmp_path).app_context():
        upgrade()
        found = set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}
        assert found - set(Base.metadata.tables) <= dbos_queue.TABLES
        assert "workflow_status" in found
        db.engine.dispose()


@pytest.mark.slow
def test_a_database_without_tables_is_not_ready(bare_url: str, tmp_path: Path) -> None:
    app = create_app(settings_for(bare_url), instance=tmp_path)
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    with app.app_context():
        upgrade()
    assert client.get("/readyz").status_code == 200
    with app.app_context():
        db.engine.dispose()


@pytest.mark.slow
def test_the_audio_of_runs_that_were_not_completed_leaves_the_sums(bare_url: str, tmp_path: Path) -> None:
    with create_app(settings_for(bare_url), instance=tmp_path).app_context():
        upgrade()
        workflow = make_workflow(make_workspace())
        for number, status in enumerate(("completed", "failed", "cancelled")):
            for day in (NOON, NOON - timedelta(days=30_000)):
                make_run(workflow, status=status, created_at=day, delivered_audio_ms=10**number)
        days = f"run_buckets WHERE histogram = 'created_at' AND width = {DAY}"
        for revision, table, expected in (("0008", "day_runs", [111, 111]), ("head", days, [1, 1])):
            db.session.rollback()
            move = downgrade if revision == "0008" else upgrade
            move(revision=revision)
            sums = sa.text(f"SELECT delivered_audio_ms FROM {table}")
            assert db.session.scalars(sums).all() == expected
        assert not find_drift(db.session())
        db.session.rollback()
        db.engine.dispose()


@pytest.mark.slow
def test_lines_of_runs_that_were_stored_with_zero_times_are_read_anew(bare_url: str, tmp_path: Path) -> None:
    zero = datetime(1, 1, 1, tzinfo=UTC)
    with create_app(settings_for(bare_url), instance=tmp_path).app_context():
        upgrade()
        workflow = make_workflow(make_workspace())
        plain, _ended, stepped = (make_run(workflow, completed_at=end) for end in (NOON, zero, NOON))
        make_steps(stepped, {"started_at": zero})
        with writing() as session:
            session.execute(sa.update(Run).values(import_digest=b"0" * 16))
        downgrade(revision="0010")
        upgrade()
        kept = sa.select(Run.id).where(Run.import_digest.is_not(None))
        assert db.session.scalars(kept).all() == [plain.id]
        db.session.rollback()
        db.engine.dispose()


@pytest.mark.slow
def test_events_come_and_go_and_runs_stay(bare_url: str, tmp_path: Path) -> None:
    def oldest_writer() -> str:
        db.session.rollback()
        return db.session.scalars(sa.select(SchemaState.oldest_writer)).one()

    with create_app(settings_for(bare_url), instance=tmp_path).app_context():
        upgrade()
        downgrade(revision="0012")
        assert oldest_writer() == "0011"
        upgrade()
        workflow = make_workflow(make_workspace())
        imported = make_run(workflow)
        make_steps(imported, {})
        started = recorder.start_run(workflow.id, now=NOON)
        before = _runs()
        downgrade(revision="0011")
        assert oldest_writer() == "0010"
        assert "run_events" not in _tables()
        assert _runs() == before
        upgrade()
        assert _runs() == before
        recorder.apply_event(started.id, Event.CANCEL, NOON)
        db.session.rollback()
        assert db.session.scalars(sa.select(RunEvent.event)).all() == ["cancel"]
        db.session.rollback()
        db.engine.dispose()


def _runs() -> list[tuple[object, ...]]:
    """What has been in these tables all along, later columns of runs left out."""
    tables = (Base.metadata.tables[name] for name in ("runs", "steps"))
    later = (
        *("workflow_version", "by_engine", "as_of", "said", "provenance", "outcome", "trigger"),
        *("source_system", "parent_id", "rerun_of_id", "duration_ms", "workspace_id"),
    )
    kept = [[column for column in table.columns if column.name not in later] for table in tables]
    with db.engine.connect() as connection:
        rows = [tuple(row) for columns in kept for row in connection.execute(sa.select(*columns))]
    return sorted(rows, key=repr)


@pytest.mark.slow
def test_uploads_get_their_workspace_and_lose_what_is_pending(bare_url: str, tmp_path: Path) -> None:
    def kept() -> list[tuple[str, object, str]]:
        db.session.rollback()
        rows = sa.select(Upload.filename, Upload.workspace_id, Upload.status).order_by(Upload.filename)
        return [tuple(row) for row in db.session.execute(rows)]

    with create_app(settings_for(bare_url), instance=tmp_path).app_context():
        upgrade()
        workspace = make_workspace()
        upload = make_upload(make_workflow(workspace), workspace, "a.txt", b"Hello")
        pending = {column.name: getattr(upload, column.name) for column in Upload.__table__.columns}
        pending |= {"id": uuid4(), "workflow_id": None, "status": "pending", "artifact_id": None}
        with writing() as session:
            session.execute(sa.insert(Upload).values(**pending | {"filename": "b.txt"}))
        assert len(kept()) == 2
        db.session.rollback()
        downgrade(revision="0013")
        upgrade()
        assert kept() == [("a.txt", workspace.id, "uploaded")]
        db.session.rollback()
        db.engine.dispose()
