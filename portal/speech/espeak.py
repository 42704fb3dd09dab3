"""eSpeak NG, the default engine: its voices, whether the program is here, and how it pronounces a word.

It is run as a program and never linked: its licence is the GPL. What it is told to speak travels on standard
input, and its voice is one of our own table, never text of a request.
"""

import shutil
import subprocess
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

PROVIDER, MODEL = "espeak-ng", "espeak-ng"
NAME = "eSpeak NG"
ADDED_AT = datetime(2026, 11, 28, tzinfo=UTC)
"""When these voices came into the portal."""
MAX_SECONDS = 5
"""How long the program may take for a word."""

_HIGHER = "+f3"
"""The suffix of a voice that makes it that of a woman, which is ignored after an alias such as en-gb."""
_SCRIPTS = {"ja": ("HIRAGANA", "KATAKANA"), "ko": ("HANGUL",), "zh": ("CJK", "LATIN")}
"""What the program reads in a language, as Unicode names it; in any other language Latin."""


@dataclass(frozen=True)
class EspeakVoice:
    """A voice of the program for one locale."""

    locale: str
    voice_id: str
    """What the program calls it."""
    name: str
    gender: str
    accent: str


_LANGUAGES = (
    ("de-de", "de", "German", "german"),
    ("en-gb", "en", "English (United Kingdom)", "british"),
    ("en-us", "en-us", "English (United States)", "american"),
    ("es-es", "es", "Spanish (Spain)", "spanish"),
    ("es-mx", "es-419", "Spanish (Latin America)", "latin_american"),
    ("fr-fr", "fr", "French", "french"),
    ("ja-jp", "ja", "Japanese", "japanese"),
    ("ko-kr", "ko", "Korean", "korean"),
    ("pt-br", "pt-br", "Portuguese (Brazil)", "latin_american"),
    ("pt-pt", "pt", "Portuguese (Portugal)", "portuguese"),
    # The program's own voice for Chinese, cmn, reads pinyin, and what it makes of characters, as English.
    ("zh-cn", "cmn-latn-pinyin", "Chinese", "chinese"),
)
VOICES = tuple(
    EspeakVoice(locale, voice_id + suffix, f"{name}, {register}", gender, accent)
    for locale, voice_id, name, accent in _LANGUAGES
    for suffix, register, gender in (("", "low", "male"), (_HIGHER, "high", "female"))
)
"""Two voices for each locale."""

_UNREADABLE = f"{NAME} cannot read this in {{locale}}: write it as it is spoken."
_VOICE_OF = {locale: voice_id for locale, voice_id, _, _ in _LANGUAGES}


class NoPronunciation(Exception):
    """The program gives none for this word; the message says why."""


def is_here() -> bool:
    """Whether the program is on this machine."""
    return shutil.which(PROVIDER) is not None


def ipa_of(word: str, locale: str) -> str:
    """How the program pronounces a word in one of our locales, in IPA. Raises NoPronunciation."""
    program = shutil.which(PROVIDER)
    if program is None:
        raise NoPronunciation(f"{NAME} is not installed here, and nothing else gives pronunciations.")
    if not is_readable(word, locale):
        raise NoPronunciation(_UNREADABLE.format(locale=locale))
    command = [program, "-q", "--ipa", "-b", "1", "-v", _VOICE_OF[locale], "--stdin"]
    try:
        done = subprocess.run(  # noqa: S603  (every argument is ours)
            command, input=word.encode(), capture_output=True, env={}, timeout=MAX_SECONDS, check=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise NoPronunciation(f"{NAME} gave no answer: {type(error).__name__}.") from error
    ipa = " ".join(done.stdout.decode(errors="replace").split())
    if not ipa or "(" in ipa:  # where it changed to another language, such as (en)
        raise NoPronunciation(_UNREADABLE.format(locale=locale))
    return ipa


def is_readable(text: str, locale: str) -> bool:
    """Whether every letter is of a script that the program reads: of others it says "Chinese letter"."""
    scripts = _SCRIPTS.get(locale.partition("-")[0], ("LATIN",))
    letters = [character for character in text if character.isalpha()]
    names = [unicodedata.name(letter, "") for letter in letters]
    return any(map(str.isalnum, text)) and all(any(each in name for each in scripts) for name in names)
