"""The voices that this installation has: those of the default engine, and those of configured providers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID, uuid5

from portal.errors import NotFound
from portal.speech import espeak

GENDERS = ("male", "female", "neutral")
AGES = ("young", "middle_aged", "old")
CATEGORIES = (
    "news",
    "narration",
    "story",
    "podcast",
    "conversational",
    "social_media",
    "educational",
    "business",
)
ACCENTS = (
    "american", "british", "australian", "indian", "canadian", "irish", "african", "european", "east_asian",
    "southeast_asian", "latin_american", "middle_eastern", "slavic", "spanish", "french", "german",
    "italian", "portuguese", "japanese", "korean", "chinese", "thai", "vietnamese", "other",
)  # fmt: skip
"""What a voice may be said to be, in the words and the order of the published API."""

_VOICES = UUID("b8569fd2-78bd-4615-803e-fdb7b990e700")
"""The namespace of the ids of voices: changing it changes every id."""


@dataclass(frozen=True)
class Sample:
    """A clip of a voice, at the address that its provider gave."""

    language: str
    model: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Voice:
    provider: str
    provider_voice_id: str
    name: str
    languages: Sequence[str]
    """Locales that it speaks, sorted."""
    models: Sequence[str]
    """Models of its provider that speak with it."""
    added_at: datetime
    description: str | None = None
    gender: str | None = None
    age: str | None = None
    accent: str | None = None
    category: str | None = None
    tags: Sequence[str] = ()
    samples: Sequence[Sample] = ()

    @cached_property
    def id(self) -> UUID:
        """The same for the same voice in every installation."""
        return uuid5(_VOICES, f"{self.provider}/{self.provider_voice_id}")

    @property
    def is_active(self) -> bool:
        """Whether it can speak here: a configured provider's always can, as far as the portal knows."""
        return self.provider != espeak.PROVIDER or espeak.is_here()


@dataclass(frozen=True)
class Model:
    name: str
    display_name: str
    content_type: str | None = None


@dataclass(frozen=True)
class Provider:
    name: str
    display_name: str
    models: Mapping[str, Model]


@dataclass(frozen=True)
class Catalog:
    """Everything that can speak, in a fixed order."""

    providers: Mapping[str, Provider]
    voices: Mapping[UUID, Voice]

    def provider(self, name: str) -> Provider:
        """The provider of this name. Raises NotFound."""
        if name not in self.providers:
            raise NotFound("There is no such provider here.")
        return self.providers[name]

    def model(self, provider: str, name: str) -> Model:
        """The model of this provider. Raises NotFound."""
        models = self.provider(provider).models
        if name not in models:
            raise NotFound("There is no such model here.")
        return models[name]

    def voice(self, voice_id: UUID) -> Voice:
        """The voice with this id, whether it can speak or not. Raises NotFound."""
        if voice_id not in self.voices:
            raise NotFound("There is no such voice here.")
        return self.voices[voice_id]

    def active(self) -> list[Voice]:
        """The voices that can speak now."""
        absent = set() if espeak.is_here() else {espeak.PROVIDER}
        return [voice for voice in self.voices.values() if voice.provider not in absent]

    def voices_of(self, provider: str, model: str) -> list[Voice]:
        """The active voices of a model, by name. Raises NotFound."""
        self.model(provider, model)
        found = [voice for voice in self.active() if voice.provider == provider and model in voice.models]
        return sorted(found, key=lambda voice: (voice.name, voice.id))


def catalog_of(providers: Sequence[Provider], voices: Sequence[Voice]) -> Catalog:
    """The default engine and its voices, with these of configured providers."""
    engine = Provider(
        espeak.PROVIDER,
        espeak.NAME,
        {espeak.MODEL: Model(espeak.MODEL, f"{espeak.NAME} formant synthesis", "audio/wav")},
    )
    every = [*map(_of_engine, espeak.VOICES), *voices]
    return Catalog(
        {provider.name: provider for provider in (engine, *providers)}, {voice.id: voice for voice in every}
    )


def _of_engine(voice: espeak.EspeakVoice) -> Voice:
    return Voice(
        provider=espeak.PROVIDER,
        provider_voice_id=voice.voice_id,
        name=voice.name,
        description=f"A synthetic voice of {espeak.NAME}: clear, quick and robotic.",
        languages=(voice.locale,),
        models=(espeak.MODEL,),
        added_at=espeak.ADDED_AT,
        gender=voice.gender,
        accent=voice.accent,
        tags=("robotic", "offline"),
    )
