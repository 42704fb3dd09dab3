"""Voices (contract part 2, 10)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments, speech
from portal.api import bp
from portal.api.answers import Count, Fraction, NoFavoriteJson, counted_list, linked_by, one, uncounted_list
from portal.api.operations import FLAG, PAGING, SEARCH, TEXT, operation
from portal.api.request_values import id_in_path
from portal.api.schemas import Schema, described, list_of, words
from portal.auth.gate import current_principal, requires
from portal.definitions.locales import LOCALES
from portal.input import parameters
from portal.input.bodies import OneOf
from portal.input.parameters import Reader, single
from portal.input.repeated import ORDERS, any_of
from portal.paging import Page, Slice
from portal.speech import voices as service
from portal.speech.catalog import ACCENTS, AGES, CATEGORIES, GENDERS
from portal.speech.voice_query import NATURAL_ORDERS, SOURCES, VoiceQuery, locale
from portal.speech.voices import FacetItem, VoiceRow
from portal.workspaces.workspaces import workspace_id_of

MAX_SIMILAR, DEFAULT_SIMILAR = 50, 10

ClipUrl = Annotated[str | None, Field(description="A clip at the address that its provider gave.")]


class ModelCapabilityJson(TypedDict):
    """What a model can speak with a voice."""

    model: str
    languages_known: bool
    supported_languages: list[str]


class SpeechVoiceJson(TypedDict):
    """A voice."""

    id: UUID
    name: str
    provider: str
    provider_voice_id: str
    description: str | None
    is_active: Annotated[bool, Field(description="Whether it can speak here.")]
    gender: Annotated[str, OneOf(GENDERS)] | None
    accent: Annotated[str, OneOf(ACCENTS)] | None
    age: Annotated[str, OneOf(AGES)] | None
    category: Annotated[str, OneOf(CATEGORIES)] | None
    color: None
    tags: list[str]
    uses_count: Annotated[None, Field(description="Not counted here.")]
    user_id: None
    source: Literal["platform"]
    availability: None
    unavailable_reason: None
    duration_seconds: None
    sample_url: ClipUrl
    language_sample_url: ClipUrl
    language_sample_locale: Annotated[str | None, Field(description="null unless language is given.")]
    supported_languages: list[str]
    preview_locales: Annotated[list[str], Field(description="Locales in which there is a clip.")]
    supported_models: list[str]
    model_capabilities: list[ModelCapabilityJson]
    is_favorite: bool
    created_at: datetime
    updated_at: datetime


class SimilarVoiceJson(SpeechVoiceJson):
    """A voice that sounds like another."""

    similarity_score: Fraction


class FacetItemJson(TypedDict):
    """A value to filter by."""

    value: str
    label: str | None
    count: Annotated[Count, Field(description="How many voices match it and all other filters.")]


class VoiceFacetsJson(TypedDict):
    """The values to filter voices by."""

    providers: list[FacetItemJson]
    models: list[FacetItemJson]
    languages: list[FacetItemJson]
    genders: list[FacetItemJson]
    ages: list[FacetItemJson]
    categories: list[FacetItemJson]
    accents: list[FacetItemJson]


class VoicePreviewJson(TypedDict):
    """A clip of a voice in a language."""

    name: str
    locale: str
    model: str
    sample_url: str
    content_type: None


_LANGUAGE: Schema = words(*LOCALES)
_FILTERS: dict[str, Schema] = {
    "favorites_only": FLAG,
    "source": list_of(words(*SOURCES)),
    "gender": list_of(words(*GENDERS)),
    "age": list_of(words(*AGES)),
    "category": list_of(words(*CATEGORIES)),
    "accent": list_of(words(*ACCENTS)),
    "search": described(SEARCH, "Part of the name, of a tag or of the description, in any case."),
    "provider": list_of(TEXT),
    "model": list_of(TEXT),
    "language": list_of(_LANGUAGE),
}
_LIST = (
    PAGING
    | _FILTERS
    | {
        "sort": list_of(words(*NATURAL_ORDERS)),
        "order": described(list_of(words(*ORDERS)), "One for each sort, at most."),
    }
)
_SIMILAR: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_SIMILAR, "default": DEFAULT_SIMILAR},
    "language": list_of(_LANGUAGE),
}


@bp.get("/voices")
@requires("voices:read")
@operation(
    tag="Voices",
    summary="List voices",
    answer=SpeechVoiceJson,
    shape="counted",
    query=_LIST,
    description="Those that can speak here. A filter may be repeated: any of its values will do.",
)
def voices() -> Response:
    query = VoiceQuery.parse(request.args.to_dict(flat=False))
    page = service.list_voices(speech.catalog(), workspace_id_of(current_principal()), query)
    languages = query.filters.get("language", ())
    return counted_list(page, lambda row: _voice(row, *languages), linked_by(_LIST))


@bp.get("/voices/facets")
@requires("voices:read")
@operation(
    tag="Voices",
    summary="Count voices by what they can be filtered by",
    answer=VoiceFacetsJson,
    query=_FILTERS,
)
def voice_facets() -> Response:
    query = VoiceQuery.parse({name: request.args.getlist(name) for name in _FILTERS if name in request.args})
    found = service.count_facets(speech.catalog(), workspace_id_of(current_principal()), query)
    answer: VoiceFacetsJson = {
        "providers": _facet(found["provider"]),
        "models": _facet(found["model"]),
        "languages": _facet(found["language"]),
        "genders": _facet(found["gender"]),
        "ages": _facet(found["age"]),
        "categories": _facet(found["category"]),
        "accents": _facet(found["accent"]),
    }
    return one(answer)


@bp.get("/voices/<voice_id>")
@requires("voices:read")
@operation(
    tag="Voices",
    summary="Get a voice",
    answer=SpeechVoiceJson,
    description="Also one that cannot speak here.",
)
def voice(voice_id: str) -> Response:
    found_id = id_in_path("voice_id", voice_id)
    found = service.get_voice(speech.catalog(), workspace_id_of(current_principal()), found_id)
    return one(_voice(found))


@bp.get("/voices/<voice_id>/preview")
@requires("voices:read")
@operation(
    tag="Voices",
    summary="Get a clip of a voice",
    answer=VoicePreviewJson,
    query={"language": _LANGUAGE, "model": TEXT},
    required=frozenset({"language"}),
    description="404 unless the provider gave one in this language.",
)
def voice_preview(voice_id: str) -> Response:
    reader = Reader({**single(request.args), "voice_id": voice_id})
    found_id = reader.uuid("voice_id")
    language = reader.require("language", locale, "")
    model = reader.read("model", parameters.text, None)
    reader.finish()
    found = speech.catalog().voice(found_id)
    sample = service.find_sample(found, language, model)
    answer: VoicePreviewJson = {
        "name": found.name,
        "locale": sample.language,
        "model": sample.model,
        "sample_url": sample.url,
        "content_type": None,
    }
    return one(answer)


@bp.get("/voices/<voice_id>/similar")
@requires("voices:read")
@operation(
    tag="Voices",
    summary="List voices that sound like another",
    answer=SimilarVoiceJson,
    shape="uncounted",
    query=_SIMILAR,
    description="None: nothing here compares how voices sound.",
)
def similar_voices(voice_id: str) -> Response:
    reader = Reader({**single(request.args), "voice_id": voice_id})
    found_id = reader.uuid("voice_id")
    limit = reader.read("limit", _similar_limit, DEFAULT_SIMILAR)
    any_of(reader, "language", request.args.getlist("language"), locale)
    reader.finish()
    speech.catalog().voice(found_id)
    nothing: Page[VoiceRow] = Page((), 0, Slice(0, limit))
    return uncounted_list(nothing, _voice, linked_by(()))


@bp.post("/voices/<voice_id>/favorite")
@requires("voices:write")
@operation(
    tag="Voices",
    summary="Make a voice a favourite of the workspace",
    answer=SpeechVoiceJson,
)
def favorite_voice(voice_id: str) -> Response:
    found_id = id_in_path("voice_id", voice_id)
    workspace_id = workspace_id_of(current_principal())
    return one(_voice(service.like(speech.catalog(), workspace_id, found_id, moments.now())))


@bp.delete("/voices/<voice_id>/favorite")
@requires("voices:write")
@operation(
    tag="Voices",
    summary="Take a voice from the favourites of the workspace",
    answer=NoFavoriteJson,
)
def unfavorite_voice(voice_id: str) -> Response:
    found_id = id_in_path("voice_id", voice_id)
    service.unlike(speech.catalog(), workspace_id_of(current_principal()), found_id)
    answer: NoFavoriteJson = {"id": str(found_id), "is_favorite": False}
    return one(answer)


def _similar_limit(text: str) -> int:
    return parameters.whole_number(text, 1, MAX_SIMILAR)


def _facet(items: list[FacetItem]) -> list[FacetItemJson]:
    return [{"value": item.value, "label": item.label, "count": item.count} for item in items]


def _voice(row: VoiceRow, *languages: str) -> SpeechVoiceJson:
    """`languages`: those that the request asks for, in one of which a clip is named."""
    voice, samples = row.voice, row.voice.samples
    asked = next((sample for sample in samples if sample.language in languages), None)
    return {
        "id": voice.id,
        "name": voice.name,
        "provider": voice.provider,
        "provider_voice_id": voice.provider_voice_id,
        "description": voice.description,
        "is_active": voice.is_active,
        "gender": voice.gender,
        "accent": voice.accent,
        "age": voice.age,
        "category": voice.category,
        "color": None,
        "tags": list(voice.tags),
        "uses_count": None,
        "user_id": None,
        "source": "platform",
        "availability": None,
        "unavailable_reason": None,
        "duration_seconds": None,
        "sample_url": samples[0].url if samples else None,
        "language_sample_url": asked.url if asked else None,
        "language_sample_locale": asked.language if asked else None,
        "supported_languages": list(voice.languages),
        "preview_locales": sorted({sample.language for sample in samples}),
        "supported_models": list(voice.models),
        "model_capabilities": [
            {"model": model, "languages_known": True, "supported_languages": list(voice.languages)}
            for model in voice.models
        ],
        "is_favorite": row.is_favorite,
        "created_at": voice.added_at,
        "updated_at": voice.added_at,
    }
