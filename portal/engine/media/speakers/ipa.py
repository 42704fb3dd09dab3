"""IPA in the phoneme names of eSpeak NG, which reads no IPA. What it says for them is asked, not assumed."""

import re
import unicodedata
from collections.abc import Callable

_NAMES = {
    "tʃ": "tS",
    "dʒ": "dZ",
    "pf": "pF",
    "eɪ": "eI",
    "aɪ": "aI",
    "ɔɪ": "OI",
    "aʊ": "aU",
    "oʊ": "oU",
    "əʊ": "oU",
    "ɑ̃": "A~",
    "ɛ̃": "E~",
    "ɔ̃": "O~",
    "œ̃": "W~",
    "ɐ̃": "&~",
    "ə": "@",
    "ɐ": "a#",
    "ɚ": "3",
    "ɝ": "3:",
    "ɜ": "3:",
    "ʌ": "V",
    "æ": "a",
    "a": "a",
    "ɑ": "A:",
    "ɒ": "0",
    "ɔ": "O",
    "e": "e",
    "ɛ": "E",
    "i": "i",
    "ɪ": "I",
    "ʊ": "U",
    "u": "u",
    "o": "o",
    "ø": "Y",
    "œ": "W",
    "y": "y",
    "ʃ": "S",
    "ʒ": "Z",
    "θ": "T",
    "ð": "D",
    "ŋ": "N",
    "ɲ": "n^",
    "ʎ": "l^",
    "ç": "C",
    "x": "x",
    "ɣ": "Q",
    "β": "B",
    "ɾ": "*",
    "ɹ": "r",
    "r": "r",
    "ʁ": "r",
    "ʀ": "r",
    "ʔ": "?",
    "ɡ": "g",
    "ˈ": "'",
    "ˌ": ",",
    **{letter: letter for letter in "bdfghjklmnpstvwz"},
}
_LONGEST = max(map(len, _NAMES))
_UNMARKED = str.maketrans({"ɡ": "g", "ː": "", "ˈ": "", "ˌ": ""})
_ALIKE = ("rɹɾʁʀ", "tɾ", "dɾ", "əɐ", "ɪi", "ʊu", "ɚɜɝə")
"""Sounds between which the program, as speakers do, chooses by their place."""
_SKIPPED = re.compile(r"[\s./\[\]()\u0361\u035c‿|-]")


def phoneme_names(ipa: str, pronounced: Callable[[str], str]) -> str | None:
    """The names for a pronunciation; None if the program does not say it so.

    `pronounced` tells what the program says for names, in IPA. Stress and length may differ,
    and sounds that are alike.
    """
    names = _names(unicodedata.normalize("NFC", _SKIPPED.sub("", ipa)))
    return names if names is not None and _is_alike(ipa, pronounced(names)) else None


def _names(ipa: str) -> str | None:
    found, place = [], 0
    while place < len(ipa):
        for length in range(_LONGEST, 0, -1):
            name = _NAMES.get(ipa[place : place + length])
            if name is not None:
                break
        else:
            return None
        place += length
        if ipa[place : place + 1] == "ː":
            place += 1
            name = name if name.endswith(":") else f"{name}:"
        found.append(name)
    return "|".join(found).replace("'|", "'").replace(",|", ",") or None


def _is_alike(wanted: str, said: str) -> bool:
    sounds = [
        _SKIPPED.sub("", unicodedata.normalize("NFC", ipa)).translate(_UNMARKED) for ipa in (wanted, said)
    ]
    return len(sounds[0]) == len(sounds[1]) and all(
        one == other or any(one in alike and other in alike for alike in _ALIKE)
        for one, other in zip(*sounds, strict=True)
    )
