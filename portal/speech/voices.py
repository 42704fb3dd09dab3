"""Lists of voices, their facets, and the voices that a workspace likes (contract part 2, 10)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import VoiceFavorite
from portal.database.sql.upserts import insert_unless_there
from portal.database.transactions import writing
from portal.errors import NotFound
from portal.input.folding import fold
from portal.paging import Page
from portal.speech.catalog import ACCENTS, AGES, CATEGORIES, GENDERS, Catalog, Sample, Voice
from portal.speech.voice_query import VoiceQuery, values_of

_FIXED = {"gender": GENDERS, "age": AGES, "category": CATEGORIES, "accent": ACCENTS}
_FOUND = ("provider", "model", "language")
_SORT_KEYS: Mapping[str, Callable[[Voice], Any]] = {
    "name": lambda voice: fold(voice.name),
    "created_at": lambda voice: voice.added_at,
    "uses_count": lambda voice: 0,  # nothing counts uses yet
}


@dataclass(frozen=True)
class VoiceRow:
    """A voice as a workspace sees it."""

    voice: Voice
    is_favorite: bool


@dataclass(frozen=True)
class FacetItem:
    value: str
    label: str | None
    count: int


def list_voices(catalog: Catalog, workspace_id: UUID, query: VoiceQuery) -> Page[VoiceRow]:
    """A page of the voices that can speak here."""
    liked = _favorites(workspace_id)
    found = [voice for voice in _in_scope(catalog, liked, query) if query.matches(voice)]
    found.sort(key=lambda voice: voice.id)
    if query.favorites_only and not query.sorts:
        found.sort(key=lambda voice: liked[voice.id], reverse=True)
    else:
        for key, order in reversed(query.sorts or (("created_at", "desc"),)):
            found.sort(key=_SORT_KEYS[key], reverse=order == "desc")
    return Page.of([VoiceRow(voice, voice.id in liked) for voice in found], query.slice)


def count_facets(catalog: Catalog, workspace_id: UUID, query: VoiceQuery) -> dict[str, list[FacetItem]]:
    """For each filter the values with the number of voices that match it and all the other filters."""
    voices = _in_scope(catalog, _favorites(workspace_id), query)
    labels = _labels(catalog)
    facets = {}
    for name in (*_FOUND, *_FIXED):
        matching = [voice for voice in voices if query.matches(voice, but=name)]
        counts = Counter(value for voice in matching for value in set(values_of(voice, name)))
        if name in _FIXED:
            facets[name] = [FacetItem(value, None, counts[value]) for value in _FIXED[name]]
        else:
            ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            facets[name] = [FacetItem(value, labels[name].get(value), count) for value, count in ordered]
    return facets


def get_voice(catalog: Catalog, workspace_id: UUID, voice_id: UUID) -> VoiceRow:
    """A voice, whether it can speak here or not. Raises NotFound."""
    return VoiceRow(catalog.voice(voice_id), voice_id in _favorites(workspace_id))


def find_sample(voice: Voice, language: str, model: str | None) -> Sample:
    """A clip of a voice in a locale, by preference of this model. Raises NotFound."""
    found = [sample for sample in voice.samples if sample.language == language]
    if not found:
        raise NotFound(f"There is no clip of this voice in {language}.")
    return next((sample for sample in found if sample.model == model), found[0])


def like(catalog: Catalog, workspace_id: UUID, voice_id: UUID, now: datetime) -> VoiceRow:
    """Make a voice a favourite of the workspace, unless it is one. Raises NotFound."""
    voice = catalog.voice(voice_id)
    with writing() as session:
        values = {"workspace_id": workspace_id, "voice_id": voice_id, "created_at": now}
        insert_unless_there(session, VoiceFavorite, values)
    return VoiceRow(voice, is_favorite=True)


def unlike(catalog: Catalog, workspace_id: UUID, voice_id: UUID) -> None:
    """Take a voice from the favourites of the workspace, if it is one. Raises NotFound."""
    catalog.voice(voice_id)
    with writing() as session:
        session.execute(
            sa.delete(VoiceFavorite).where(
                VoiceFavorite.workspace_id == workspace_id, VoiceFavorite.voice_id == voice_id
            )
        )


def _in_scope(catalog: Catalog, liked: Mapping[UUID, datetime], query: VoiceQuery) -> Sequence[Voice]:
    active = catalog.active()
    return [voice for voice in active if voice.id in liked] if query.favorites_only else active


def _favorites(workspace_id: UUID) -> dict[UUID, datetime]:
    """When each favourite of the workspace became one."""
    rows = db.session.execute(
        sa.select(VoiceFavorite.voice_id, VoiceFavorite.created_at).where(
            VoiceFavorite.workspace_id == workspace_id
        )
    )
    return {row.voice_id: row.created_at for row in rows}


def _labels(catalog: Catalog) -> dict[str, dict[str, str]]:
    providers = catalog.providers.values()
    return {
        "provider": {provider.name: provider.display_name for provider in providers},
        "model": {
            name: each.display_name for provider in providers for name, each in provider.models.items()
        },
        "language": {},
    }
