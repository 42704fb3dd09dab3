"""Word accuracy: what is heard against what is written."""

import itertools
from pathlib import Path

import pytest

from portal.engine.environment import Environment
from portal.engine.handlers.error_rate import ErrorRateValidator
from portal.engine.media.listening.recogniser import NOT_SET_UP
from tests.engine.conftest import Speak
from tests.engine.provider_server import ProviderServer, reply_json
from tests.engine.step_context import StepContext, item, step
from tests.engine.takes import take_of

SLUG = "validator_error_rate"
SENTENCES = (
    "Welcome to the portal. Every run is listed here, with its steps and their results.",
    "Please restart the machine before you continue.",
    "In 2019 there were 23 of them, 50% more than the year before.",
    "A validator listens to each line, and sends it back when a word is wrong.",
)


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    return StepContext(tmp_path)


def test_the_default_voices_are_understood(context: StepContext, spoken: Speak, recogniser: Path) -> None:
    context.environment = Environment(recogniser=recogniser)
    voices = itertools.cycle(["en-us", "en-us+f3"])
    items = [
        spoken(context, text, voice=voice, line=line)
        for line, (text, voice) in enumerate(zip(SENTENCES, voices, strict=False))
    ]
    verdicts = ErrorRateValidator().run(step(SLUG, items), context).verdicts
    rates = [verdict.wer for verdict in verdicts if verdict.wer is not None]
    assert len(rates) == len(SENTENCES)
    assert sum(rates) / len(rates) < 0.25


def test_a_voice_that_says_something_else_is_refused(
    context: StepContext, spoken: Speak, recogniser: Path
) -> None:
    context.environment = Environment(recogniser=recogniser)
    items = [spoken(context, SENTENCES[0], said="The weather will be cold and windy in the north tomorrow.")]
    [verdict] = ErrorRateValidator().run(step(SLUG, items), context).verdicts
    assert verdict.passed is False
    assert verdict.score is not None
    assert verdict.score < 50
    assert verdict.scored_on is not None
    assert verdict.transcript is not None
    assert "weather" in verdict.transcript.lower()


@pytest.mark.parametrize(
    ("heard", "score", "passed"),
    [
        ("one two three four five six seven eight nine ten", 100, True),
        ("one two three four five six seven eight nine", 90, False),
        ("", 0, False),
        ("no " * 50, 0, False),
    ],
)
def test_the_score_is_a_hundred_less_the_error_rate(
    context: StepContext, provider: ProviderServer, heard: str, score: float, passed: bool
) -> None:
    context.environment = Environment(provider=provider.settings())
    provider.answer = reply_json({"text": heard})
    items = [item("1 2 3 4 5 6 7 8 9 10", take=take_of(context, b"sound"))]
    done = ErrorRateValidator().run(step(SLUG, items), context)
    [verdict] = done.verdicts
    assert (verdict.score, verdict.passed) == (score, passed)
    assert verdict.transcript == heard.strip()
    assert verdict.scored_on == "listens"
    assert verdict.error_counts is not None
    assert verdict.error_counts.keys() == {"substitutions", "insertions", "deletions", "reference_units"}
    assert verdict.error_counts["reference_units"] == 10
    assert done.result["mean_score"] == score
    assert done.usage.provider_calls == 1


def test_a_score_on_the_threshold_passes(context: StepContext, provider: ProviderServer) -> None:
    """Of 100 words 7 are wrong, which is 92.99999999999999 to a computer that does not round."""
    words = " ".join(["yes"] * 93)
    context.environment = Environment(provider=provider.settings())
    provider.answer = reply_json({"text": words + " no" * 7})
    items = [item(words + " yes" * 7, take=take_of(context, b"sound"))]
    [verdict] = ErrorRateValidator().run(step(SLUG, items, threshold=93), context).verdicts
    assert (verdict.score, verdict.passed) == (93, True)


def test_a_line_without_words_is_not_judged(context: StepContext, provider: ProviderServer) -> None:
    context.environment = Environment(provider=provider.settings())
    provider.answer = reply_json({"text": "Hm."})
    [verdict] = (
        ErrorRateValidator().run(step(SLUG, [item("…", take=take_of(context, b"s"))]), context).verdicts
    )
    assert (verdict.passed, verdict.score) == (None, None)
    assert verdict.reason == "There is no word in this line."


def test_without_recognition_every_line_says_so(context: StepContext) -> None:
    done = ErrorRateValidator().run(step(SLUG, [item("Hello.", take=take_of(context, b"s"))]), context)
    assert [(each.passed, each.score, each.reason) for each in done.verdicts] == [(None, None, NOT_SET_UP)]
    assert done.result["reasons"] == [NOT_SET_UP]
    assert ErrorRateValidator().ability(Environment()).unavailable == NOT_SET_UP
