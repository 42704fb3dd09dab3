"""What a recogniser understands of audio, for tests that listen."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path


def heard(recogniser: Path, sounds: Sequence[bytes]) -> Iterator[str]:
    """The English of each of these files."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(recogniser), device="cpu", compute_type="int8", local_files_only=True)
    for sound in sounds:
        segments, _ = model.transcribe(io.BytesIO(sound), language="en")
        yield " ".join(segment.text for segment in segments)


def words(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))
