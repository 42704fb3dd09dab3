"""Sound is decoded within bounds, whatever a file says of itself."""

import contextlib
import io
import random

import numpy as np
import pytest
import soundfile

from portal.engine.media.sound import MAX_CHANNELS, NotSound, decode
from tests.engine.provider_server import audio


def written(samples: object, rate: int = 8_000, **options: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **{"format": "WAV", **options})
    return file.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_files_of_every_kind_are_decoded(kind: str) -> None:
    sound = decode(audio(seconds=2, rate=16_000, kind=kind))
    assert sound.rate == 16_000
    assert sound.duration_ms == pytest.approx(2_000, abs=100)
    assert np.abs(sound.samples).max() == pytest.approx(0.5, abs=0.05)


def test_channels_become_one() -> None:
    left, right = np.full(800, 0.5), np.full(800, -0.25)
    assert decode(written(np.stack([left, right], axis=1))).samples == pytest.approx(0.125, abs=1e-3)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"<html>", bytes(1000), audio()[:20]])
def test_what_is_no_audio_is_refused(content: bytes) -> None:
    with pytest.raises(NotSound, match="not audio"):
        decode(content)


def test_a_file_without_samples_is_refused() -> None:
    with pytest.raises(NotSound, match="no sound in it"):
        decode(written(np.zeros(0)))


def test_a_sound_that_is_too_long_is_refused() -> None:
    with pytest.raises(NotSound, match="longer than 600 seconds"):
        decode(written(np.zeros(601 * 1_000), rate=1_000, format="FLAC"))


def test_too_many_channels_are_refused() -> None:
    with pytest.raises(NotSound, match="channels"):
        decode(written(np.zeros((10, MAX_CHANNELS + 1))))


def test_samples_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(NotSound, match="no numbers"):
        decode(written(np.array([0.0, np.nan]), subtype="FLOAT"))


def test_a_length_that_lies_is_not_believed() -> None:
    lying = bytearray(audio())
    lying[4:8] = lying[40:44] = b"\xff\xff\xff\xff"
    assert decode(bytes(lying)).duration_ms == 1_000


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "W64", "CAF"])
def test_broken_files_are_refused_and_nothing_else(kind: str) -> None:
    chance = random.Random(kind)
    whole = audio(seconds=0.3, rate=16_000, kind=kind)
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(chance.choice([1, 5, 20])):
            broken[chance.randrange(min(len(broken), chance.choice([64, len(broken)])))] = chance.randrange(
                256
            )
        with contextlib.suppress(NotSound):
            assert decode(bytes(broken)).rate > 0
