"""The pronunciation check: the sounds of what is heard against those of what is written."""

import shutil
from pathlib import Path

import pytest

from portal.engine.environment import Environment
from portal.engine.handlers.pronunciation import PronunciationValidator
from portal.engine.media.listening import phonemes
from portal.engine.media.listening.recogniser import NOT_SET_UP
from tests.engine.provider_server import ProviderServer, reply_json
from tests.engine.step_context import StepContext, item, step
from tests.engine.takes import take_of

SLUG = "validator_pronunciation"
here = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="the program espeak-ng is not installed")


@pytest.fixture
def context(tmp_path: Path, provider: ProviderServer) -> StepContext:
    return StepContext(tmp_path, environment=Environment(provider=provider.settings()))


@here
@pytest.mark.parametrize(
    ("locale", "script", "heard"),
    [
        ("en-us", "I knew the night.", "I new the knight"),
        ("en-us", "There are 23.", "Their are twenty-three"),
        ("de-de", "Wände", "Wende!"),
        ("fr-fr", "vert", "verre"),
    ],
)
@pytest.mark.slow
def test_words_that_sound_alike_are_the_same(
    context: StepContext, provider: ProviderServer, locale: str, script: str, heard: str
) -> None:
    provider.answer = reply_json({"text": heard})
    items = [item(script, locale, take=take_of(context, b"sound"))]
    [verdict] = PronunciationValidator().run(step(SLUG, items), context).verdicts
    assert (verdict.score, verdict.passed, verdict.cer) == (100, True, 0)


@here
@pytest.mark.slow
def test_each_wrong_sound_counts(context: StepContext, provider: ProviderServer) -> None:
    provider.answer = reply_json({"text": "A cat."})
    items = [item("A hat.", take=take_of(context, b"sound"))]
    done = PronunciationValidator().run(step(SLUG, items), context)
    [verdict] = done.verdicts
    assert verdict.passed is False
    assert verdict.error_counts == {
        "substitutions": 1,
        "insertions": 0,
        "deletions": 0,
        "reference_units": 4,
    }
    assert (verdict.score, verdict.cer) == (75, 0.25)
    assert done.usage.processor_seconds > 0
    [twice] = PronunciationValidator().run(step(SLUG, items, k=2), context).verdicts
    assert twice.score == 50


@here
def test_silence_has_no_points(context: StepContext, provider: ProviderServer) -> None:
    provider.answer = reply_json({"text": ""})
    items = [item("A hat.", take=take_of(context, b"sound"))]
    [verdict] = PronunciationValidator().run(step(SLUG, items), context).verdicts
    assert (verdict.score, verdict.transcript) == (0, "")


@here
@pytest.mark.parametrize(
    ("locale", "script"),
    [("ja-jp", "今日は晴れです"), ("en-us", "…"), ("en-us", "привет"), ("en-us", "x" * 20_001)],
)
def test_what_the_program_cannot_read_is_not_judged(
    context: StepContext, provider: ProviderServer, locale: str, script: str
) -> None:
    provider.answer = reply_json({"text": "x"})
    items = [item(script, locale, take=take_of(context, b"sound"))]
    [verdict] = PronunciationValidator().run(step(SLUG, items), context).verdicts
    assert (verdict.passed, verdict.score) == (None, None)
    assert verdict.reason


def test_without_the_program_every_line_says_so(
    context: StepContext, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    items = [item("A hat.", take=take_of(context, b"sound"))]
    [verdict] = PronunciationValidator().run(step(SLUG, items), context).verdicts
    assert (verdict.passed, verdict.reason) == (None, phonemes.NOT_INSTALLED)
    assert provider.asked == []


def test_without_recognition_every_line_says_so(tmp_path: Path) -> None:
    context = StepContext(tmp_path)
    items = [item("A hat.", take=take_of(context, b"sound"))]
    [verdict] = PronunciationValidator().run(step(SLUG, items), context).verdicts
    assert (verdict.passed, verdict.reason) == (None, NOT_SET_UP)
    assert PronunciationValidator().ability(Environment()).unavailable == NOT_SET_UP
