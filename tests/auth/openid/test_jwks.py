"""The provider's keys: cached, rotated, withdrawn, and kept on through every kind of outage."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, RSAKey

from portal.auth.openid import jwks
from portal.auth.openid.jwks import KeyCache, UnreadableKeys, read_keys
from tests.auth.provider_keys import KeyServer, key_server, key_set, rsa_key

OLD, NEW = rsa_key("old"), rsa_key("new")


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as server:
        server.serve(key_set(OLD))
        yield server


@pytest.fixture
def cache(server: KeyServer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> KeyCache:
    monkeypatch.setattr(jwks, "TIMEOUT", 0.3)
    return KeyCache(server.url, clock=clock)


def settle(cache: KeyCache) -> None:
    """Wait for a fetch behind the scenes."""
    fetching = cache._fetching
    if fetching is not None:
        assert fetching.wait(5)


def test_keys_are_fetched_once_and_kept(cache: KeyCache, server: KeyServer, clock: Clock) -> None:
    for _ in range(50):
        assert cache.key("old") is not None
        clock.now += 5
    assert server.asked == 1


def test_a_rotated_key_is_found_at_once(cache: KeyCache, server: KeyServer, clock: Clock) -> None:
    assert cache.key("old") is not None
    server.serve(key_set(OLD, NEW))
    assert cache.key("new") is not None
    assert cache.key("old") is not None
    assert server.asked == 2


def test_during_a_flood_a_rotated_key_is_found_within_ten_seconds(
    cache: KeyCache, server: KeyServer, clock: Clock
) -> None:
    assert cache.key("old") is not None
    assert cache.key("unknown") is None
    server.serve(key_set(OLD, NEW))
    assert cache.key("new") is None
    clock.now += 10
    assert cache.key("new") is not None


def test_a_flood_of_unknown_keys_leads_to_one_fetch_in_ten_seconds(
    cache: KeyCache, server: KeyServer, clock: Clock
) -> None:
    assert cache.key("old") is not None
    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(cache.key, (f"unknown-{number}" for number in range(60)))) == {None}
    assert server.asked == 2
    for number in range(60):
        clock.now += 1
        assert cache.key(f"unknown-{number}") is None
    assert server.asked <= 8
    assert cache.key("old") is not None


def test_a_withdrawn_key_is_refused_after_ten_minutes(
    cache: KeyCache, server: KeyServer, clock: Clock
) -> None:
    assert cache.key("old") is not None
    server.serve(key_set(NEW))
    clock.now += 600
    assert cache.key("old") is None
    assert cache.key("new") is not None


def test_a_set_is_renewed_behind_the_scenes_while_it_is_good(
    cache: KeyCache, server: KeyServer, clock: Clock
) -> None:
    assert cache.key("old") is not None
    asked, released = threading.Event(), threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.set()
        released.wait(5)
        request.send_response(200)
        request.end_headers()
        request.wfile.write(key_set(NEW))

    server.answer = answer
    clock.now += 301
    assert cache.key("old") is not None
    assert asked.wait(5), "it was asked for, and nobody waited for it"
    released.set()
    settle(cache)
    assert cache.key("new") is not None


def hang(server: KeyServer) -> None:
    server.answer = lambda _: server.over.wait(20) and None


def drip(server: KeyServer) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not server.over.wait(0.05):
            request.wfile.write(b" ")

    server.answer = answer


def lie_about_the_length(server: KeyServer) -> None:
    body = key_set(NEW)
    server.serve(body[: len(body) // 2], **{"Content-Length": str(len(body))})


OUTAGES: dict[str, Callable[[KeyServer], None]] = {
    "hangs": hang,
    "drips": drip,
    "error page": lambda server: server.serve(b"<html>Bad gateway</html>", 502),
    "HTML": lambda server: server.serve(b"<html>Sign in to the network</html>"),
    "truncated": lambda server: server.serve(key_set(NEW)[:-40]),
    "cut off": lie_about_the_length,
    "empty": lambda server: server.serve(b'{"keys": []}'),
    "nothing": lambda server: server.serve(b""),
    "redirect": lambda server: server.serve(b"", 302, Location=server.url + "/elsewhere"),
    "50 MB": lambda server: server.serve(b" " * 50_000_000 + key_set(NEW)),
    "deep": lambda server: server.serve(b"[" * 200_000),
    "other keys": lambda server: server.serve(b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "new"}]}'),
}


@pytest.mark.slow
@pytest.mark.parametrize("outage", OUTAGES)
def test_through_an_outage_the_last_good_keys_stay_for_a_day_and_nobody_waits_twice(
    cache: KeyCache, server: KeyServer, clock: Clock, outage: str
) -> None:
    assert cache.key("old") is not None
    OUTAGES[outage](server)
    clock.now += 700
    for _ in range(3):
        assert cache.key("old") is not None
        settle(cache)
        clock.now += 11
    assert cache.key("new") is None
    clock.now += 86_000
    assert cache.key("old") is None
    settle(cache)
    server.serve(key_set(NEW))
    clock.now += 11
    assert cache.key("new") is not None, "it recovers by itself"


def test_a_provider_that_cannot_be_reached_is_an_outage_too(
    server: KeyServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with key_server() as gone:
        pass
    cache = KeyCache(gone.url, clock=clock)
    assert cache.key("old") is None
    assert "cannot be read" in caplog.text


def test_a_fetch_ends_well_before_a_request_has_taken_three_seconds() -> None:
    assert jwks.TIMEOUT < 3
    assert jwks.EXPIRES_AFTER <= 600
    assert jwks.STALE_AFTER >= 86_400


def test_only_rsa_keys_that_sign_and_are_long_enough_are_taken_and_a_bad_one_spoils_no_other() -> None:
    good = OLD.as_dict(private=False)
    with pytest.warns(SecurityWarning):
        short = RSAKey.generate_key(1024, {"kid": "short"})
    others = [
        short.as_dict(private=False),
        ECKey.generate_key("P-256", {"kid": "curve"}).as_dict(private=False),
        OctKey.generate_key(256, {"kid": "shared"}).as_dict(private=True),
        good | {"kid": "encrypts", "use": "enc"},
        good | {"kid": "other-algorithm", "alg": "RS512"},
        {name: value for name, value in good.items() if name != "kid"},
        good | {"kid": 7},
        good | {"kid": "garbled", "n": "!!"},
        {"kty": "RSA", "kid": "hollow"},
        "no object",
        None,
    ]
    for other in others:
        assert set(read_keys(json.dumps({"keys": [other, good]}).encode())) == {"old"}
        with pytest.raises(UnreadableKeys):
            read_keys(json.dumps({"keys": [other]}).encode())
