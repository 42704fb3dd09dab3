"""What `flask doctor` says of the engine."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from portal import moments
from portal.checks import engine_check
from portal.config import Settings, settings_of
from portal.database.engine import db
from portal.engine.queue import dbos_queue
from portal.speech import espeak
from tests.factories import make_engine_run, make_worker, make_workflow, make_workspace


@pytest.fixture
def settings(app: Flask) -> Settings:
    found: Settings = settings_of(app)
    return found


def diagnose(settings: Settings) -> dict[str, tuple[str, str]]:
    return {each.check: (each.level, each.detail) for each in engine_check.examine(settings)}


def test_an_engine_that_is_off_is_worth_a_note_and_nothing_else(settings: Settings) -> None:
    off = replace(settings, engine=replace(settings.engine, enabled=False))
    assert diagnose(off) == {
        "engine": ("note", "off: PORTAL_ENGINE is off, and no workflow runs here"),
    }


def test_an_idle_engine_without_a_worker_is_worth_a_note(settings: Settings) -> None:
    found = diagnose(settings)
    assert found["workers"] == ("note", "none is alive, and runs wait until one is: flask worker")
    assert found["waiting runs"] == ("ok", "none")
    assert found["queue"][0] == "ok"
    assert found["espeak-ng"][0] == ("ok" if espeak.is_here() else "note")
    assert "node types" not in found


@pytest.mark.slow
def test_runs_that_wait_for_nobody_or_too_long_are_bad(settings: Settings) -> None:
    long_ago = moments.now() - timedelta(hours=1)
    make_engine_run(make_workflow(make_workspace()), created_at=long_ago, updated_at=long_ago)
    level, detail = diagnose(settings)["waiting runs"]
    assert level == "bad"
    assert detail.startswith("1 run, the first for 3,6")
    assert detail.endswith("s, and no worker is alive")
    make_worker()
    level, detail = diagnose(settings)["waiting runs"]
    assert level == "bad"
    assert detail.endswith("; 1 for more than ten minutes")


def test_a_run_that_has_just_begun_to_wait_is_fine(settings: Settings) -> None:
    make_worker()
    make_engine_run(make_workflow(make_workspace()), updated_at=moments.now())
    assert diagnose(settings)["waiting runs"][0] == "ok"


def test_workers_and_what_they_can_do_are_listed(settings: Settings) -> None:
    able = {"unavailable": None}
    abilities = {"sink_preview": able, "operator_translator": {"unavailable": "No provider is set up."}}
    make_worker("a", threads=1, abilities=abilities)
    found = diagnose(settings)
    assert found["workers"][0] == "ok"
    assert found["workers"][1].startswith("host-a with 1 thread, process 7, heartbeat ")
    assert found["operator_translator"] == ("note", "No provider is set up.")
    assert found["node types"][0] == "note"
    assert "sink_preview" not in found
    make_worker("b", host="host-b", version="0001", draining=True)
    level, detail = diagnose(settings)["workers"]
    assert level == "note"
    assert detail.endswith(", of another release (migration 0001), about to stop")


def test_tables_of_the_queue_that_are_old_or_new_are_named(settings: Settings) -> None:
    table = "dbos.dbos_migrations" if db.engine.dialect.name == "postgresql" else "dbos_migrations"

    _, needed = dbos_queue.versions(db.engine)

    def set_version(version: int) -> None:
        with db.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {table} SET version = {version}")

    try:
        set_version(needed - 1)
        level, detail = diagnose(settings)["queue"]
        assert (level, detail.endswith(": run flask db upgrade")) == ("bad", True)
        set_version(needed + 1)
        assert diagnose(settings)["queue"][0] == "note"
    finally:
        set_version(needed)
    assert diagnose(settings)["queue"][0] == "ok"


@pytest.mark.parametrize("seconds", [-10, 10])
def test_a_clock_that_differs_from_the_databases_is_bad(settings: Settings, seconds: int) -> None:
    if db.engine.dialect.name == "sqlite":
        assert "clock" not in diagnose(settings)
        return
    assert diagnose(settings)["clock"][0] == "ok"
    with time_machine.travel(moments.now() + timedelta(seconds=seconds)):
        level, detail = diagnose(settings)["clock"]
    assert level == "bad"
    assert detail.endswith("s: synchronise both")
