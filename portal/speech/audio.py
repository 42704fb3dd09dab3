"""Audio files: how takes are stored, and what exports make of them."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from portal.speech.audio_types import TYPES, AudioType, Format

_BLOCK_FRAMES = 65_536


class NotAudio(ValueError):
    """A stored file that cannot be decoded."""


def encode(samples: NDArray[np.float32], rate: int, format_: Format, file: BinaryIO) -> None:
    """Write one channel of samples from -1 to 1 to an empty file, and go back to its beginning."""
    kind = TYPES[format_]
    target = _rate(rate, kind)
    with _writer(file, target, 1, kind) as written:
        written.write(np.clip(resample(samples, rate, target), -1, 1))
    file.seek(0)


def convert(stored: BinaryIO, format_: Format, file: BinaryIO) -> None:
    """Write stored audio in another format to an empty file, as `encode` does. Raises NotAudio."""
    kind = TYPES[format_]
    try:
        with soundfile.SoundFile(stored) as read:
            target = _rate(read.samplerate, kind)
            with _writer(file, target, read.channels, kind) as written:
                for block in _blocks(read, target):
                    written.write(block)
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        raise NotAudio("A stored file is not audio that can be decoded.") from None
    file.seek(0)


def resample(samples: NDArray[np.float32], rate: int, target: int) -> NDArray[np.float32]:
    """One channel at another rate: the same spectrum, as far as both rates hold it."""
    if rate == target or not len(samples):
        return samples
    length = max(1, round(len(samples) * target / rate))
    spectrum = np.fft.rfft(samples)
    return (np.fft.irfft(spectrum, length) * (length / len(samples))).astype(np.float32)


def _blocks(read: soundfile.SoundFile, target: int) -> Iterator[NDArray[np.float32]]:
    if target == read.samplerate:
        while len(block := read.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
            yield block
    else:  # the whole of it: a block alone has no neighbours
        every = read.read(dtype="float32", always_2d=True)
        yield np.stack([resample(channel, read.samplerate, target) for channel in every.T], axis=1)


def _rate(rate: int, kind: AudioType) -> int:
    """The lowest allowed rate that loses nothing, or the highest."""
    if not kind.rates:
        return rate
    return next((allowed for allowed in kind.rates if allowed >= rate), kind.rates[-1])


def _writer(file: BinaryIO, rate: int, channels: int, kind: AudioType) -> soundfile.SoundFile:
    return soundfile.SoundFile(
        file, "w", samplerate=rate, channels=channels, format=kind.container, subtype=kind.subtype
    )
