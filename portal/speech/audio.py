"""Audio files: how takes are stored, and what exports make of them."""

from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

BLOCK_FRAMES = 65_536
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


class AudioType(NamedTuple):
    """A kind of audio file as soundfile makes it."""

    container: str
    subtype: str
    content_type: str
    extension: str
    rates: tuple[int, ...]
    """Samples a second that it may have; empty for any."""


TYPES = {
    "flac": AudioType("FLAC", "PCM_16", "audio/flac", "flac", ()),
    "opus": AudioType("OGG", "OPUS", "audio/ogg", "ogg", _OPUS_RATES),
    "wav": AudioType("WAV", "PCM_16", "audio/wav", "wav", ()),
    "mp3": AudioType("MP3", "MPEG_LAYER_III", "audio/mpeg", "mp3", _MP3_RATES),
}
Format = Literal["flac", "opus", "wav", "mp3"]


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
        while len(block := read.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
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
