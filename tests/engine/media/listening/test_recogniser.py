"""What is said is heard by a real model on this machine, or by the provider."""

import itertools
from pathlib import Path

import pytest

from portal.engine.contract import Cancelled, Outage
from portal.engine.environment import Environment, ProviderSettings
from portal.engine.media.listening import recogniser as recognition
from portal.engine.media.listening.recogniser import NOT_SET_UP, listen, why_not
from tests.engine.conftest import Speak
from tests.engine.provider_server import ProviderServer, reply, reply_json
from tests.engine.step_context import StepContext, item
from tests.engine.takes import take_of


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    return StepContext(tmp_path)


def test_a_model_on_this_machine_listens_to_each_take(
    context: StepContext, spoken: Speak, recogniser: Path
) -> None:
    context.environment = Environment(recogniser=recogniser)
    items = [
        spoken(context, "Please restart the machine before you continue."),
        spoken(context, "Guten Tag.", voice="de", locale="de-de", line=1),
        item("No audio.", line=2, take=take_of(context, b"<html>")),
        spoken(context, "Welcome to the portal.", line=3, locale="en-gb"),
    ]
    found = listen(items, context)
    first, german, broken, last = found.heard
    assert first.text is not None
    assert "restart the machine" in first.text.lower()
    assert (german.text, german.reason) == (None, "The speech recognition model understands English only.")
    assert (broken.text, broken.reason) == (
        None,
        "The speech recognition model cannot listen to this audio.",
    )
    assert last.text is not None
    assert "portal" in last.text.lower()
    assert found.model == f"faster-whisper {recogniser.name}"
    assert found.usage.audio_ms == 4_000
    assert found.usage.processor_seconds > 0
    assert found.usage.provider_calls == 0
    assert context.progressed == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert list(context.folder.iterdir()) == []


def test_a_cancelled_step_stops_listening(context: StepContext, spoken: Speak, recogniser: Path) -> None:
    calls = itertools.count()
    context.environment = Environment(recogniser=recogniser)
    items = [spoken(context, "Welcome to the portal.")]
    context.is_cancelled = lambda: next(calls) > 2
    with pytest.raises(Cancelled):
        listen(items, context)
    assert list(context.folder.iterdir()) == []


def test_a_model_that_cannot_be_loaded_is_said_so_of_each_line(
    context: StepContext, recogniser: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / recognition.MODEL_FILE).write_bytes(b"no model")
    context.environment = Environment(recogniser=folder)
    found = listen([item("Hello.", take=take_of(context, b"x"))] * 2, context)
    assert [each.text for each in found.heard] == [None, None]
    assert {each.reason for each in found.heard} == {
        "The speech recognition ended with code 1 on this line or one before it."
    }
    assert "speech recognition ended with code 1" in context.logged[0]


def test_without_a_model_the_provider_listens(context: StepContext, provider: ProviderServer) -> None:
    context.environment = Environment(provider=provider.settings())
    provider.answer = reply_json({"text": "Hallo." + "x" * 30_000})
    items = [item("Hallo.", "de-de", line, take=take_of(context, b"sound", "audio/ogg")) for line in (0, 1)]
    found = listen(items, context)
    assert found.heard[0].text is not None
    assert found.heard[0].text.startswith("Hallo.")
    assert len(found.heard[0].text) == recognition.MAX_TRANSCRIPT
    assert (found.model, found.usage.provider_calls) == ("listens", 2)
    assert b'name="language"\r\n\r\nde\r\n' in provider.asked[0].body
    assert b'filename="audio.ogg"' in provider.asked[0].body
    keys = [asked.headers["idempotency-key"] for asked in provider.asked]
    assert len(set(keys)) == 2


def test_a_provider_that_fails_is_no_verdict(context: StepContext, provider: ProviderServer) -> None:
    context.environment = Environment(provider=provider.settings())
    provider.answer = reply(503, b"")
    with pytest.raises(Outage):
        listen([item("Hello.", take=take_of(context, b"sound"))], context)


def test_what_a_provider_refuses_to_hear_is_said_of_the_line(
    context: StepContext, provider: ProviderServer
) -> None:
    context.environment = Environment(provider=provider.settings())
    provider.answer = reply_json({"error": {"message": "Audio is too short."}}, 400)
    [heard] = listen([item("Hello.", take=take_of(context, b"sound"))], context).heard
    assert heard.text is None
    assert heard.reason == "The provider refused the request (400): Audio is too short."


@pytest.mark.parametrize(
    "environment", [Environment(), Environment(provider=ProviderSettings(url="http://localhost/v1"))]
)
def test_where_nothing_listens_each_line_says_what_to_set(
    context: StepContext, environment: Environment
) -> None:
    assert why_not(environment) == NOT_SET_UP
    context.environment = environment
    found = listen([item("Hello.", take=take_of(context, b"sound"))], context)
    assert [(each.text, each.reason) for each in found.heard] == [(None, NOT_SET_UP)]
    assert found.model is None


def test_a_folder_without_a_model_is_named(recogniser: Path, tmp_path: Path) -> None:
    assert why_not(Environment(recogniser=recogniser)) is None
    assert why_not(Environment(recogniser=tmp_path)) == (
        "PORTAL_ASR_MODEL must name a folder with the file model.bin of a Whisper model."
    )
