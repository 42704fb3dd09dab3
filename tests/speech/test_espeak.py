"""The default engine: a voice for each locale, and how the program pronounces words."""

import subprocess
from pathlib import Path

import pytest

from portal.definitions.locales import LOCALES
from portal.speech import espeak

needs_program = pytest.mark.skipif(
    not espeak.is_here(), reason="espeak-ng is not installed: apt-get install espeak-ng"
)


def test_every_locale_has_a_voice() -> None:
    assert {voice.locale for voice in espeak.VOICES} == set(LOCALES)
    assert len({voice.voice_id for voice in espeak.VOICES}) == len(espeak.VOICES)


@pytest.mark.slow
@needs_program
def test_the_program_has_every_voice_and_speaks_with_each_differently(tmp_path: Path) -> None:
    spoken = set()
    for voice in espeak.VOICES:
        file = tmp_path / "spoken.wav"
        command = ["espeak-ng", "-v", voice.voice_id, "-w", str(file), "--stdin"]
        subprocess.run(command, input=b"hello, llama zapato cielo rede", check=True)
        spoken.add(file.read_bytes())
    assert len(spoken) == len(espeak.VOICES)


@needs_program
@pytest.mark.parametrize(
    ("word", "locale", "ipa"),
    [
        ("hello", "en-gb", "həlˈəʊ"),
        ("hello", "en-us", "həlˈoʊ"),
        ("Straße", "de-de", "ʃtɾˈɑːsə"),
        ("ñandú", "es-mx", "ɲandˈu"),
        ("北京", "zh-cn", "pˈei2 tɕˈi5ŋ"),
        ("안녕", "ko-kr", "ˈɐnnjʌŋ"),
        ("--help", "en-us", "hˈɛlp"),
    ],
)
def test_a_word_is_pronounced_in_its_language(word: str, locale: str, ipa: str) -> None:
    assert espeak.ipa_of(word, locale) == ipa


@needs_program
@pytest.mark.parametrize(
    ("word", "locale"),
    [("東京", "ja-jp"), ("東京", "en-us"), ("hello", "ko-kr"), ("Привет", "de-de"), ("!!", "en-us")],
)
def test_what_it_would_only_spell_out_is_refused(word: str, locale: str) -> None:
    with pytest.raises(espeak.NoPronunciation, match="cannot read"):
        espeak.ipa_of(word, locale)


def test_without_the_program_nothing_is_pronounced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not espeak.is_here()
    with pytest.raises(espeak.NoPronunciation, match="not installed"):
        espeak.ipa_of("hello", "en-us")


@pytest.mark.slow
@pytest.mark.parametrize("script", ["exit 1", "exec sleep 60", "printf ''"])
def test_a_program_that_fails_hangs_or_says_nothing_is_no_pronunciation(
    script: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin {script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(espeak, "MAX_SECONDS", 1)
    with pytest.raises(espeak.NoPronunciation):
        espeak.ipa_of("hello", "en-us")
