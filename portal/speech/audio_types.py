"""The kinds of audio files that the portal makes."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Format = Literal["flac", "opus", "wav", "mp3"]


class AudioType(NamedTuple):
    """A kind of audio file as soundfile makes it."""

    container: str
    subtype: str
    content_type: str
    extension: str
    rates: tuple[int, ...]
    """Samples a second that it may have; empty for any."""


_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

TYPES: Mapping[Format, AudioType] = {
    "flac": AudioType("FLAC", "PCM_16", "audio/flac", "flac", ()),
    "opus": AudioType("OGG", "OPUS", "audio/ogg", "ogg", _OPUS_RATES),
    "wav": AudioType("WAV", "PCM_16", "audio/wav", "wav", ()),
    "mp3": AudioType("MP3", "MPEG_LAYER_III", "audio/mpeg", "mp3", _MP3_RATES),
}
