"""What a user prefers: which e-mails to have, and the time zone of what pages show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa

from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import User
from portal.database.transactions import writing
from portal.input import bodies
from portal.input.parameters import Reader
from portal.input.time_zones import time_zone

_Wanted = Annotated[bool, bodies.Boolean()]


@dataclass(frozen=True)
class Preferences:
    """Whether they want an e-mail when a run of theirs is completed, and when one fails."""

    completed_generation_email: bool
    failed_generation_email: bool


class PreferenceChanges(bodies.Changes):
    """Which e-mails to send."""

    completed_generation_email: _Wanted = bodies.absent()
    failed_generation_email: _Wanted = bodies.absent()


def read_preferences(principal: Principal) -> Preferences:
    return Preferences(*db.session.execute(_OF_USER.where(User.id == principal.user.id)).one())


def change_preferences(principal: Principal, changes: PreferenceChanges) -> Preferences:
    """Change what the request names; another request may change the other one meanwhile."""
    with writing() as session:
        own = User.id == principal.user.id
        if named := changes.named():
            session.execute(sa.update(User).where(own).values(**named))
        return Preferences(*session.execute(_OF_USER.where(own)).one())


def choose_time_zone(principal: Principal, fields: Mapping[str, str]) -> None:
    """Set the zone that `zone` names; an empty one makes it unknown. Raises InvalidQuery."""
    zone = _zone(fields) if fields.get("zone") else None
    with writing() as session:
        session.execute(sa.update(User).where(User.id == principal.user.id).values(time_zone=zone))


def learn_time_zone(principal: Principal, fields: Mapping[str, str]) -> None:
    """Set the zone that `zone` names unless one is known already. Raises InvalidQuery."""
    unknown = sa.update(User).where(User.id == principal.user.id, User.time_zone.is_(None))
    zone = _zone(fields)
    with writing() as session:
        session.execute(unknown.values(time_zone=zone))


def _zone(fields: Mapping[str, str]) -> str:
    reader = Reader(fields)
    zone = reader.require("zone", time_zone, "")
    reader.finish()
    return zone


_OF_USER = sa.select(User.completed_generation_email, User.failed_generation_email)
