"""The sounds of a text, as eSpeak NG would say it, and how far those of two texts differ."""

import re
import shutil
import unicodedata
from dataclasses import dataclass

import jiwer

from portal.engine.media.children import Children, Limits
from portal.speech import espeak

MAX_CHARACTERS = 20_000
NOT_INSTALLED = f"{espeak.NAME}, which knows how words sound, is not here: install the package espeak-ng."
_LIMITS = Limits(seconds=30, memory_bytes=512 * 2**20, output_bytes=2**20)
_LANGUAGE_SWITCH = re.compile(r"\([a-z0-9-]+\)")
_STRESS = "ˈˌ"
_VOICES = {voice.locale: voice.voice_id for voice in reversed(espeak.VOICES)}


class NoSounds(Exception):
    """The sounds of a text are not known; the message says why."""


@dataclass(frozen=True, kw_only=True)
class SoundErrors:
    substitutions: int
    insertions: int
    deletions: int
    sounds: int
    """Of the script."""

    @property
    def rate(self) -> float:
        """Wrong sounds to sounds of the script."""
        return (self.substitutions + self.insertions + self.deletions) / self.sounds


def sounds_of(text: str, locale: str, children: Children) -> str:
    """The IPA of a text, without stress, spaces and punctuation. Raises NoSounds, ChildFailed."""
    program = shutil.which(espeak.PROVIDER)
    if program is None:
        raise NoSounds(NOT_INSTALLED)
    if len(text) > MAX_CHARACTERS:
        raise NoSounds(f"This line has more than {MAX_CHARACTERS:,} characters.")
    if not espeak.is_readable(text, locale):
        raise NoSounds(f"{espeak.NAME} cannot read this line in {locale}.")
    arguments = ["-q", "--ipa", "-b", "1", "-v", _VOICES[locale], "--stdin"]
    with children.folder() as folder:
        said = children.run(program, arguments, text.encode(), folder, _LIMITS)
    ipa = _LANGUAGE_SWITCH.sub("", said.decode(errors="replace"))
    return "".join(
        character
        for character in unicodedata.normalize("NFD", ipa)
        if unicodedata.category(character)[0] in "LM" and character not in _STRESS
    )


def compare(script: str, transcript: str) -> SoundErrors:
    """How the sounds of a transcript differ from those of a script, which has some."""
    found = jiwer.process_characters(script, transcript)
    return SoundErrors(
        substitutions=found.substitutions,
        insertions=found.insertions,
        deletions=found.deletions,
        sounds=found.hits + found.substitutions + found.deletions,
    )
