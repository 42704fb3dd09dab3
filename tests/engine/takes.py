"""Takes whose audio a test made."""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

from portal.engine.contract import Take
from tests.engine.step_context import StepContext


def take_of(context: StepContext, audio: bytes, content_type: str = "audio/wav") -> Take:
    """A take of what is in a file."""
    stored = context.store(io.BytesIO(audio), content_type)
    return Take(audio=stored, duration_ms=1_000, voice="Tester", provider="espeak-ng", model="espeak-ng")


def flac(samples: NDArray[np.float32], rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC")
    return file.getvalue()
