"""Audio files: made of samples, and of other audio files."""

import io
from typing import get_args

import numpy as np
import pytest
import soundfile

from portal.speech.audio import NotAudio, convert, encode
from portal.speech.audio_types import TYPES, Format

RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000)


def tone(rate: int, seconds: float = 1, hertz: float = 440) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def strongest(samples: np.ndarray, rate: int) -> float:
    """The frequency of the strongest part, in hertz."""
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[np.abs(np.fft.rfft(samples)).argmax()])


@pytest.mark.parametrize("format_", get_args(Format))
@pytest.mark.parametrize("rate", RATES)
def test_each_format_keeps_pitch_loudness_and_length(format_: Format, rate: int) -> None:
    file = io.BytesIO()
    encode(tone(rate), rate, format_, file)
    samples, found = soundfile.read(file, dtype="float32")
    assert found in (TYPES[format_].rates or (rate,))
    assert len(samples) / found == pytest.approx(1, abs=0.1)
    assert strongest(samples, found) == pytest.approx(440, abs=3)
    assert np.abs(samples[found // 4 : -found // 4]).max() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("stored", ["flac", "opus"])
@pytest.mark.parametrize("format_", ["wav", "mp3"])
@pytest.mark.parametrize("rate", [22_050, 96_000])
@pytest.mark.slow
def test_stored_audio_becomes_what_an_export_asks_for(stored: Format, format_: Format, rate: int) -> None:
    original, file = io.BytesIO(), io.BytesIO()
    encode(tone(rate, 7), rate, stored, original)
    convert(original, format_, file)
    with soundfile.SoundFile(file) as sound:
        assert sound.format == TYPES[format_].container
        samples, found = sound.read(dtype="float32"), sound.samplerate
    assert len(samples) / found == pytest.approx(7, abs=0.1)
    assert strongest(samples, found) == pytest.approx(440, abs=3)


def test_channels_are_kept() -> None:
    original, file = io.BytesIO(), io.BytesIO()
    soundfile.write(original, np.stack([tone(96_000), tone(96_000, hertz=880)], 1), 96_000, format="WAV")
    original.seek(0)
    convert(original, "mp3", file)
    samples, rate = soundfile.read(file, dtype="float32")
    assert [round(strongest(channel, rate), -1) for channel in samples.T] == [440, 880]


def test_samples_that_are_too_loud_are_cut_off() -> None:
    file = io.BytesIO()
    encode(4 * tone(8_000), 8_000, "wav", file)
    samples, _ = soundfile.read(file)
    assert np.abs(samples).max() <= 1


def test_what_is_no_audio_is_refused() -> None:
    with pytest.raises(NotAudio):
        convert(io.BytesIO(b"RIFF, or not"), "wav", io.BytesIO())
