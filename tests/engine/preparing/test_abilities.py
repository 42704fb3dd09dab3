"""What can run here: what live workers published, else what was last published, else this machine."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask

from portal.config import EngineSettings, settings_of
from portal.database.engine import db
from portal.definitions.site import Site
from portal.engine.contract import Ability
from portal.engine.preparing.abilities import Abilities, from_json, site_here, to_json
from tests.factories import NOON, make_worker

SPEAKER = "operator_generator"
OWN: Abilities = {SPEAKER: Ability(unavailable="Nothing speaks on the web server.")}


@pytest.fixture
def settings(app: Flask) -> EngineSettings:
    return settings_of(app).engine


def publish(name: str, abilities: Abilities, beat_at: datetime) -> None:
    make_worker(name, abilities=to_json(abilities), beat_at=beat_at)


def here(settings: EngineSettings) -> Site:
    return site_here(db.session(), settings, lambda: OWN, NOON)


def speaks(*locales: str, voices: frozenset[tuple[str, str, str]] | None = None) -> Abilities:
    return {SPEAKER: Ability(locales=frozenset(locales), voices=voices)}


def test_without_workers_it_is_what_this_machine_can_do(settings: EngineSettings) -> None:
    assert here(settings) == Site(OWN)


def test_live_workers_can_do_together_what_one_of_them_can(settings: EngineSettings) -> None:
    publish("one", speaks("en-us", voices=frozenset({("p", "m", "v")})), NOON)
    publish("two", speaks("de-de"), NOON - timedelta(seconds=settings.lease))
    publish("three", {SPEAKER: Ability(unavailable="No."), "sink_preview": Ability()}, NOON)
    publish("dead", speaks("fr-fr"), NOON - timedelta(seconds=settings.lease + 1))
    spoken = Ability(locales=frozenset({"en-us", "de-de"}), voices=frozenset({("p", "m", "v")}))
    assert here(settings) == Site({SPEAKER: spoken, "sink_preview": Ability()})


def test_without_a_live_worker_it_is_what_was_published_last(settings: EngineSettings) -> None:
    publish("older", speaks("de-de"), NOON - timedelta(days=2))
    publish("newer", speaks("en-us"), NOON - timedelta(days=1))
    assert here(settings) == Site(speaks("en-us"))


def test_what_no_worker_can_do_keeps_its_reason(settings: EngineSettings) -> None:
    publish("one", {SPEAKER: Ability(unavailable="No voice.")}, NOON)
    assert here(settings) == Site({SPEAKER: Ability(unavailable="No voice.")})


def test_an_engine_that_is_off_asks_nobody(settings: EngineSettings) -> None:
    site = here(replace(settings, enabled=False))
    assert site.closed is not None
    assert "PORTAL_ENGINE" in site.closed


def test_abilities_survive_as_json() -> None:
    abilities = {
        "a_none": Ability(),
        "a_not": Ability(unavailable="Because."),
        SPEAKER: Ability(locales=frozenset({"en-us"}), voices=frozenset({("p", "m", "v")})),
    }
    assert from_json(to_json(abilities)) == abilities
