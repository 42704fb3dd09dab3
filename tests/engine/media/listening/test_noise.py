"""Noise is measured on the samples of real speech with noise of known level."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from portal.engine.media.listening.noise import Noise, measure
from portal.engine.media.sound import Sound, decode
from tests.engine.conftest import Speak
from tests.engine.step_context import StepContext

RATE = 16_000


@pytest.fixture
def speech(tmp_path: Path, spoken: Speak) -> Sound:
    context = StepContext(tmp_path)
    take = spoken(
        context, "The quick brown fox jumps over the lazy dog, again and again. Then it rests."
    ).take
    assert take is not None
    with context.open(take.audio) as content:
        return decode(content.read())


def noisy(sound: Sound, snr_db: float) -> Noise:
    power = sound.samples.var() / 10 ** (snr_db / 10)
    noise = np.random.default_rng(1).standard_normal(len(sound.samples)) * np.sqrt(power)
    return measured((sound.samples + noise).astype(np.float32), sound.rate)


def measured(samples: NDArray[np.float32], rate: int = RATE) -> Noise:
    found = measure(Sound(samples, rate))
    assert found is not None
    return found


def test_the_estimate_follows_the_true_ratio(speech: Sound) -> None:
    for snr in (5, 10, 15, 20, 25, 30, 40):
        assert noisy(speech, snr).snr_db == pytest.approx(snr, abs=3)


def test_more_noise_never_scores_higher(speech: Sound) -> None:
    scores = [noisy(speech, snr).score for snr in (-10, 0, 5, 10, 15, 20, 25, 40)]
    assert all(less < more for less, more in itertools.pairwise(scores[1:]))
    assert scores[0] == 0
    assert scores[-1] == 100


def test_clear_speech_has_all_points(speech: Sound) -> None:
    found = measured(speech.samples, speech.rate)
    assert found.score == 100
    assert found.clipped == 0


def test_clipping_costs_points(speech: Sound) -> None:
    clipped = [
        measured(np.clip(speech.samples * gain, -1, 1).astype(np.float32), speech.rate) for gain in (1, 4, 20)
    ]
    assert [each.clipped for each in clipped] == sorted(each.clipped for each in clipped)
    assert clipped[0].score > clipped[1].score > clipped[2].score
    assert clipped[2].score < 70


def test_a_single_full_sample_is_not_clipped() -> None:
    samples = np.zeros(RATE, dtype=np.float32)
    samples[::100] = 1
    assert measured(samples).clipped == 0
    samples[50:53] = -1
    assert measured(samples).clipped == pytest.approx(3 / RATE)


def test_quiet_speech_costs_points(speech: Sound) -> None:
    quiet = measured((speech.samples * 0.05).astype(np.float32), speech.rate)
    assert 0 < quiet.score < 100


def test_mostly_silence_costs_points(speech: Sound) -> None:
    padded = np.concatenate([speech.samples, np.zeros(4 * len(speech.samples), dtype=np.float32)])
    found = measured(padded, speech.rate)
    assert found.silent > 0.75
    assert 70 < found.score < 90


@pytest.mark.parametrize("constant", [0.0, 0.5])
def test_silence_has_no_points(constant: float) -> None:
    assert measured(np.full(RATE, constant, dtype=np.float32)).score == 0


def test_noise_alone_has_no_points() -> None:
    noise = np.random.default_rng(2).standard_normal(RATE).astype(np.float32) * 0.1
    assert measured(noise).score < 5


@pytest.mark.parametrize("length", [1, 100, RATE // 20])
def test_a_moment_is_too_short_to_be_measured(length: int) -> None:
    assert measure(Sound(np.ones(length, dtype=np.float32), RATE)) is None
