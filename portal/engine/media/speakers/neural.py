"""The neural voice of the extra `speech`: American English, quick on a processor, offline.

Its package has other voices too, which it would download: they are not offered.
"""

import importlib.util
from collections.abc import Iterator, Sequence

from portal.engine.contract import Item, Refused
from portal.engine.media import markup
from portal.engine.media.children import ChildFailed, Children, Limits
from portal.engine.media.children.neural_speech import speak
from portal.engine.media.sound import NotSound, Sound, decode

PROVIDER, MODEL, VOICE_ID = "hibari", "hibari", "heart"
NAME = "Heart"
LOCALE = "en-us"
SLOWEST, FASTEST = 0.5, 2.0
_LIMITS = Limits(seconds=3600, memory_bytes=4 * 1024**3, file_bytes=64 * 1024**2)


def is_here() -> bool:
    """Whether the packages of the extra are installed."""
    return importlib.util.find_spec("hibari") is not None


def sounds(
    lines: Sequence[tuple[Item, float | None, int | None]], children: Children
) -> Iterator[Sound | None]:
    """The sound of each item with its speed and seed in turn; None where nothing can be spoken.

    Raises Refused, and what the step raises.
    """
    wanted = [
        (
            item.text if item.markup is None else markup.spoken_text(item.markup),
            min(max(1.0 if speed is None else speed, SLOWEST), FASTEST),
            0 if seed is None else abs(seed),
        )
        for item, speed, seed in lines
    ]
    with children.folder() as folder:
        try:
            for file in children.stream(speak, VOICE_ID, wanted, "{}.wav", folder=folder, limits=_LIMITS):
                yield decode((folder / file).read_bytes()) if file is not None else None
        except (ChildFailed, NotSound) as failure:
            raise Refused(f"The voice {NAME} could not speak: it {failure}.") from None
