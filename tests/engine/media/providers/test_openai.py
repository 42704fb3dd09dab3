"""The client of a provider, against a server that helps, refuses, stalls, breaks off and lies."""

import io
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from portal import moments
from portal.engine.contract import Billing, Cancelled, Outage, RateLimited, Refused, StepError, TimedOut
from portal.engine.environment import ProviderSettings
from portal.engine.media.providers.openai import MAX_MESSAGE, Bounds, Controls, Message, Provider
from portal.engine.media.sound import Sound
from tests.engine.provider_server import (
    KEY,
    Answer,
    ProviderServer,
    audio,
    message,
    provider_server,
    reply,
    reply_endlessly,
    reply_json,
    reply_raw,
)
from tests.engine.step_context import StepContext

Use = Callable[[Provider], object]


def speak(client: Provider) -> Sound:
    return client.speak("Hello.", voice="anna", model="large", key="line:0")


def transcribe(client: Provider) -> str:
    return client.transcribe(b"sound", "audio/flac", language="en", model="listens", key="line:0")


def chat(client: Provider) -> str:
    return client.chat([Message("system", "Be brief."), Message("user", "Hi")], model="writes", key="line:0")


def models(client: Provider) -> list[str]:
    return client.models()


USES = pytest.mark.parametrize("use", [speak, transcribe, chat, models])


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    return StepContext(tmp_path)


@pytest.fixture
def client(provider: ProviderServer, context: StepContext) -> Provider:
    return Provider(provider.settings(), context)


def test_speech_is_asked_for_and_decoded(provider: ProviderServer, client: Provider) -> None:
    provider.answer = reply(200, audio(seconds=1.5), Content_Type="audio/wav")
    sound = speak(client)
    assert (sound.duration_ms, sound.rate) == (1500, 8_000)
    assert 0.45 < np.abs(sound.samples).max() <= 0.51
    [asked] = provider.asked
    assert (asked.method, asked.path) == ("POST", "/v1/audio/speech")
    assert asked.json == {"model": "large", "input": "Hello.", "voice": "anna", "response_format": "wav"}
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["idempotency-key"] == "step:line:0"
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
def test_speech_in_another_format_than_asked_for_is_decoded(
    provider: ProviderServer, client: Provider, kind: str
) -> None:
    provider.answer = reply(200, audio(rate=16_000, kind=kind))
    assert abs(speak(client).duration_ms - 1000) < 100


def test_a_transcript_is_asked_for_with_the_stored_file(provider: ProviderServer, client: Provider) -> None:
    provider.answer = reply_json({"text": " Hello there.\n"})
    assert transcribe(client) == "Hello there."
    [asked] = provider.asked
    assert asked.path == "/v1/audio/transcriptions"
    assert asked.headers["content-type"].startswith("multipart/form-data")
    assert b'filename="audio.flac"\r\nContent-Type: audio/flac\r\n\r\nsound\r\n' in asked.body
    for name, value in (("model", "listens"), ("language", "en"), ("temperature", "0")):
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in asked.body


def test_a_message_is_asked_for_at_temperature_zero(provider: ProviderServer, client: Provider) -> None:
    provider.answer = message("Hi.")
    assert chat(client) == "Hi."
    [asked] = provider.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.json == {
        "model": "writes",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "temperature": 0,
    }


def test_models_are_listed_without_a_step(provider: ProviderServer) -> None:
    provider.answer = reply_json({"data": [{"id": "b"}, {"id": "a"}]})
    assert Provider(provider.settings()).models() == ["a", "b"]
    [asked] = provider.asked
    assert (asked.method, asked.path) == ("GET", "/v1/models")
    assert "idempotency-key" not in asked.headers


def test_without_a_key_none_is_sent(provider: ProviderServer, context: StepContext) -> None:
    provider.answer = message("Hi.")
    chat(Provider(provider.settings(key=None), context))
    assert "authorization" not in provider.asked[0].headers


def test_an_idempotency_key_of_any_characters_travels(provider: ProviderServer, tmp_path: Path) -> None:
    @dataclass
    class OddContext(StepContext):
        def key(self, part: str) -> str:
            return f"run:Knöten\r\n1:{part}"

    provider.answer = message("Hi.")
    chat(Provider(provider.settings(), OddContext(tmp_path)))
    assert provider.asked[0].headers["idempotency-key"] == "run:Kn%C3%B6ten%0D%0A1:line:0"


def test_only_speed_instructions_and_seed_of_an_assignment_are_passed_on(
    provider: ProviderServer, client: Provider
) -> None:
    controls = Controls.of(
        {
            "voice_id": "anna",
            "canonical_controls": {"speed": 1.5, "pitch": 2, "instructions": "Cheerful."},
            "provider_config": {"speed": 2, "seed": 7, "base_url": "http://evil", "headers": {"X": "y"}},
        }
    )
    provider.answer = reply(200, audio())
    client.speak("Hello.", voice="anna", model="large", key="0", controls=controls)
    extra = provider.asked[0].json.keys() - {"model", "input", "voice", "response_format"}
    assert {name: provider.asked[0].json[name] for name in extra} == {
        "speed": 2,
        "seed": 7,
        "instructions": "Cheerful.",
    }


