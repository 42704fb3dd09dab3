"""The neural English voice of the extra `speech`, in a child process."""

from collections.abc import Iterator, Sequence

import numpy as np
import soundfile


def speak(voice: str, lines: Sequence[tuple[str, float, int]], name: str) -> Iterator[str | None]:
    """Yield the name of a WAV file for each line of text, speed and seed; None if nothing in it is spoken."""
    from hibari import Hibari  # only here: it may be absent where the parent runs

    model = Hibari(voice=voice)
    for number, (text, speed, seed) in enumerate(lines):
        samples = model(text, speed=speed, seed=seed)
        if not samples.any():
            yield None
            continue
        file = name.format(number)
        soundfile.write(file, np.clip(samples, -1, 1), model.sample_rate, subtype="PCM_16")
        yield file
