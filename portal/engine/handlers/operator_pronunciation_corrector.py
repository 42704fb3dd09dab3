"""Pronunciation Corrector: speaks lines with words of the dictionary again, and keeps the best take."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from portal.definitions.catalog import CATALOG, NodeType
from portal.engine.contract import (
    Ability,
    Context,
    Item,
    Pronunciation,
    StepInput,
    StepOutput,
    Take,
    Usage,
)
from portal.engine.environment import Environment
from portal.engine.media import markup
from portal.engine.media.listening import recogniser
from portal.engine.media.listening.words import NotComparable, difference
from portal.engine.media.markup.dictionary import Found, Marking, Spelling, marked, unmarked
from portal.engine.media.speakers.speech import Speech, Wanted
from portal.engine.media.speakers.voices import ChosenVoice, voice_of_take
from portal.speech import espeak

_MAX_WORDS = 5
"""The longest entry of the dictionary that is looked for, in words."""


@dataclass(frozen=True)
class _Attempt:
    """An item spoken in another way."""

    number: int
    """Of the item in the step."""
    item: Item


class OperatorPronunciationCorrector:
    """Items without a word of the dictionary pass as they are. `seed` changes nothing: nothing is random."""

    node_type: NodeType = CATALOG["operator_pronunciation_corrector"]

    def ability(self, environment: Environment) -> Ability:
        return Ability()

    def run(self, step: StepInput, context: Context) -> StepOutput:
        """Speak each item in the ways that the dictionary offers, and keep the one that is understood best.

        Where nothing can listen, that is the first of them.
        """
        words = {locale: context.pronunciations(locale) for locale in {item.locale for item in step.items}}
        speech = Speech(context)
        attempts = list(_attempts(step, words, speech, context))
        heard, usage, model = _scores(step.items, attempts, context)
        kept: dict[int, Item] = {}
        for number in dict.fromkeys(attempt.number for attempt in attempts):
            ways = [attempt.item for attempt in attempts if attempt.number == number]
            kept[number] = _best(step.items[number], ways, heard)
        corrected = sum(kept[number] is not step.items[number] for number in kept)
        return StepOutput(
            items=[kept.get(number, item) for number, item in enumerate(step.items)],
            result={
                "corrected": corrected,
                "passed_through": len(step.items) - corrected,
                "attempts": len(attempts),
                "chosen_by": model or "order",
                "note": _note(step.items, attempts, model, context),
            },
            usage=_sum(speech.usage(), usage),
        )


def _attempts(
    step: StepInput, words: Mapping[str, Mapping[str, Pronunciation]], speech: Speech, context: Context
) -> Iterator[_Attempt]:
    wanted: list[tuple[int, Item, Wanted]] = []
    for number, item in enumerate(step.items):
        voice = voice_of_take(item.take, item.locale, context.environment) if item.take is not None else None
        if voice is not None:
            ways = _ways(item, voice, words[item.locale])[: step.setting("n_candidates")]
            wanted += [
                (number, way, Wanted(way, voice, f"{way.source}:{way.line}:{way.locale}:{number}:{place}"))
                for place, way in enumerate(ways)
            ]
    takes = speech.takes([each for _, _, each in wanted])
    for done, ((number, way, _), take) in enumerate(zip(wanted, takes, strict=True), 1):
        before = step.items[number].take
        if take is not None and before is not None and take.audio != before.audio:
            yield _Attempt(number, replace(way, take=take))
        context.progress(done, len(wanted))


def _ways(item: Item, voice: ChosenVoice, words: Mapping[str, Pronunciation]) -> list[Item]:
    """The item with other markup, in each way that the voice would say differently."""
    plain = replace(item, markup=unmarked(item), take=None)
    said, ways = {_said(item, voice)}, []
    for spelling in (Spelling.IPA, Spelling.ALIAS):
        found = Found()
        written = marked(plain, words, Marking(max_words=_MAX_WORDS, spelling=spelling), found)
        way = replace(plain, markup=written)
        if found.known and _said(way, voice) not in said:
            said.add(_said(way, voice))
            ways.append(way)
    return ways


def _said(item: Item, voice: ChosenVoice) -> str:
    """What a voice is given to say: only eSpeak NG reads phonemes."""
    if item.markup is None:
        return item.text
    return item.markup if voice.provider == espeak.PROVIDER else markup.spoken_text(item.markup)


def _scores(
    items: Sequence[Item], attempts: Sequence[_Attempt], context: Context
) -> tuple[Mapping[Take, float], Usage, str | None]:
    """How much of each take is misunderstood, as far as somebody listens."""
    numbers = dict.fromkeys(attempt.number for attempt in attempts)
    takes = [*(items[number] for number in numbers), *(attempt.item for attempt in attempts)]
    if not takes or recogniser.why_not(context.environment) is not None:
        return {}, Usage(), None
    hearing = recogniser.listen(takes, context)
    found: dict[Take, float] = {}
    for item, heard in zip(takes, hearing.heard, strict=True):
        if item.take is not None and heard.text is not None:
            try:
                found[item.take] = difference(item.text, heard.text, item.locale).cer
            except NotComparable:
                continue
    return found, hearing.usage, hearing.model


def _best(item: Item, ways: Sequence[Item], scores: Mapping[Take, float]) -> Item:
    """The item or the way that is misunderstood least, of equal ones the earliest; the first way unheard."""
    heard = [each for each in (item, *ways) if each.take is not None and each.take in scores]
    if item not in heard or len(heard) == 1:
        return ways[0]
    return min(heard, key=lambda each: scores[each.take] if each.take is not None else 0.0)


def _note(
    items: Sequence[Item], attempts: Sequence[_Attempt], model: str | None, context: Context
) -> str | None:
    if not attempts and items:
        return "The dictionary offers no other way to say these lines: they pass as they are."
    if attempts and model is None:
        return f"The first other way was kept. {recogniser.why_not(context.environment)}"
    return None


def _sum(first: Usage, second: Usage) -> Usage:
    return Usage(
        provider_calls=first.provider_calls + second.provider_calls,
        characters=first.characters + second.characters,
        audio_ms=first.audio_ms + second.audio_ms,
        processor_seconds=first.processor_seconds + second.processor_seconds,
    )