@pytest.mark.parametrize(
    "config",
    [
        {"speed": "fast"},
        {"speed": True},
        {"speed": 100},
        {"speed": float("nan")},
        {"seed": 1.5},
        {"seed": 2**70},
        {"instructions": ["x"]},
        {"instructions": "x" * 5000},
    ],
)
def test_controls_that_make_no_sense_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=next(iter(config))):
        Controls.of({"provider_config": config})


@USES
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (401, Refused),
        (402, Billing),
        (404, Refused),
        (408, Outage),
        (422, Refused),
        (429, RateLimited),
        (500, Outage),
        (502, Outage),
        (503, Outage),
    ],
)
def test_a_status_says_what_kind_of_failure_it_is(
    provider: ProviderServer, client: Provider, use: Use, status: int, error: type[StepError]
) -> None:
    provider.answer = reply_json({"error": {"message": "No such voice."}}, status)
    with pytest.raises(StepError) as raised:
        use(client)
    assert type(raised.value) is error
    assert str(raised.value).endswith(f"({status}): No such voice.")


def test_a_quota_that_is_used_up_wants_payment_and_not_patience(
    provider: ProviderServer, client: Provider
) -> None:
    provider.answer = reply_json({"error": {"code": "insufficient_quota", "message": "Pay."}}, 429)
    with pytest.raises(Billing, match="Pay"):
        chat(client)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), (" 30 ", 30), ("0", 0), ("9" * 50, 86_400), ("soon", None), ("-5", None), ("", None)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_time_to_wait_is_read_in_seconds(
    provider: ProviderServer, client: Provider, status: int, header: str, seconds: float | None
) -> None:
    provider.answer = reply_json({}, status, Retry_After=header)
    with pytest.raises(StepError) as raised:
        chat(client)
    assert raised.value.retry_after == seconds


@pytest.mark.parametrize(
    ("distance", "least", "most"), [(3_600, 3_000, 3_600), (-3_600, 0, 0), (10**6, 86_400, 86_400)]
)
def test_the_time_to_wait_is_read_as_a_moment(
    provider: ProviderServer, client: Provider, distance: int, least: int, most: int
) -> None:
    moment = format_datetime(moments.now() + timedelta(seconds=distance), usegmt=True)
    provider.answer = reply_json({}, 429, Retry_After=moment)
    with pytest.raises(RateLimited) as raised:
        chat(client)
    assert raised.value.retry_after is not None
    assert least <= raised.value.retry_after <= most


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"error": {"message": f"Incorrect key {KEY}, \x00\ud800 {'x' * 5000}"}}).encode(),
        json.dumps({"error": f"Incorrect key {KEY}"}).encode(),
        f"Incorrect key {KEY}".encode(),
        json.dumps({"error": {"message": ("x" * (MAX_MESSAGE - 5)) + KEY}}).encode(),
        json.dumps({"error": {"message": KEY.replace("v", "\\u0076")}}).encode(),
    ],
)
def test_a_providers_words_are_short_and_without_the_key(
    provider: ProviderServer, client: Provider, context: StepContext, body: bytes
) -> None:
    provider.answer = reply(401, body)
    with pytest.raises(Refused) as raised:
        chat(client)
    said = str(raised.value)
    assert said.isprintable()
    assert len(said) < MAX_MESSAGE + 100
    assert "sk-very" not in said
    assert "sk-very" not in repr(context.logged)


@USES
@pytest.mark.parametrize(
    "body", [b"<html><body>Not found</body></html>", b"", b"[1]", b'{"error": 5}', b"null"]
)
def test_an_error_without_words_has_the_status_alone(
    provider: ProviderServer, client: Provider, use: Use, body: bytes
) -> None:
    provider.answer = reply(404, body)
    with pytest.raises(Refused, match=r"^The provider refused the request \(404\)\.$"):
        use(client)


@pytest.mark.parametrize("use", [transcribe, chat, models])
@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in</html>",
        b"",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"text": 5, "choices": [{"message": {"content": null}}], "data": 3}',
        b'{"text": null, "choices": [], "data": [{}]}',
        b'{"text": ["x"], "choices": {"0": 1}, "data": "abc"}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b'{"text": ' + b"9" * 5000 + b"}",
    ],
)
def test_an_answer_that_lies_is_an_outage_in_words(
    provider: ProviderServer, client: Provider, use: Use, body: bytes
) -> None:
    provider.answer = reply(200, body, Content_Type="application/json")
    with pytest.raises(Outage, match=r"^The provider"):
        use(client)


@pytest.mark.parametrize(
    "body", [b"", b"<html>Sign in</html>", b'{"ok": true}', audio()[:30], audio()[:44], b"RIFF" + bytes(5000)]
)
def test_speech_that_is_none_is_an_outage_in_words(
    provider: ProviderServer, client: Provider, body: bytes
) -> None:
    provider.answer = reply(200, body, Content_Type="audio/wav")
    with pytest.raises(Outage, match=r"^What the provider answered "):
        speak(client)


