"""Export: which takes are delivered."""

from dataclasses import replace
from pathlib import Path

from portal.engine.contract import StoredFile, Take
from portal.engine.handlers.sink_preview import SinkPreview
from tests.engine.step_context import StepContext, item, step

TAKE = Take(
    audio=StoredFile("00", 10, "audio/flac"),
    duration_ms=1200,
    voice="Low",
    provider="p",
    model="m",
    position=0,
)


def test_each_take_is_delivered_once(tmp_path: Path) -> None:
    first = item("One.", take=TAKE)
    rewritten = replace(first, text="One!")
    again = replace(first, take=replace(TAKE, position=1))
    same_sound = item("One.", "en-gb", line=2, take=TAKE)
    given = [first, rewritten, again, same_sound]
    out = SinkPreview().run(step("sink_preview", given, format="mp3"), StepContext(tmp_path))
    assert out.delivered == [first, again, same_sound]
    assert out.items == out.files == ()
    assert out.result == {
        "lines": 3,
        "duration_ms": 3600,
        "locales": {"en-us": {"lines": 2, "duration_ms": 2400}, "en-gb": {"lines": 1, "duration_ms": 1200}},
        "format": "mp3",
    }
