"""IPA in the phoneme names of eSpeak NG: what it says for them is what was wanted."""

import subprocess

import pytest

from portal.engine.media.speakers.ipa import phoneme_names
from portal.speech import espeak

pytestmark = pytest.mark.skipif(not espeak.is_here(), reason="the program espeak-ng is not installed")


def names(ipa: str, voice: str) -> str | None:
    def pronounced(phonemes: str) -> str:
        command = ["espeak-ng", "-q", "--ipa", "-b", "1", "-v", voice, "--stdin"]
        return subprocess.run(
            command, input=f"[[{phonemes}]]\n", text=True, capture_output=True, check=True
        ).stdout

    return phoneme_names(ipa, pronounced)


@pytest.mark.parametrize(
    ("voice", "ipa", "expected"),
    [
        ("en-us", "təˈmɑːtoʊ", "t|@|'m|A:|t|oU"),
        ("en-us", "/ˈɛndʒɪnˌɛks/", "'E|n|dZ|I|n|,E|k|s"),
        ("en", "t͡ʃɜːt͡ʃ", "tS|3:|tS"),
        ("de", "ʃtʁaːsə", "S|t|r|a:|s|@"),
        ("de", "ˈmyːlɐ", None),
        ("fr-fr", "bɔ̃ʒuʁ", "b|O~|Z|u|r"),
        ("es", "ˈseɲoɾ", "'s|e|n^|o|*"),
        ("en-us", "ʘǃ", None),
        ("en-us", "y", None),
        ("en-us", "", None),
    ],
)
def test_names_are_used_only_if_the_program_says_them_so(voice: str, ipa: str, expected: str | None) -> None:
    assert names(ipa, voice) == expected
