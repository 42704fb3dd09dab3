"""Takes of items: each spoken by the voice that was chosen for it, and stored."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from portal.engine.contract import Context, Item, Refused, Take, Usage
from portal.engine.media import markup
from portal.engine.media.children import Children
from portal.engine.media.providers.openai import Provider
from portal.engine.media.sound import Sound
from portal.engine.media.speakers import neural
from portal.engine.media.speakers.espeak_ng import Espeak
from portal.engine.media.speakers.voices import ChosenVoice
from portal.speech import audio, espeak
from portal.speech.audio_types import TYPES


@dataclass(frozen=True)
class Wanted:
    """An item to be spoken."""

    item: Item
    voice: ChosenVoice
    key: str
    """What distinguishes its request to a provider from the others of the step."""


class Speech:
    """Speaks for one step, and counts what that took."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._children = Children(context)
        self._calls = 0
        self._characters = 0
        self.audio_ms = 0

    def usage(self) -> Usage:
        return Usage(
            provider_calls=self._calls,
            characters=self._characters,
            audio_ms=self.audio_ms,
            processor_seconds=self._children.processor_seconds,
        )

    def takes(self, wanted: Sequence[Wanted]) -> Iterator[Take | None]:
        """The take of each in turn; None where nothing can be spoken. Raises StepError, Cancelled."""
        of_neural = neural.sounds(
            [
                (each.item, each.voice.controls.speed, each.voice.controls.seed)
                for each in wanted
                if each.voice.provider == neural.PROVIDER
            ],
            self._children,
        )
        for each in wanted:
            self._context.check()
            match each.voice.provider:
                case neural.PROVIDER:
                    sound = next(of_neural)
                case espeak.PROVIDER:
                    sound = self._espeak.speak(each.item, each.voice.voice_id, each.voice.controls.speed)
                case _:
                    sound = self._by_provider(each)
            yield self._take(each, sound)

    @cached_property
    def _espeak(self) -> Espeak:
        return Espeak(self._children)

    @cached_property
    def _provider(self) -> Provider:
        settings = self._context.environment.provider
        if settings is None:
            raise Refused("No provider is set up: set PORTAL_PROVIDER_URL and PORTAL_PROVIDER_TTS_MODEL.")
        return Provider(settings, self._context)

    def _by_provider(self, wanted: Wanted) -> Sound | None:
        item, voice = wanted.item, wanted.voice
        text = item.text if item.markup is None else markup.spoken_text(item.markup)
        if not any(map(str.isalnum, text)):
            return None
        self._calls += 1
        return self._provider.speak(
            text, voice=voice.voice_id, model=voice.model, key=wanted.key, controls=voice.controls
        )

    def _take(self, wanted: Wanted, sound: Sound | None) -> Take | None:
        if sound is None:
            return None
        self._characters += len(wanted.item.text)
        self.audio_ms += sound.duration_ms
        format_ = self._context.environment.audio_format
        with tempfile.TemporaryFile(dir=self._context.folder) as file:
            audio.encode(sound.samples, sound.rate, format_, file)
            stored = self._context.store(file, TYPES[format_].content_type)
        return Take(
            audio=stored,
            duration_ms=sound.duration_ms,
            voice=wanted.voice.name,
            provider=wanted.voice.provider,
            model=wanted.voice.model,
        )
