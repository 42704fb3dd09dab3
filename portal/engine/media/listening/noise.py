"""How clear of noise a sound is: measured on its samples, without a model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portal.engine.media.sound import Sound

FRAME_SECONDS = 0.02
MIN_FRAMES = 5
BIAS_DB = 6.0
"""By how much the distance between loud and quiet frames exceeds the ratio of speech to noise: measured with
speech in white noise of known level."""
FLOOR_DB = -100.0
"""The level of digital silence."""
SILENT_DB = -50.0
CLIPPED = 0.985
"""Samples above this are clipped if three or more follow each other."""

BEST_SNR_DB = 30.0
QUIET_DB = -30.0


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What was measured; levels in dB below full scale."""

    snr_db: float
    """Estimated ratio of speech to noise, 0 or more."""
    clipped: float
    """Share of samples that are clipped, from 0 to 1."""
    silent: float
    """Share of frames that are silent."""
    level_db: float
    """Of the loudest twentieth of frames: how loud the speech is."""

    @property
    def score(self) -> float:
        """From 0 to 100.

        The ratio of speech to noise gives 0 points at 0 dB and 100 at 30 dB. Taken off are 10 points for each
        percent of clipped samples, at most 50; 6 points for each tenth by which more than half is silent; and
        2 points for each dB by which speech is quieter than -30 dB. A silent sound has 0 points.
        """
        if self.level_db <= SILENT_DB:
            return 0.0
        points = 100 * min(self.snr_db / BEST_SNR_DB, 1.0)
        points -= min(1000 * self.clipped, 50.0)
        points -= 60 * max(self.silent - 0.5, 0.0)
        points -= 2 * max(QUIET_DB - self.level_db, 0.0)
        return max(points, 0.0)

    def __str__(self) -> str:
        return (
            f"Signal-to-noise ratio {self.snr_db:.0f} dB, level {self.level_db:.0f} dBFS, "
            f"{self.clipped:.1%} clipped, {self.silent:.0%} silent."
        )


def measure(sound: Sound) -> Noise | None:
    """The noise of a sound; None if it is too short to tell speech from noise."""
    length = max(round(sound.rate * FRAME_SECONDS), 1)
    frames = sound.samples[: len(sound.samples) // length * length].reshape(-1, length)
    if len(frames) < MIN_FRAMES:
        return None
    levels = _decibels(frames)
    quiet, loud = np.percentile(levels, [10, 95])
    return Noise(
        snr_db=max(float(loud - quiet) - BIAS_DB, 0.0),
        clipped=_clipped(sound.samples),
        silent=float((levels < SILENT_DB).mean()),
        level_db=float(loud),
    )


def _decibels(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """The level of each frame, without the constant part that some recorders add."""
    power = frames.var(axis=1, dtype=np.float64)
    levels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
    return levels


def _clipped(samples: NDArray[np.float32]) -> float:
    high = np.abs(samples) >= CLIPPED
    middles = high[:-2] & high[1:-1] & high[2:]
    part_of_three = np.zeros_like(high)
    for shift in range(3):
        part_of_three[shift : len(high) - 2 + shift] |= middles
    return float(part_of_three.mean())