@pytest.mark.slow
def test_speech_that_is_small_to_send_and_long_to_hear_is_not_decoded_to_its_end(
    provider: ProviderServer, client: Provider
) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(8_000 * 700, dtype=np.int16), 8_000, format="FLAC")
    assert len(file.getvalue()) < 200_000
    provider.answer = reply(200, file.getvalue())
    with pytest.raises(Outage, match="longer than 600 seconds"):
        speak(client)


@USES
def test_an_endless_answer_is_cut_off(provider: ProviderServer, context: StepContext, use: Use) -> None:
    provider.answer = reply_endlessly
    bounds = Bounds(audio_bytes=300_000, json_bytes=300_000)
    with pytest.raises(Outage, match="more than 300,000 bytes"):
        use(Provider(provider.settings(), context, bounds))
    assert provider.hung_up.wait(30)


@USES
@pytest.mark.parametrize(
    "broken",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n{}\r\n",
        b"HTTP/1.1 2",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
)
def test_an_answer_that_breaks_off_is_an_outage(
    provider: ProviderServer, client: Provider, use: Use, broken: bytes
) -> None:
    provider.answer = reply_raw(broken)
    with pytest.raises(Outage, match="broke off the connection"):
        use(client)


@USES
def test_a_compressed_answer_is_not_unpacked(provider: ProviderServer, client: Provider, use: Use) -> None:
    provider.answer = reply(200, b"\x1f\x8b" + bytes(100), Content_Encoding="gzip")
    with pytest.raises(Outage, match="compressed"):
        use(client)


@USES
def test_a_redirect_is_followed_nowhere(provider: ProviderServer, client: Provider, use: Use) -> None:
    with provider_server() as other:
        other.answer = message("I am the provider.")
        provider.answer = reply(307, b"", Location=f"{other.url}/chat/completions")
        with pytest.raises(Refused, match="redirects"):
            use(client)
        assert other.asked == []


@pytest.mark.slow
@USES
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"])
def test_a_provider_that_stalls_is_left_alone(
    provider: ProviderServer, context: StepContext, use: Use, start: bytes
) -> None:
    provider.answer = _stalls_after(start, provider)
    bounds = Bounds(speech_seconds=0.2, transcription_seconds=0.2, chat_seconds=0.2, models_seconds=0.2)
    with pytest.raises(Outage, match=r"no complete answer within 0\.2 seconds"):
        use(Provider(provider.settings(), context, bounds))
    assert provider.hung_up.wait(30)


@USES
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"])
@pytest.mark.slow
def test_cancelling_closes_the_connection(
    provider: ProviderServer, context: StepContext, client: Provider, use: Use, start: bytes
) -> None:
    provider.answer = _stalls_after(start, provider)
    context.is_cancelled = provider.was_asked.is_set
    with pytest.raises(Cancelled):
        use(client)
    assert provider.hung_up.wait(30)


@pytest.mark.slow
def test_a_step_that_takes_too_long_closes_the_connection(
    provider: ProviderServer, context: StepContext, client: Provider
) -> None:
    context.deadline = moments.now() + timedelta(seconds=0.5)
    with pytest.raises(TimedOut):
        chat(client)
    assert not provider.was_asked.is_set() or provider.hung_up.wait(30)


@USES
def test_nothing_is_asked_for_a_cancelled_step(
    provider: ProviderServer, context: StepContext, client: Provider, use: Use
) -> None:
    context.is_cancelled = lambda: True
    with pytest.raises(Cancelled):
        use(client)
    assert provider.asked == []


@USES
def test_a_provider_that_is_not_there_is_an_outage(context: StepContext, use: Use) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(Outage, match="cannot be reached"):
        use(Provider(ProviderSettings(url=url), context))


def test_proxies_and_passwords_of_the_machine_do_not_count(
    provider: ProviderServer, context: StepContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with provider_server() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        provider.answer = message("Hi.")
        assert chat(Provider(provider.settings(key=None), context)) == "Hi."
        assert proxy.asked == []
    assert "authorization" not in provider.asked[0].headers


def test_text_that_no_database_stores_and_the_key_are_left_out_of_answers(
    provider: ProviderServer, client: Provider
) -> None:
    provider.answer = reply_json({"text": f"a\x00b\ud800c\nd {KEY}"})
    assert transcribe(client) == "abc\nd [redacted]"
    provider.answer = message(f"{KEY} said")
    assert chat(client) == "[redacted] said"
    provider.answer = reply_json({"data": [{"id": KEY}, {"id": 5}]})
    assert models(client) == ["[redacted]"]


def _stalls_after(start: bytes, provider: ProviderServer) -> Answer:
    def answer(handler: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(start)
        handler.connection.recv(1)
        provider.hung_up.set()

    return answer
