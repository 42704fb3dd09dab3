"""eSpeak NG as a program: text on its standard input, a voice of our own table, a process for each line."""

import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from portal.engine.contract import Item, Refused
from portal.engine.media import markup
from portal.engine.media.children import ChildFailed, Children, Limits
from portal.engine.media.markup import Element, Part
from portal.engine.media.sound import NotSound, Sound, decode
from portal.engine.media.speakers.ipa import phoneme_names
from portal.speech import espeak

WORDS_PER_MINUTE = 175
SLOWEST, FASTEST = 80, 450
_LIMITS = Limits(seconds=120, memory_bytes=512 * 1024**2, file_bytes=64 * 1024**2)
_KANA = "write it in kana."
_PHONEME_INPUT = re.compile(r"\[(?=\[)")
_FILE = "speech.wav"


class Espeak:
    """Speaks with the program for one step."""

    def __init__(self, children: Children) -> None:
        program = shutil.which(espeak.PROVIDER)
        if program is None:
            raise Refused(f"{espeak.NAME} is not installed here: install the Debian package espeak-ng.")
        self._program = program
        self._children = children
        self._names: dict[tuple[str, str], str | None] = {}

    def speak(self, item: Item, voice_id: str, speed: float | None) -> Sound | None:
        """The sound of an item; None if nothing in it is spoken. Raises Refused, and what the step raises."""
        voice = voice_of(voice_id)
        if not _can_read(item.text, voice.locale):
            raise Refused(f"{espeak.NAME} cannot read line {item.line + 1} in {voice.locale}: {_KANA}")
        arguments = ["-b", "1", "-v", voice.voice_id, "-w", _FILE, "--stdin"]
        if speed is not None:
            arguments += ["-s", str(round(min(max(WORDS_PER_MINUTE * speed, SLOWEST), FASTEST)))]
        if item.markup is None:
            given = _plain(item.text)
        else:
            arguments.append("-m")
            given = self._written(markup.parse(item.markup), voice.voice_id)
        with self._children.folder() as folder:
            try:
                self._children.run(self._program, arguments, given.encode(), folder, _LIMITS)
            except ChildFailed as failure:
                raise Refused(f"{espeak.NAME} could not speak line {item.line + 1}: it {failure}.") from None
            return _sound(folder / _FILE, item)

    def _written(self, parts: Sequence[Part], voice_id: str) -> str:
        """SSML as the program reads it. Its entities may not become tags: what looks like one is left out."""
        return "".join(
            _plain_in_markup(part) if isinstance(part, str) else self._element(part, voice_id)
            for part in parts
        )

    def _element(self, element: Element, voice_id: str) -> str:
        content = self._written(element.content, voice_id)
        match element.name:
            case "phoneme":
                names = self._names_of(element.attributes["ph"], voice_id)
                return content if names is None else f"[[{names}]]"
            case "sub":
                return content if content.startswith("[[") else _plain_in_markup(element.attributes["alias"])
            case _:
                return markup.tagged(element, content)

    def _names_of(self, ipa: str, voice_id: str) -> str | None:
        if (ipa, voice_id) not in self._names:
            self._names[ipa, voice_id] = phoneme_names(ipa, partial(self._pronounced, voice_id))
        return self._names[ipa, voice_id]

    def _pronounced(self, voice_id: str, names: str) -> str:
        arguments = ["-q", "--ipa", "-b", "1", "-v", voice_id, "--stdin"]
        with self._children.folder() as folder:
            try:
                return self._children.run(
                    self._program, arguments, f"[[{names}]]\n".encode(), folder, _LIMITS
                ).decode(errors="replace")
            except ChildFailed:
                return ""


def voice_of(voice_id: str) -> espeak.EspeakVoice:
    """A voice of our table. Raises Refused."""
    found = next((voice for voice in espeak.VOICES if voice.voice_id == voice_id), None)
    if found is None:
        raise Refused(f"{espeak.NAME} has no voice of this name here.")
    return found


def _can_read(text: str, locale: str) -> bool:
    """Japanese is full of what the program calls a Chinese letter; elsewhere foreign letters are rare."""
    return not locale.startswith("ja") or not any(map(str.isalpha, text)) or espeak.is_readable(text, locale)


def _plain(text: str) -> str:
    """Text without double brackets, in which the program reads phoneme names, and without controls."""
    return _PHONEME_INPUT.sub("[ ", " ".join(text.split()))


def _plain_in_markup(text: str) -> str:
    spaces = " " if text[:1].isspace() else "", " " if text[-1:].isspace() and text.strip() else ""
    cleaned = _plain(text.replace("<", " ").replace(">", " ").replace("&", " & "))
    return f"{spaces[0]}{cleaned.replace('&', '&amp;')}{spaces[1]}"


def _sound(file: Path, item: Item) -> Sound | None:
    try:
        sound = decode(file.read_bytes())
    except FileNotFoundError:
        return None
    except NotSound as error:
        raise Refused(f"What {espeak.NAME} said in line {item.line + 1} {error}.") from None
    return sound if sound.samples.any() else None
