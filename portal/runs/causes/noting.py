"""What people note of a cause: a sentence, that it is resolved, that it is to be listed apart."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Principal
from portal.database.models import Cause
from portal.database.transactions import read, writing
from portal.errors import FieldError, InvalidQuery, NotFound
from portal.input import sentences
from portal.input.text import is_storable

MAY_NOTE = "workflows:write"
"""The permission that it takes."""
MAX_NOTE = 500
NO_SUCH_CAUSE = "There is no such failure here."


@dataclass(frozen=True)
class SeenCause:
    """A cause that the principal may see."""

    id: UUID
    workspace_id: UUID
    moved_to: UUID | None
    """Where its runs went when newer rules grouped them."""


_SEEN = sa.select(Cause.id, Cause.workspace_id, Cause.merged_into).where(Cause.id == sa.bindparam("cause_id"))


def get_cause(principal: Principal, cause_id: UUID) -> SeenCause:
    """A cause in a workspace of the principal. Raises NotFound, also for a foreign one."""
    row = read(_SEEN, cause_id=cause_id).first()
    if row is None or row.workspace_id not in principal.workspace_ids:
        raise NotFound(NO_SUCH_CAUSE)
    return SeenCause(*row)


def write_note(principal: Principal, cause: SeenCause, text: str, now: datetime) -> None:
    """Note a sentence; an empty one removes the note. Raises InvalidQuery."""
    note = " ".join(text.split())
    if not is_storable(note):
        raise InvalidQuery([FieldError("note", sentences.STORABLE)])
    if len(note) > MAX_NOTE:
        raise InvalidQuery([FieldError("note", f"must have at most {MAX_NOTE} characters.")])
    by = principal.user.id if note else None
    _write(cause, note=note or None, noted_at=now if note else None, noted_by=by)


def resolve(principal: Principal, cause: SeenCause, now: datetime, *, resolved: bool = True) -> None:
    """Note that the cause is gone: the next failure opens it again. Or that it is not."""
    by = principal.user.id if resolved else None
    _write(cause, resolved_at=now if resolved else None, resolved_by=by)


def mute(principal: Principal, cause: SeenCause, now: datetime, until: datetime | None) -> None:
    """List it apart until a moment, or for good. Raises InvalidQuery."""
    if until is not None and until <= now:
        raise InvalidQuery([FieldError("until", "must be in the future.")])
    _write(cause, muted_at=now, muted_until=until, muted_by=principal.user.id)


def unmute(cause: SeenCause) -> None:
    """List it among the others again."""
    _write(cause, muted_at=None, muted_until=None, muted_by=None)


def _write(cause: SeenCause, **columns: Any) -> None:
    with writing() as session:
        session.execute(sa.update(Cause).where(Cause.id == cause.id).values(**columns))
