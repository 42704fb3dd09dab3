"""The clarity check measures stored audio, and says so where it cannot."""

from pathlib import Path

import numpy as np
import pytest

from portal.engine.contract import Cancelled
from portal.engine.environment import Environment
from portal.engine.handlers.noise import NoiseValidator
from tests.engine.conftest import Speak
from tests.engine.step_context import StepContext, item, step
from tests.engine.takes import flac, take_of

SLUG = "validator_noise"


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    return StepContext(tmp_path)


def test_clear_and_noisy_takes_are_told_apart(context: StepContext, spoken: Speak) -> None:
    noise = np.random.default_rng(1).standard_normal(32_000).astype(np.float32) * 0.05
    items = [
        spoken(context, "Every run is listed here, with its steps and their results."),
        item("Hiss.", line=1, take=take_of(context, flac(noise), "audio/flac")),
    ]
    done = NoiseValidator().run(step(SLUG, items), context)
    clear, noisy = done.verdicts
    assert (clear.passed, clear.reason) == (True, None)
    assert noisy.passed is False
    assert noisy.reason is not None
    assert noisy.reason.startswith("Signal-to-noise ratio 0 dB")
    assert clear.score is not None
    assert noisy.score is not None
    assert clear.score > noisy.score
    assert done.result == {
        "passed": 1,
        "refused": 1,
        "not_judged": 0,
        "mean_score": (clear.score + noisy.score) / 2,
        "reasons": [],
    }
    assert done.usage.audio_ms == 2_000
    assert context.progressed[-1] == (2, 2)


def test_the_threshold_of_the_node_decides(context: StepContext) -> None:
    noise = np.random.default_rng(1).standard_normal(32_000).astype(np.float32) * 0.05
    items = [item("Hiss.", take=take_of(context, flac(noise), "audio/flac"))]
    [verdict] = NoiseValidator().run(step(SLUG, items, threshold=0), context).verdicts
    assert verdict.passed is True


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (b"<html>", "The audio of this line is not audio that can be decoded."),
        (flac(np.zeros(100, dtype=np.float32)), "The audio of this line is too short to be judged."),
    ],
)
def test_what_cannot_be_measured_is_not_judged(context: StepContext, audio: bytes, reason: str) -> None:
    items = [item("Hello.", take=take_of(context, audio))]
    done = NoiseValidator().run(step(SLUG, items), context)
    [verdict] = done.verdicts
    assert (verdict.passed, verdict.score, verdict.reason) == (None, None, reason)
    assert done.result["reasons"] == [reason]


def test_a_cancelled_step_measures_nothing(context: StepContext) -> None:
    context.is_cancelled = lambda: True
    with pytest.raises(Cancelled):
        NoiseValidator().run(step(SLUG, [item("Hello.", take=take_of(context, b""))]), context)


def test_it_works_everywhere() -> None:
    assert NoiseValidator().ability(Environment()).unavailable is None
