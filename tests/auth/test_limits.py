"""Rate limits: per key, per person, per address; in memory and in Redis."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis
import time_machine
from flask import Flask

from portal import create_app, moments
from portal.auth.limits import FixedWindows, RateLimiter, client_network
from portal.config import LimitSettings
from portal.database.engine import db
from portal.errors import TooManyRequests
from tests.auth.provider_keys import key_server
from tests.auth.stopwatch import Stopwatch
from tests.conftest import OutsideClient, settings_for, sign_in_to
from tests.factories import NOON, make_key, make_member, make_user, make_workspace

SAME = {"Sec-Fetch-Site": "same-origin"}
AN_HOUR = 3600


@pytest.fixture
def limited(empty_sqlite: Path, tmp_path: Path) -> Iterator[Flask]:
    """The portal with five requests and three attempts a minute."""
    (tmp_path / "portal.sqlite3").write_bytes(empty_sqlite.read_bytes())
    limits = {"PORTAL_RATE_LIMIT_PER_MIN": "5", "PORTAL_RATE_LIMIT_ATTEMPTS_PER_MIN": "3"}
    environment = settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}") | limits
    app = create_app(environment, instance=tmp_path)
    app.test_client_class = OutsideClient
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def stopwatch(limited: Flask) -> Stopwatch:
    """The clock by which that portal counts."""
    stopwatch = Stopwatch()
    limited.extensions["portal.limits"] = RateLimiter(limited.extensions["portal.limits"].settings, stopwatch)
    return stopwatch


@pytest.fixture
def key(limited: Flask) -> str:
    workspace, user = make_workspace(), make_user()
    make_member(workspace, user)
    return make_key(workspace, user)


def ask(app: Flask, key: str, path: str = "/auth/whoami", **headers: str) -> tuple[int, str | None]:
    sent = {"Authorization": f"Bearer {key}"} | {
        name.replace("_", "-"): text for name, text in headers.items()
    }
    answer = app.test_client().get(f"/api/v1{path}", headers=sent)
    return answer.status_code, answer.headers.get("Retry-After")


def test_a_key_has_so_many_requests_a_minute_and_is_told_when_the_next_is_taken(
    limited: Flask, key: str, stopwatch: Stopwatch
) -> None:
    assert [ask(limited, key)[0] for _ in range(5)] == [200] * 5
    stopwatch.now += 20.5
    assert ask(limited, key) == (429, "40")
    stopwatch.now += 39
    assert ask(limited, key) == (429, "1")
    stopwatch.now += 1
    assert ask(limited, key) == (200, None)


@pytest.mark.parametrize("jump", [AN_HOUR, -AN_HOUR])
def test_a_minute_is_a_minute_when_the_wall_clock_jumps(
    limited: Flask, key: str, stopwatch: Stopwatch, jump: int
) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        assert [ask(limited, key)[0] for _ in range(5)] == [200] * 5
        clock.shift(jump)
        assert ask(limited, key) == (429, "60")
        stopwatch.now += 20.5
        assert ask(limited, key) == (429, "40")
        stopwatch.now += 39.5
        assert [ask(limited, key)[0] for _ in range(6)] == [200] * 5 + [429]
        clock.shift(-jump)
        stopwatch.now += 60
        assert ask(limited, key) == (200, None)


@pytest.mark.parametrize("jump", [AN_HOUR, -AN_HOUR])
def test_a_wall_clock_that_jumps_neither_lifts_nor_lengthens_a_limit(
    monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    count, wall = RateLimiter(LimitSettings(per_min=0, attempts_per_min=0, storage_url=None)), time.time
    count.hit("test", "x", 1)
    monkeypatch.setattr(time, "time", lambda: wall() + jump)
    with pytest.raises(TooManyRequests) as refusal:
        count.hit("test", "x", 1)
    assert 1 <= refusal.value.retry_after <= 60


def test_the_answer_is_the_envelope(limited: Flask, key: str) -> None:
    for _ in range(5):
        ask(limited, key)
    answer = limited.test_client().get("/api/v1/auth/whoami", headers={"Authorization": f"Bearer {key}"})
    assert answer.get_json()["error"]["code"] == "RATE_LIMITED"
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_limit_comes_after_401_and_before_403_and_422(limited: Flask, key: str) -> None:
    for _ in range(5):
        assert ask(limited, key, "/workflows?limit=0")[0] == 422
    assert ask(limited, key, "/workflows?limit=0", X_Workspace_Id="x")[0] == 429
    assert ask(limited, "op_live_" + "0" * 32)[0] == 401


def test_each_key_counts_for_itself(limited: Flask, key: str) -> None:
    workspace, user = make_workspace("two", "Two"), make_user("grace@acme.example")
    make_member(workspace, user)
    other = make_key(workspace, user)
    for _ in range(6):
        ask(limited, key)
    assert ask(limited, key)[0] == 429
    assert ask(limited, other)[0] == 200


def test_refused_credentials_of_an_address_are_limited_and_good_ones_beside_them_are_not(
    limited: Flask, key: str
) -> None:
    wrong = ["op_live_" + "0" * 32, "op_live_" + "1" * 32, "x.y.z", "op_test_x"]
    assert [ask(limited, token)[0] for token in wrong] == [401, 401, 401, 429]
    assert ask(limited, key)[0] == 200


def test_attempts_to_sign_in_are_limited_with_a_page_that_says_so(limited: Flask) -> None:
    browser = limited.test_client()
    statuses = [browser.post("/signin/wrong", headers=SAME).status_code for _ in range(4)]
    assert statuses == [404, 404, 404, 429]
    page = browser.post("/signin/wrong", headers=SAME)
    assert "Too many requests" in page.text
    assert "Try again in" in page.text
    assert int(page.headers["Retry-After"]) >= 1
    assert limited.test_client().get("/login").status_code == 200


def test_pages_of_a_person_are_limited_with_a_page_that_says_so(limited: Flask) -> None:
    user = make_user()
    make_member(make_workspace(), user)
    browser = sign_in_to(limited, user)
    assert [browser.get("/").status_code for _ in range(6)] == [200] * 5 + [429]
    assert "<h1>Too many requests</h1>" in browser.get("/").text
    assert browser.get("/static/portal.css").status_code == 200


def test_nothing_is_limited_where_the_limit_is_none(limited: Flask) -> None:
    count = RateLimiter(LimitSettings(per_min=0, attempts_per_min=0, storage_url=None))
    for _ in range(50):
        count.hit("request", "x", 0)


def test_an_ipv6_neighbourhood_is_one_address() -> None:
    assert client_network("2001:db8:1:2::3") == client_network("2001:db8:1:2:ffff::9")
    assert client_network("2001:db8:1:2::3") != client_network("2001:db8:1:3::3")
    assert client_network("::ffff:192.0.2.7") == client_network("192.0.2.7") != client_network("192.0.2.8")
    assert client_network(None) == client_network("")


@pytest.fixture
def redis_url() -> str:
    url = os.environ.get("PORTAL_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
    try:
        redis.Redis.from_url(url, socket_connect_timeout=1).ping()
    except redis.RedisError:
        pytest.skip("no Redis at 127.0.0.1:6379 or PORTAL_TEST_REDIS_URL to test with")
    return url


def spend(url: str, owner: str, times: int) -> int:
    """How many of so many requests are taken."""
    count = RateLimiter(LimitSettings(per_min=0, attempts_per_min=0, storage_url=url))
    taken = 0
    for _ in range(times):
        with contextlib.suppress(TooManyRequests):
            count.hit("test", owner, 25)
            taken += 1
    return taken


@pytest.mark.slow
def test_with_redis_several_processes_count_together(redis_url: str) -> None:
    owner = uuid4().hex
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        taken = workers.starmap(spend, [(redis_url, owner, 20)] * 3)
    assert sum(taken) == 25
    with pytest.raises(TooManyRequests) as refusal:
        RateLimiter(LimitSettings(per_min=0, attempts_per_min=0, storage_url=redis_url)).hit(
            "test", owner, 25
        )
    assert 1 <= refusal.value.retry_after <= 60


@pytest.mark.parametrize("jump", [AN_HOUR, -AN_HOUR])
def test_with_redis_the_wait_is_right_when_the_wall_clock_jumps(redis_url: str, jump: int) -> None:
    owner = uuid4().hex
    count = RateLimiter(LimitSettings(per_min=0, attempts_per_min=0, storage_url=redis_url))
    count.hit("test", owner, 1)
    with time_machine.travel(moments.now().timestamp() + jump), pytest.raises(TooManyRequests) as refusal:
        count.hit("test", owner, 1)
    assert 30 <= refusal.value.retry_after <= 60


def test_while_redis_is_down_the_portal_counts_in_memory_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with key_server() as gone:
        port = gone.url.split(":")[2].split("/")[0]
    count = RateLimiter(
        LimitSettings(per_min=0, attempts_per_min=0, storage_url=f"redis://127.0.0.1:{port}/0")
    )
    for _ in range(3):
        count.hit("test", "x", 3)
    with pytest.raises(TooManyRequests):
        count.hit("test", "x", 3)
    assert caplog.text.count("shared storage fails") == 1
    assert not count.redis_answers()


def test_what_was_counted_is_forgotten_when_its_minute_has_ended() -> None:
    stopwatch = Stopwatch()
    windows = FixedWindows(stopwatch)
    for number in range(100):
        assert windows.hit("request", f"owner {number}", 1) is None
    assert windows.hit("request", "owner 7", 1) == 60
    assert len(windows) == 100
    stopwatch.now += 60
    assert windows.hit("request", "owner 7", 1) is None
    assert len(windows) == 1
