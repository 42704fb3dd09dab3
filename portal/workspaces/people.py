"""The people of a workspace who triggered runs: members, or named by imported history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypedDict, cast
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.database.models import Member, Person, User, Workspace
from portal.database.sql import statements, versions
from portal.database.sql.in_lists import chunks
from portal.input import bounds, parameters
from portal.input.folding import fold

_NAMESPACE = UUID("8f1f1d5e-6c3b-5a53-9d5b-0d6b5f7c2a41")
_PEOPLE = cast(sa.Table, Person.__table__)
_Stored = statements.Row  # a row of `_PEOPLE`: a Table does not type its columns


class PersonRow(TypedDict):
    """The columns of a person to insert or update."""

    workspace_id: UUID
    user_id: UUID
    source_id: str | None
    kind: str | None
    name: str | None
    email: str | None
    display_name: str
    display_name_folded: str
    email_folded: str


@dataclass(frozen=True)
class SourcePerson:
    """The person who triggered a run, as the source of the history names them."""

    user_id: UUID
    source_id: str | None = None
    name: str | None = None
    email: str | None = None
    kind: str | None = None
    """A `PersonKind`."""


def identify(
    source_id: str | None, name: str | None, email: str | None, kind: str | None = None
) -> SourcePerson | None:
    """Identify a person by id, else by e-mail, else by name; None without any of them."""
    if source_id:
        try:
            user_id = parameters.uuid(source_id)
        except parameters.Refused:
            user_id = uuid5(_NAMESPACE, f"id:{source_id}")
    elif email:
        user_id = uuid5(_NAMESPACE, f"email:{email.lower()}")
    elif name:
        user_id = uuid5(_NAMESPACE, f"name:{name}")
    else:
        return None
    return SourcePerson(user_id, source_id or None, name or None, email or None, kind)


def store_people(
    session: Session, workspace_id: UUID, identities: Iterable[SourcePerson]
) -> tuple[dict[UUID, int], int]:
    """Upsert people, later ones taking precedence: person ids by user id, and the number of new ones."""
    merged: dict[UUID, SourcePerson] = {}
    for identity in identities:
        before = merged.get(identity.user_id)
        if before is not identity:
            merged[identity.user_id] = _merge(before, identity)
    wanted = sorted(merged)
    known = _known(session, workspace_id, wanted)
    members = _members(session, workspace_id, wanted)
    for user_id, person in known.items():
        stored = SourcePerson(user_id, person.source_id, person.name, person.email, person.kind)
        merged[user_id] = _merge(stored, merged[user_id])
    rows = [_row(workspace_id, merged[user_id], members.get(user_id)) for user_id in wanted]
    made = [row for row in rows if row["user_id"] not in known]
    changed = [row for row in rows if row["user_id"] in known and _differs(row, known[row["user_id"]])]
    if made:
        session.connection().execute(_insert(session), made)
    if changed:  # all lists of the workspace show their names
        touch_workspace(session, workspace_id)
    for row in changed:
        session.execute(sa.update(_PEOPLE).where(_PEOPLE.c.id == known[row["user_id"]].id).values(row))
    ids = {person.user_id: person.id for person in known.values()}
    if made:
        ids |= {user_id: p.id for user_id, p in _known(session, workspace_id, wanted).items()}
    return ids, len(made)


def touch_workspace(session: Session, workspace_id: UUID) -> None:
    """Give a workspace a new version, and lock it: what all pages of it show has changed."""
    update = sa.update(Workspace).where(Workspace.id == workspace_id)
    version = versions.next_version_in_sql(Workspace.version)
    session.execute(update.values(version=version, change_stamp=Workspace.change_stamp + 1))


def person_of(session: Session, workspace_id: UUID, user: User) -> int:
    """The person id of a user, for runs started here."""
    identity = SourcePerson(user.id, None, user.display_name, user.email)
    ids, _ = store_people(session, workspace_id, [identity])
    return ids[user.id]


def _merge(before: SourcePerson | None, after: SourcePerson) -> SourcePerson:
    if before is None:
        return after
    return SourcePerson(
        after.user_id,
        after.source_id or before.source_id,
        after.name or before.name,
        after.email or before.email,
        after.kind or before.kind,
    )


def _known(session: Session, workspace_id: UUID, user_ids: Sequence[UUID]) -> dict[UUID, _Stored]:
    found: dict[UUID, _Stored] = {}
    for chunk in chunks(user_ids):
        people = sa.select(_PEOPLE).where(
            _PEOPLE.c.workspace_id == workspace_id, _PEOPLE.c.user_id.in_(chunk)
        )
        found |= {person.user_id: person for person in session.execute(people)}
    return found


def _members(session: Session, workspace_id: UUID, user_ids: Sequence[UUID]) -> dict[UUID, User]:
    found: dict[UUID, User] = {}
    for chunk in chunks(user_ids):
        users = (
            sa.select(User)
            .join(Member, Member.user_id == User.id)
            .where(Member.workspace_id == workspace_id, User.id.in_(chunk))
        )
        found |= {user.id: user for user in session.scalars(users)}
    return found


def _row(workspace_id: UUID, identity: SourcePerson, member: User | None) -> PersonRow:
    """The row of a person; a member's own name and e-mail take precedence over the history's."""
    name, email = identity.name, identity.email
    if member is not None:
        name, email = member.display_name, member.email
    display_name = name or email or identity.source_id or str(identity.user_id)
    return {
        "workspace_id": workspace_id,
        "user_id": identity.user_id,
        "source_id": identity.source_id,
        "kind": identity.kind,
        "name": name[: bounds.MAX_PERSON_NAME]
        if name
        else None,  # first and last name together may exceed it
        "email": email,
        "display_name": display_name,
        "display_name_folded": fold(display_name),
        "email_folded": fold(email or ""),
    }


def _differs(row: PersonRow, person: _Stored) -> bool:
    return any(getattr(person, column) != value for column, value in row.items())


def _insert(session: Session) -> sa.Insert:
    """An INSERT that ignores a person whom a concurrent transaction has just inserted."""
    key = ["workspace_id", "user_id"]
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(_PEOPLE).on_conflict_do_nothing(index_elements=key)
    return sqlite.insert(_PEOPLE).on_conflict_do_nothing(index_elements=key)
