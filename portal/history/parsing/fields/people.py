"""Parses whom a line names: who triggered a run, or uploaded a file."""

from collections.abc import Mapping
from functools import lru_cache

from portal.database.models import PersonKind
from portal.history.parsing import readers
from portal.history.parsing.readers import Fields
from portal.input import bounds
from portal.workspaces.people import SourcePerson, identify

PARTS = ("id", "name", "email", "kind")
_KINDS = {str(kind): str(kind) for kind in PersonKind}
read_kind = readers.word(_KINDS)


def read_person(value: object) -> SourcePerson | None:
    named = readers.object_(value)
    parts = tuple(named.get(key) for key in PARTS)
    if all(part is None or type(part) is str for part in parts):
        return _named(*parts)
    return _read_identity(named)


@lru_cache(maxsize=10_000)  # history names few people, each in many lines
def _named(
    source_id: str | None, name: str | None, email: str | None, kind: str | None
) -> SourcePerson | None:
    return _read_identity({"id": source_id, "name": name, "email": email, "kind": kind})


def _read_identity(named: Mapping[str, object]) -> SourcePerson | None:
    fields = Fields(named)
    source_id = fields.take("id", _source_id)
    name = fields.take("name", readers.text_of(0, bounds.MAX_PERSON_NAME))
    email = fields.take("email", readers.text_of(0, bounds.MAX_EMAIL))
    kind = fields.take("kind", read_kind)
    source_id, name, email = (text.strip() if text else None for text in (source_id, name, email))
    return identify(source_id, name, email, kind)


def _source_id(value: object) -> str:
    """An id as text; many sources number people, with more digits than other numbers may have."""
    if type(value) is not int:
        return readers.text_of(0, bounds.MAX_PERSON_ID)(value)
    if abs(value) > bounds.MAX_BIGINT:
        raise ValueError(f"must be a whole number of at most {bounds.MAX_BIGINT}, or text.")
    return str(value)
