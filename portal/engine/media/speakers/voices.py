"""Which voice speaks an item: the first that the node assigns to its locale, else the portal's choice.

The portal chooses the provider's voice where a model of it speaks, then the neural voice, then eSpeak NG.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from portal.definitions.locales import LOCALES, canonical
from portal.engine.contract import Ability, Json, Refused, Take
from portal.engine.environment import Environment
from portal.engine.media.providers.openai import Controls
from portal.engine.media.speakers import neural
from portal.speech import espeak

PROVIDER, PROVIDER_VOICE = "provider", "alloy"
"""How takes name a provider of whose voices the settings name none, and the voice that its kind has."""

NO_VOICE = (
    "Nothing here can speak: install the Debian package espeak-ng, or set PORTAL_PROVIDER_URL and "
    "PORTAL_PROVIDER_TTS_MODEL."
)
_NOT_CHOSEN = ("ja-jp",)
"""Locales of whose usual script eSpeak NG reads too little: its voice may be assigned, and is not chosen."""


@dataclass(frozen=True, kw_only=True)
class ChosenVoice:
    provider: str
    model: str
    voice_id: str
    name: str
    controls: Controls = field(default_factory=Controls)


def voice_for(locale: str, voice_map: Mapping[str, Sequence[Json]], environment: Environment) -> ChosenVoice:
    """The voice for a locale. Raises Refused where there is none."""
    for key, assignments in voice_map.items():
        if assignments and canonical(key) == locale:
            return _assigned(assignments[0], environment)
    chosen = _chosen(locale, environment)
    if chosen is None:
        raise Refused(NO_VOICE if not ability(environment).voices else f"No voice here speaks {locale}.")
    return chosen


def voice_of_take(take: Take, locale: str, environment: Environment) -> ChosenVoice | None:
    """The voice that spoke a take, without its controls; the portal's choice where it is gone."""
    named = {(espeak.PROVIDER, voice.name): voice.voice_id for voice in espeak.VOICES if espeak.is_here()}
    if neural.is_here():
        named[neural.PROVIDER, neural.NAME] = neural.VOICE_ID
    if _provider_model(environment) is not None:
        named |= {(voice.provider, voice.name): voice.provider_voice_id for voice in environment.voices}
        named[PROVIDER, PROVIDER_VOICE] = PROVIDER_VOICE
    voice_id = named.get((take.provider, take.voice))
    if voice_id is None:
        return _chosen(locale, environment)
    return ChosenVoice(provider=take.provider, model=take.model, voice_id=voice_id, name=take.voice)


def ability(environment: Environment) -> Ability:
    """What can speak here: nothing at all is no locales, no voices and NO_VOICE."""
    voices: set[tuple[str, str, str]] = set()
    if espeak.is_here():
        voices |= {(espeak.PROVIDER, espeak.MODEL, voice.voice_id) for voice in espeak.VOICES}
    if neural.is_here():
        voices.add((neural.PROVIDER, neural.MODEL, neural.VOICE_ID))
    if _provider_model(environment) is not None:
        voices |= {
            (voice.provider, model, voice.provider_voice_id)
            for voice in environment.voices
            for model in voice.models
        }
    locales = frozenset(locale for locale in LOCALES if _chosen(locale, environment) is not None)
    nothing = NO_VOICE if not voices and not locales else None
    return Ability(unavailable=nothing, locales=locales, voices=frozenset(voices))


def _assigned(assignment: Json, environment: Environment) -> ChosenVoice:
    wanted = assignment["provider"], assignment["model"], assignment["voice_id"]
    if wanted not in (ability(environment).voices or ()):
        raise Refused(f"The voice {wanted[2]} of {wanted[0]} is not here: {_missing(wanted[0])}")
    return ChosenVoice(
        provider=wanted[0],
        model=wanted[1],
        voice_id=wanted[2],
        name=_name_of(wanted[0], wanted[2], environment),
        controls=Controls.of(assignment),
    )


def _missing(provider: str) -> str:
    match provider:
        case espeak.PROVIDER:
            return "install the Debian package espeak-ng, and choose one of its voices."
        case neural.PROVIDER:
            return "install the extra speech, and choose its voice heart."
        case _:
            return "PORTAL_PROVIDER_VOICES must name it, and PORTAL_PROVIDER_TTS_MODEL must be set."


def _name_of(provider: str, voice_id: str, environment: Environment) -> str:
    if provider == neural.PROVIDER:
        return neural.NAME
    if provider == espeak.PROVIDER:
        return next(voice.name for voice in espeak.VOICES if voice.voice_id == voice_id)
    named = (voice for voice in environment.voices if voice.provider == provider)
    return next(voice.name for voice in named if voice.provider_voice_id == voice_id)


def _chosen(locale: str, environment: Environment) -> ChosenVoice | None:
    if (model := _provider_model(environment)) is not None:
        if not environment.voices:
            return ChosenVoice(provider=PROVIDER, model=model, voice_id=PROVIDER_VOICE, name=PROVIDER_VOICE)
        for voice in environment.voices:
            if locale in voice.languages:
                return ChosenVoice(
                    provider=voice.provider,
                    model=model if model in voice.models else voice.models[0],
                    voice_id=voice.provider_voice_id,
                    name=voice.name,
                )
    if locale == neural.LOCALE and neural.is_here():
        voice_id = neural.VOICE_ID
        return ChosenVoice(provider=neural.PROVIDER, model=neural.MODEL, voice_id=voice_id, name=neural.NAME)
    if espeak.is_here() and locale not in _NOT_CHOSEN:
        first = next(voice for voice in espeak.VOICES if voice.locale == locale)
        return ChosenVoice(
            provider=espeak.PROVIDER, model=espeak.MODEL, voice_id=first.voice_id, name=first.name
        )
    return None


def _provider_model(environment: Environment) -> str | None:
    """The model with which the provider speaks; None if it does not."""
    return environment.provider.speech_model if environment.provider is not None else None
