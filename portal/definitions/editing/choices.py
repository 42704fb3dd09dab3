"""What people choose a locale and voices from, whatever spelling or voice is stored."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from portal.definitions.locales import FAMILIES, LOCALES, canonical, display_name, folded
from portal.input.bodies import strict_json

Option = tuple[str, str]
"""A value, and what people read."""

MAX_VOICES = 500
"""Voices that are offered for a locale."""


def locale_options(chosen: str, *, families: bool) -> list[Option]:
    """Every locale, and with `families` every language; the chosen one in its own spelling."""
    codes = [*sorted(FAMILIES), *LOCALES] if families else LOCALES
    spelled = folded(chosen)
    return [(chosen if code == spelled else code, display_name(code)) for code in codes]


def locale_boxes(chosen: Sequence[str]) -> list[Option]:
    """Every locale, the chosen ones in their own spelling, and what was chosen beside them."""
    spelled = {canonical(each): each for each in reversed(chosen)}
    boxes = [(spelled.get(code, code), display_name(code)) for code in LOCALES]
    return [*boxes, *((each, each) for each in chosen if each not in dict(boxes))]


@dataclass(frozen=True, kw_only=True)
class VoiceOption:
    """A voice that can be assigned."""

    provider: str
    model: str
    voice_id: str
    name: str
    locales: Sequence[str]
    catalog_id: str
    sample: str | None
    """The address of a clip."""


@dataclass(frozen=True, kw_only=True)
class VoiceChoice:
    """One choice of a voice for a locale."""

    chosen: str
    options: Sequence[Option]
    sample: str | None
    """The address of a clip of what is chosen."""


@dataclass(frozen=True, kw_only=True)
class VoiceChoices:
    """The voices that a node may speak with."""

    locales: Sequence[str]
    """Those whose lines reach the node."""
    voices: Sequence[VoiceOption]

    @staticmethod
    def understands(value: object) -> bool:
        """Whether it is a map of locales to assignments, as the contract has it (part 2, 4.3)."""
        return isinstance(value, dict) and all(
            each is None or (isinstance(each, list) and all(map(_is_assignment, each)))
            for each in value.values()
        )

    def groups(self, value: Mapping[str, object]) -> Iterator[tuple[str, Sequence[VoiceChoice]]]:
        """For each locale its name and its choices: those that are assigned, and one more."""
        for locale in self._keys(value):
            assigned = _assignments(value.get(locale))
            yield (
                display_name(locale),
                [self._choice(locale, number, each) for number, each in enumerate([*assigned, None])],
            )

    def assigned(self, sent: Sequence[str], value: Mapping[str, object]) -> dict[str, object]:
        """The map that the choices mean; what was assigned before keeps its further values."""
        chosen: dict[str, list[tuple[str, ...]]] = {}
        for locale, *names in filter(None, map(_decoded, sent)):
            chosen.setdefault(locale, [])
            if names:
                chosen[locale].append(tuple(names))
        result: dict[str, object] = {}
        for locale in [*value, *(each for each in chosen if each not in value)]:
            before = _assignments(value.get(locale))
            known = {_identity(each): each for each in reversed(before)}
            found = [known.get(each) or self._assignment(each) for each in chosen.get(locale, ())]
            if found or (locale in value and not before):
                result[locale] = found or value[locale]
        return result

    def _keys(self, value: Mapping[str, object]) -> list[str]:
        there = {canonical(key) for key in value}
        return [*value, *(each for each in self.locales if each not in there)]

    def _choice(self, locale: str, number: int, assignment: Mapping[str, object] | None) -> VoiceChoice:
        nothing = "Remove" if assignment else "One more voice" if number else "Chosen automatically"
        spoken = canonical(locale) or locale
        found = [each for each in self.voices if spoken in each.locales][:MAX_VOICES]
        options = [(_encoded(locale, number), nothing)]
        options += [(_encoded(locale, number, *_names(each)), self._label(each, found)) for each in found]
        chosen = _encoded(locale, number, *(_identity(assignment) if assignment else ()))
        if assignment and chosen not in dict(options):
            name = assignment.get("voice_name") or assignment["voice_id"]
            options.append((chosen, f"{name} ({assignment['provider']}, not known here)"))
        samples = {_encoded(locale, number, *_names(each)): each.sample for each in found}
        return VoiceChoice(chosen=chosen, options=options, sample=samples.get(chosen))

    def _label(self, voice: VoiceOption, beside: Sequence[VoiceOption]) -> str:
        models = {each.model for each in beside if each.catalog_id == voice.catalog_id}
        return f"{voice.name} ({voice.provider}{f', {voice.model}' if len(models) > 1 else ''})"

    def _assignment(self, names: tuple[str, ...]) -> dict[str, str]:
        provider, model, voice_id = names
        known = next((each for each in self.voices if _names(each) == names), None)
        more = {"voice_name": known.name, "catalog_voice_id": known.catalog_id} if known else {}
        return {"voice_id": voice_id, "provider": provider, "model": model, **more}


def _assignments(value: object) -> list[Mapping[str, object]]:
    return value if isinstance(value, list) else []


def _is_assignment(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(key), str) for key in ("provider", "model", "voice_id")
    )


def _identity(assignment: Mapping[str, object]) -> tuple[str, ...]:
    return str(assignment["provider"]), str(assignment["model"]), str(assignment["voice_id"])


def _names(voice: VoiceOption) -> tuple[str, ...]:
    return voice.provider, voice.model, voice.voice_id


def _encoded(locale: str, number: int, *names: str) -> str:
    return json.dumps([locale, number, *names])


def _decoded(text: str) -> tuple[str, ...] | None:
    """The locale, and provider, model and voice if one is chosen; None for anything else."""
    try:
        parts = strict_json(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list) or len(parts) not in (2, 5):
        return None
    locale, _, *names = parts
    return (locale, *names) if all(isinstance(each, str) for each in (locale, *names)) else None
