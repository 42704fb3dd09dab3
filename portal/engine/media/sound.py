"""Sound in memory: what a file holds, decoded within bounds."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

MAX_SECONDS = 600
"""Seconds of the longest sound that is decoded."""
MAX_FRAMES = MAX_SECONDS * 48_000
MAX_CHANNELS = 8
_BLOCK = 65_536


class NotSound(ValueError):
    """A file that cannot be decoded within the bounds; the message says why, as the end of a sentence."""


@dataclass(frozen=True, eq=False)
class Sound:
    """One channel of samples from -1 to 1."""

    samples: NDArray[np.float32]
    rate: int
    """Samples a second."""

    @property
    def duration_ms(self) -> int:
        return round(len(self.samples) * 1000 / self.rate)


class _File(io.BytesIO):
    """Stays where it is when it is sent to a place before its beginning, as files that lie do."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def decode(content: bytes) -> Sound:
    """Decode WAV, FLAC, Ogg or MP3; several channels become their mean. Raises NotSound.

    The length that a file states is not believed: decoding ends at MAX_SECONDS or MAX_FRAMES.
    """
    try:
        with soundfile.SoundFile(_File(content)) as file:
            return Sound(_samples(file), file.samplerate)
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        raise NotSound("is not audio that can be decoded") from None


def _samples(file: soundfile.SoundFile) -> NDArray[np.float32]:
    if file.channels > MAX_CHANNELS:
        raise NotSound(f"has more than {MAX_CHANNELS} channels")
    most = min(MAX_FRAMES, MAX_SECONDS * file.samplerate)
    blocks: list[NDArray[np.float32]] = []
    length = 0
    while length <= most and len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        blocks.append(block.mean(axis=1, dtype=np.float32))
        length += len(block)
    if length > most:
        raise NotSound(f"is longer than {MAX_SECONDS} seconds")
    if not length:
        raise NotSound("has no sound in it")
    samples = np.concatenate(blocks)
    if not np.isfinite(samples).all():
        raise NotSound("has samples that are no numbers")
    return samples
