"""Providers of speech, their models and voices (contract part 2, 10)."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import speech
from portal.api import bp
from portal.api.answers import FREE_FORM, Count, counted_list, linked_by, one, whole_list
from portal.api.operations import PAGING, operation
from portal.api.voices import ClipUrl
from portal.auth.gate import requires
from portal.input.bodies import OneOf
from portal.input.parameters import Reader, single
from portal.paging import Page
from portal.speech.catalog import ACCENTS, AGES, GENDERS, Model, Provider, Voice
from portal.web.proxy import absolute_url


class LinkJson(TypedDict):
    """Where to ask next."""

    href: str
    method: str


class ProviderLinksJson(TypedDict):
    """What a provider has."""

    models: LinkJson


class ProviderJson(TypedDict):
    """Who speaks."""

    provider: str
    display_name: str
    kind: str
    model_count: Count
    beta: bool
    links: ProviderLinksJson


class ModelLinksJson(TypedDict):
    """What a model has."""

    voices: LinkJson


class SpeechModelJson(TypedDict):
    """A model of a provider."""

    model: str
    display_name: str
    content_type: str | None
    config_schema: dict[str, object] | None
    controls: Annotated[dict[str, object], Field(description=FREE_FORM)]
    voice_count: Annotated[Count, Field(description="Of voices that can speak here.")]
    beta: bool
    links: ModelLinksJson


class CatalogVoiceJson(TypedDict):
    """A voice of a model."""

    id: UUID
    provider_voice_id: str
    name: str
    gender: Annotated[str, OneOf(GENDERS)] | None
    age: Annotated[str, OneOf(AGES)] | None
    accent: Annotated[str, OneOf(ACCENTS)] | None
    supported_languages: list[str]
    preview_url: ClipUrl
    emotion_options: None


@bp.get("/providers")
@requires("catalog:read")
@operation(tag="Providers", summary="List providers", answer=ProviderJson, shape="uncounted")
def providers() -> Response:
    return whole_list(list(speech.catalog().providers.values()), _provider)


@bp.get("/providers/<provider_name>")
@requires("catalog:read")
@operation(tag="Providers", summary="Get a provider", answer=ProviderJson)
def provider(provider_name: str) -> Response:
    return one(_provider(speech.catalog().provider(provider_name)))


@bp.get("/providers/<provider_name>/models")
@requires("catalog:read")
@operation(
    tag="Providers", summary="List the models of a provider", answer=SpeechModelJson, shape="uncounted"
)
def provider_models(provider_name: str) -> Response:
    found = speech.catalog().provider(provider_name)
    return whole_list(list(found.models.values()), lambda model: _model(found, model))


@bp.get("/providers/<provider_name>/models/<path:model_name>")
@requires("catalog:read")
@operation(tag="Providers", summary="Get a model", answer=SpeechModelJson)
def provider_model(provider_name: str, model_name: str) -> Response:
    catalog = speech.catalog()
    return one(_model(catalog.provider(provider_name), catalog.model(provider_name, model_name)))


@bp.get("/providers/<provider_name>/models/<path:model_name>/voices")
@requires("catalog:read")
@operation(
    tag="Providers",
    summary="List the voices of a model",
    answer=CatalogVoiceJson,
    shape="counted",
    query=PAGING,
    description="Those that can speak here, by name.",
)
def provider_model_voices(provider_name: str, model_name: str) -> Response:
    reader = Reader(single(request.args))
    slice_ = reader.slice()
    reader.finish()
    found = speech.catalog().voices_of(provider_name, model_name)
    return counted_list(Page.of(found, slice_), _voice, linked_by(()))


def _provider(found: Provider) -> ProviderJson:
    return {
        "provider": found.name,
        "display_name": found.display_name,
        "kind": "tts",
        "model_count": len(found.models),
        "beta": False,
        "links": {"models": _link(f"{found.name}/models")},
    }


def _model(owner: Provider, found: Model) -> SpeechModelJson:
    return {
        "model": found.name,
        "display_name": found.display_name,
        "content_type": found.content_type,
        "config_schema": None,
        "controls": {},
        "voice_count": len(speech.catalog().voices_of(owner.name, found.name)),
        "beta": False,
        "links": {"voices": _link(f"{owner.name}/models/{quote(found.name, safe='')}/voices")},
    }


def _voice(voice: Voice) -> CatalogVoiceJson:
    return {
        "id": voice.id,
        "provider_voice_id": voice.provider_voice_id,
        "name": voice.name,
        "gender": voice.gender,
        "age": voice.age,
        "accent": voice.accent,
        "supported_languages": list(voice.languages),
        "preview_url": voice.samples[0].url if voice.samples else None,
        "emotion_options": None,
    }


def _link(path: str) -> LinkJson:
    return {"href": absolute_url(f"/api/v1/providers/{path}"), "method": "GET"}
