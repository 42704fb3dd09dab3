"""The dictionary of a workspace: what words sound like, for each language (contract part 2, 10)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import DictionaryEntry, DictionaryMethod, Upload, UploadCategory, UploadStatus
from portal.database.transactions import writing
from portal.errors import Conflict, FieldError, InvalidQuery, NotFound
from portal.input.folding import fold
from portal.paging import Page
from portal.speech import espeak
from portal.speech.dictionary_query import DictionaryQuery, EntryChanges, EntrySpec, WordToPronounce, offence

_SORT_KEYS: Mapping[str, sa.orm.InstrumentedAttribute[Any]] = {
    "word": DictionaryEntry.word_folded,
    "created_at": DictionaryEntry.created_at,
    "uses_count": DictionaryEntry.uses_count,
}


@dataclass(frozen=True, kw_only=True)
class EntryRow:
    id: UUID
    workspace_id: UUID
    word: str
    description: str | None
    method: str
    pronunciation: str | None
    ipa: str | None
    upload_id: UUID | None
    """The recording."""
    language: str
    uses_count: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class LanguageCount:
    language: str
    entries: int


def list_entries(workspace_id: UUID, query: DictionaryQuery) -> Page[EntryRow]:
    """A page of the entries that match."""
    matching = [DictionaryEntry.workspace_id == workspace_id]
    if query.languages:
        matching.append(DictionaryEntry.language.in_(query.languages))
    if query.methods:
        matching.append(DictionaryEntry.method.in_(query.methods))
    if query.search:
        matching.append(DictionaryEntry.word_folded.contains(fold(query.search), autoescape=True))
    total = db.session.scalar(sa.select(sa.func.count()).select_from(DictionaryEntry).where(*matching)) or 0
    if query.slice.offset >= total:
        return Page((), total, query.slice)
    key = _SORT_KEYS[query.sort]
    ordered = (
        sa.select(DictionaryEntry)
        .where(*matching)
        .order_by(key.asc() if query.order == "asc" else key.desc(), DictionaryEntry.id)
    )
    page = ordered.offset(query.slice.sql_offset).limit(query.slice.limit)
    return Page([_row(entry) for entry in db.session.scalars(page)], total, query.slice)


def count_languages(workspace_id: UUID) -> list[LanguageCount]:
    """The languages that have entries, the one with most first."""
    entries = sa.func.count()
    rows = db.session.execute(
        sa.select(DictionaryEntry.language, entries)
        .where(DictionaryEntry.workspace_id == workspace_id)
        .group_by(DictionaryEntry.language)
        .order_by(entries.desc(), DictionaryEntry.language)
    )
    return [LanguageCount(language, count) for language, count in rows]


def add_entry(principal: Principal, spec: EntrySpec, now: datetime) -> EntryRow:
    """Add a word. Raises Conflict if the language has it, InvalidQuery without its upload, NotFound."""
    workspace_id = _workspace_id(principal)
    with _translate_conflict(spec.word), writing() as session:
        entry = DictionaryEntry(
            id=uuid4(),
            workspace_id=workspace_id,
            word=spec.word,
            word_folded=fold(spec.word),
            language=spec.language,
            method=spec.method,
            description=spec.description,
            pronunciation=spec.pronunciation,
            ipa=spec.ipa,
            upload_id=_recording(session, principal, spec.upload_id) if spec.upload_id else None,
            created_by=principal.user.id,
            created_at=now,
            updated_at=now,
        )
        session.add(entry)
    return _row(entry)


def change_entry(principal: Principal, entry_id: UUID, changes: EntryChanges, now: datetime) -> EntryRow:
    """Change the fields that are named. Raises NotFound, InvalidQuery, Conflict as `add_entry`."""
    named = changes.named()
    upload_id: UUID | None = named.pop("upload_id", None)
    with _translate_conflict(changes.word or "this word"), writing() as session:
        entry = _lock(session, principal, entry_id)
        for name, value in named.items():
            setattr(entry, name, value)
        entry.word_folded = fold(entry.word)
        has_recording = upload_id is not None or entry.upload_id is not None
        found = offence(
            entry.method,
            entry.pronunciation,
            has_recording=has_recording,
            is_given_one=upload_id is not None,
        )
        if found:
            raise InvalidQuery([found])
        if entry.method == DictionaryMethod.SPELLED:
            entry.upload_id = None
        elif upload_id is not None:
            entry.upload_id = _recording(session, principal, upload_id, entry_id)
        entry.updated_at = now
    return _row(entry)


def delete_entry(principal: Principal, entry_id: UUID) -> None:
    """Delete an entry for good. Raises NotFound."""
    with writing() as session:
        session.delete(_lock(session, principal, entry_id))


def suggest(wanted: WordToPronounce) -> str:
    """How the default engine pronounces a word, in IPA. Raises NotFound where it does not."""
    try:
        return espeak.ipa_of(wanted.word, wanted.language)
    except espeak.NoPronunciation as refusal:
        raise NotFound(str(refusal)) from None


def _row(entry: DictionaryEntry) -> EntryRow:
    return EntryRow(
        id=entry.id,
        workspace_id=entry.workspace_id,
        word=entry.word,
        description=entry.description,
        method=entry.method,
        pronunciation=entry.pronunciation,
        ipa=entry.ipa,
        upload_id=entry.upload_id,
        language=entry.language,
        uses_count=entry.uses_count,
        created_by=entry.created_by,
        created_at=entry.created_at,
        updated_at=entry.updated_at,
    )


def _lock(session: Session, principal: Principal, entry_id: UUID) -> DictionaryEntry:
    """An entry of the principal's workspace, until this transaction ends. Raises NotFound."""
    mine = sa.select(DictionaryEntry).where(
        DictionaryEntry.id == entry_id, DictionaryEntry.workspace_id == _workspace_id(principal)
    )
    entry = session.scalar(mine.with_for_update())
    if entry is None:
        raise NotFound("There is no such entry here.")
    return entry


def _recording(session: Session, principal: Principal, upload_id: UUID, entry_id: UUID | None = None) -> UUID:
    """A confirmed upload of the principal that no entry but this one has. Raises InvalidQuery."""
    mine = (
        sa.select(Upload.id)
        .outerjoin(DictionaryEntry, DictionaryEntry.upload_id == Upload.id)
        .where(
            Upload.id == upload_id,
            Upload.user_id == principal.user.id,
            Upload.category == UploadCategory.DICTIONARY,
            Upload.status == UploadStatus.UPLOADED,
            Upload.workspace_id == _workspace_id(principal),
            DictionaryEntry.id.is_(None) | (DictionaryEntry.id == entry_id),
        )
    )
    if session.scalar(mine) is None:
        raise InvalidQuery(
            [
                FieldError(
                    "upload_id", "must be a confirmed upload of yours of category dictionary, not in use."
                )
            ]
        )
    return upload_id


def _workspace_id(principal: Principal) -> UUID:
    if principal.workspace is None:
        raise NotFound("There is no such workspace here.")
    return principal.workspace.id


@contextmanager
def _translate_conflict(word: str) -> Iterator[None]:
    """Turn the unique violation into Conflict."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise Conflict(f"The dictionary has {word} in this language already.") from None
