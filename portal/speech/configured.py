"""PORTAL_PROVIDER_VOICES: a JSON file that names providers, their models and their voices."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from portal.definitions.locales import LOCALES
from portal.errors import BadRequest, FieldError, InvalidQuery
from portal.input import bodies
from portal.input.parameters import fits_path
from portal.input.setting_values import BadSetting
from portal.speech import espeak
from portal.speech.catalog import ACCENTS, AGES, CATEGORIES, GENDERS, Model, Provider, Sample, Voice

SETTING = "PORTAL_PROVIDER_VOICES"
_RESERVED = ("voices",)
"""How the name of a model must not end, after a slash: the address of its voices ends so."""

_Slug = Annotated[
    str, bodies.Matching("[a-z0-9]+(-[a-z0-9]+)*", 50, "must be 1 to 50 of a-z and 0-9, with single hyphens.")
]
_Id = Annotated[str, bodies.Text(1, 200)]
_Name = Annotated[str, bodies.Text(1, 100)]
_Language = Annotated[str, bodies.OneOf(tuple(LOCALES))]
_Url = Annotated[
    str, bodies.Matching(r"https?://[^\s/?#]+[^\s]*", 2000, "must be an address that begins with https://.")
]


class _Part(bodies.Body):
    model_config = ConfigDict(extra="forbid")


class _Sample(_Part):
    language: _Language
    model: _Id
    url: _Url


class _Model(_Part):
    model: _Id
    display_name: _Name | None = None


class _Voice(_Part):
    voice_id: _Id
    name: _Name
    languages: Annotated[tuple[str, ...], bodies.SomeOf(tuple(LOCALES))]
    models: list[_Id] | None = None
    description: Annotated[str, bodies.Text(1, 1000)] | None = None
    gender: Annotated[str, bodies.OneOf(GENDERS)] | None = None
    age: Annotated[str, bodies.OneOf(AGES)] | None = None
    accent: Annotated[str, bodies.OneOf(ACCENTS)] | None = None
    category: Annotated[str, bodies.OneOf(CATEGORIES)] | None = None
    tags: list[Annotated[str, bodies.Text(1, 50)]] = Field(default_factory=list)
    samples: list[_Sample] = Field(default_factory=list)


class _Provider(_Part):
    provider: _Slug
    display_name: _Name | None = None
    models: list[_Model]
    voices: list[_Voice]


class _File(_Part):
    providers: list[_Provider]


def read_file(path: Path) -> tuple[list[Provider], list[Voice]]:
    """The providers and voices that a file names. Raises BadSetting with everything that is wrong with it."""
    try:
        content, changed = path.read_bytes(), path.stat().st_mtime
    except OSError as error:
        raise BadSetting(f"{SETTING} names a file that cannot be read: {error.strerror}.") from None
    try:
        read = _File.read(bodies.json_object(content, "application/json"))
        _refuse(_contradictions(read))
    except BadRequest:
        raise BadSetting(f"{SETTING} must name a file with a JSON object.") from None
    except InvalidQuery as refusal:
        raise BadSetting(f"{SETTING}: {refusal.message}") from None
    added_at = datetime.fromtimestamp(int(changed), UTC)
    providers = [_provider(each) for each in read.providers]
    return providers, [_voice(voice, each, added_at) for each in read.providers for voice in each.voices]


def _refuse(errors: Iterable[FieldError]) -> None:
    if found := list(errors):
        raise InvalidQuery(found)


def _contradictions(read: _File) -> Iterator[FieldError]:
    """What no single value shows to be wrong."""
    taken = [espeak.PROVIDER, *(each.provider for each in read.providers)]
    yield from _repeated("providers", "provider", taken)
    for number, each in enumerate(read.providers):
        where = f"providers.{number}"
        models = [model.model for model in each.models]
        if not models:
            yield FieldError(f"{where}.models", "must name a model.")
        yield from _repeated(f"{where}.models", "model", models)
        yield from _repeated(f"{where}.voices", "voice_id", [voice.voice_id for voice in each.voices])
        for place, model in enumerate(models):
            if not fits_path(model) or model.rpartition("/")[2] in _RESERVED:
                yield FieldError(f"{where}.models.{place}.model", "cannot be part of an address.")
        for place, voice in enumerate(each.voices):
            named = [*(voice.models or ()), *(sample.model for sample in voice.samples)]
            for model in sorted(set(named) - set(models)):
                yield FieldError(
                    f"{where}.voices.{place}", f"names {model}, which is no model of its provider."
                )
            if voice.models == []:
                yield FieldError(
                    f"{where}.voices.{place}.models", "must name a model, or be left out for all."
                )


def _repeated(where: str, key: str, names: list[str]) -> Iterator[FieldError]:
    for name, times in Counter(names).items():
        if times > 1:
            yield FieldError(where, f"{key} {name} is there already.")


def _provider(read: _Provider) -> Provider:
    models = {each.model: Model(each.model, each.display_name or each.model) for each in read.models}
    return Provider(read.provider, read.display_name or read.provider, models)


def _voice(read: _Voice, provider: _Provider, added_at: datetime) -> Voice:
    every = [each.model for each in provider.models]
    return Voice(
        provider=provider.provider,
        provider_voice_id=read.voice_id,
        name=read.name,
        languages=read.languages,
        models=tuple(every if read.models is None else read.models),
        added_at=added_at,
        description=read.description,
        gender=read.gender,
        age=read.age,
        accent=read.accent,
        category=read.category,
        tags=tuple(read.tags),
        samples=tuple(Sample(each.language, each.model, each.url) for each in read.samples),
    )
