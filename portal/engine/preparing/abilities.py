"""What this installation can do with each node type: what live workers published, else the best known."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.config import EngineSettings, current_settings
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import EngineWorker
from portal.database.sql.clock import shared_now
from portal.definitions.catalog import CATALOG
from portal.definitions.site import Site
from portal.engine.contract import Ability, Json
from portal.engine.environment import Environment, environment_of
from portal.engine.handlers.registry import handler_for

Abilities = Mapping[str, Ability]
"""By node type."""
OFF = "the engine is off here (PORTAL_ENGINE)."


class OwnAbilities(Abilities):
    """What the handlers of this portal can do on this machine; each is asked when somebody wants to know."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def __getitem__(self, node_type: str) -> Ability:
        if node_type not in CATALOG:
            raise KeyError(node_type)
        return handler_for(node_type).ability(self._environment)

    def __iter__(self) -> Iterator[str]:
        return iter(CATALOG)

    def __len__(self) -> int:
        return len(CATALOG)


def own_abilities() -> Abilities:
    """What this machine can do with the settings of this portal."""
    return OwnAbilities(environment_of(current_settings()))


def site(session: Session | None = None) -> Site:
    """What can run in this portal, within the application; read in this session, or in the request's."""
    settings = current_settings()
    session = session or db.session()
    return site_here(session, settings.engine, own_abilities, shared_now(session))


def site_here(
    session: Session, settings: EngineSettings, own: Callable[[], Abilities], now: datetime
) -> Site:
    """What can run here; `own` says what this machine can do, if no worker has ever said what it can."""
    if not settings.enabled:
        return Site(closed=OFF)
    workers = session.execute(
        sa.select(EngineWorker.abilities, EngineWorker.beat_at).order_by(EngineWorker.beat_at.desc())
    ).all()
    alive = now - timedelta(seconds=settings.lease)
    published = [abilities for abilities, beat_at in workers if beat_at >= alive]
    published = published or [abilities for abilities, _ in workers[:1]]
    return Site(_union(map(from_json, published)) if published else own())


def to_json(abilities: Abilities) -> JsonObject:
    """For `EngineWorker.abilities`."""
    return {
        slug: {
            "unavailable": each.unavailable,
            "locales": None if each.locales is None else sorted(each.locales),
            "voices": None if each.voices is None else [list(voice) for voice in sorted(each.voices)],
        }
        for slug, each in abilities.items()
    }


def from_json(published: Json) -> Abilities:
    return {
        slug: Ability(
            unavailable=each["unavailable"],
            locales=None if each["locales"] is None else frozenset(each["locales"]),
            voices=None if each["voices"] is None else frozenset((p, m, v) for p, m, v in each["voices"]),
        )
        for slug, each in published.items()
    }


def _union(several: Iterable[Abilities]) -> Abilities:
    """What at least one of several machines can do."""
    found: dict[str, Ability] = {}
    for abilities in several:
        for slug, ability in abilities.items():
            found[slug] = _either(found[slug], ability) if slug in found else ability
    return found


def _either(one: Ability, other: Ability) -> Ability:
    if one.unavailable is not None or other.unavailable is not None:
        return other if one.unavailable is not None else one
    anywhere = one.locales is None or other.locales is None
    none_assigned = one.voices is None and other.voices is None
    return Ability(
        locales=None if anywhere else (one.locales or frozenset()) | (other.locales or frozenset()),
        voices=None if none_assigned else (one.voices or frozenset()) | (other.voices or frozenset()),
    )
