"""How the portal is reached: by which spelling of its address, and what proxies may say of it."""

import contextvars
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from portal import create_app, moments
from portal.auth import signin
from portal.database.engine import db
from portal.input.addresses import normal_url, split_origin
from tests.answer_rules import faults
from tests.conftest import OutsideClient, settings_for
from tests.factories import make_member, make_user, make_workspace
from tests.input.test_addresses import SPELLINGS

SAME = {"Sec-Fetch-Site": "same-origin"}
Start = Callable[..., Flask]


@pytest.fixture
def start(empty_sqlite: Path, tmp_path: Path) -> Iterator[Start]:
    """A portal with these settings and somebody who may sign in, inside its application context."""
    contexts = []

    def start(**settings: str) -> Flask:
        (tmp_path / "portal.sqlite3").write_bytes(empty_sqlite.read_bytes())
        environment = settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}") | settings
        app = create_app(environment, instance=tmp_path)
        app.test_client_class = OutsideClient
        contexts.append(app.app_context())
        contexts[-1].push()
        make_member(make_workspace(), make_user())
        return app

    yield start
    for context in reversed(contexts):
        db.session.remove()
        db.engine.dispose()
        context.pop()


def link() -> str:
    return f"/signin/{signin.make_link_token('ada@acme.example', moments.now())}"


class Browser:
    """Asks as a browser does that was given the normal spelling of an address."""

    def __init__(self, app: Flask, normal: str) -> None:
        self.app, self.host = app, urlsplit(normal).netloc
        self.origin, self.root = split_origin(normal)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Response:
        """`path` begins below the root. Not by Werkzeug's client, which cannot read all of these hosts."""
        sent = {name.replace("_", "-"): text for name, text in headers.items()} | {"Host": self.host}
        form = {"theme": "dark"} if method == "POST" else None
        origin = {"Origin": self.origin} if method == "POST" else {}
        builder = EnvironBuilder(f"{self.root}{path}", method=method, headers=sent | origin, data=form)
        ask = partial(Response.from_app, self.app, builder.get_environ(), buffered=True)
        return contextvars.Context().run(ask)


@pytest.mark.parametrize("typed", SPELLINGS)
def test_people_sign_in_and_forms_work_however_the_base_url_is_spelled(start: Start, typed: str) -> None:
    normal = SPELLINGS[typed]
    app = start(PORTAL_BASE_URL=typed)
    browser = Browser(app, normal)
    shown = app.test_cli_runner().invoke(args=["signin-link", "ada@acme.example"]).output.strip()
    assert shown.startswith(f"{normal}/signin/")

    answer = browser.ask(shown.removeprefix(normal), "POST")

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{browser.root}/")
    cookies = {cookie.split("=")[0]: cookie for cookie in answer.headers.getlist("Set-Cookie")}
    session = {"Cookie": next(iter(cookies.values())).split(";")[0]}
    page = browser.ask("/", **session)
    assert page.status_code == 200
    assert browser.ask("/", **session, If_None_Match=page.headers["ETag"]).status_code == 304
    for element in BeautifulSoup(page.data, "html.parser").select("[href], [action], [src], [hx-get]"):
        for name in ("href", "action", "src", "hx-get"):
            target = str(element.get(name, "#"))
            assert target.startswith((f"{browser.root}/", "#", "?", "data:")), element
            assert target.isascii()
    themed = browser.ask("/theme", "POST", Referer=f"{normal}/?search=x", **session)
    assert (themed.status_code, themed.headers["Location"]) == (303, f"{browser.root}/?search=x")
    assert browser.ask("/logout", "POST", **session).status_code == 303


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("https://bücher.example/Téam/日本", "/T%C3%A9am/%E6%97%A5%E6%9C%AC"),
        ("https://bücher.example/Téam/日本", "/T%c3%a9am/%e6%97%a5%E6%9C%AC"),
        ("https://bücher.example/~ada", "/%7Eada"),
        ("https://bücher.example/%7Eada", "/~ada"),
    ],
)
def test_what_htmx_is_told_can_be_said_in_a_header_and_leads_back(
    start: Start, typed: str, shown: str
) -> None:
    browser = Browser(start(PORTAL_BASE_URL=typed), normal_url(typed))
    current = f"{browser.origin}{shown}/?search=x"
    answer = browser.ask("/", HX_Request="true", HX_Current_URL=current)
    assert answer.headers["HX-Redirect"] == f"{browser.root}/login?next=/?search%3Dx"
    elsewhere = browser.ask("/", HX_Request="true", HX_Current_URL=f"{browser.origin}/other/?search=x")
    assert elsewhere.headers["HX-Redirect"] == f"{browser.root}/login"


def test_a_path_that_the_proxy_takes_off_may_be_of_any_script(start: Start) -> None:
    app = start(PORTAL_BASE_URL="https://portal.example/日本")
    for path in ("/%E6%97%A5%E6%9C%AC/login", "/login"):
        page = app.test_client().get(path, headers={"Host": "portal.example"})
        assert page.status_code == 200
        assert 'href="/%E6%97%A5%E6%9C%AC/' in page.text


@pytest.mark.slow
def test_without_a_base_url_forms_work_under_every_host_that_is_asked(start: Start) -> None:
    app = start(PORTAL_BASE_URL="")
    for host in ("portal.example", "xn--bcher-kva.example", "my_portal:8000", "[::1]:8000", "127.0.0.1"):
        for sent in (host, host.upper()):
            headers = {"Host": sent, "Origin": f"http://{host}"}
            assert app.test_client().post(link(), headers=headers).status_code == 303, sent
            description = app.test_client().get("/openapi.json", headers={"Host": sent}).get_json()
            assert description["servers"] == [{"url": f"http://{host}"}]


@pytest.mark.slow
def test_a_form_of_another_origin_is_refused(start: Start) -> None:
    app = start(PORTAL_BASE_URL="https://bücher.example:443")
    for origin in ("https://bücher.example", "http://xn--bcher-kva.example", "https://evil.example", "null"):
        headers = {"Host": "xn--bcher-kva.example", "Origin": origin.encode().decode("latin-1")}
        answer = app.test_client().post(link(), headers=headers, base_url="https://xn--bcher-kva.example")
        assert answer.status_code == 403, origin


OURS = (
    *("portal.example", "PORTAL.example:8443", "xn--bcher-kva.example", "[::1]:8000", "[0:0::1]"),
    *("team.example", "a.b.team.example", "my_portal:5000"),
)
NOT_OURS = (
    *("evil.example", "xteam.example", "team.example.evil.example", "portal.example@evil.example", "[::2]"),
    *("portal.example:0", "portal.example:x", "portal.example/evil", "portal.example evil", "", " ", "::1"),
    *("b%C3%BCcher.example", "b\xfccher.example", "portal.example, evil.example", "[::1", "1.2.3.4.5"),
)


def test_hosts_are_trusted_however_they_are_spelled(start: Start) -> None:
    app = start(
        PORTAL_BASE_URL="https://Portal.Example",
        PORTAL_TRUSTED_HOSTS="Bücher.example, ::1, .Team.example:8000, my_portal",
    )
    for host in OURS:
        assert app.test_client().get("/login", headers={"Host": host}).status_code == 200, host
    for host in NOT_OURS:
        for path in ("/login", "/api/v1/workflows"):
            answer = app.test_client().get(path, headers={"Host": host})
            assert answer.status_code == 400, host
            assert "does not answer to that host name" in answer.text
            assert "Location" not in answer.headers
            assert faults(answer, secure=True) == []
        assert "<" not in app.test_client().get("/login", headers={"Host": host}).text


IMPOSSIBLE = {
    "X-Forwarded-Prefix": [
        *("//evil.example", "///evil.example", "/\\evil.example", "\\evil.example", "/%2Fevil.example"),
        *("/%5Cevil.example", "https://evil.example", "https:evil.example", "javascript:alert(1)"),
        *("evil.example", "portal", "/a//b", "/..", "/a/../b", "/%2e%2e", "/a?b", "/a#b", "/a\x01b"),
        *("/%00", "/%0d%0aSet-Cookie:a=b", "/\xff", "/%ff", '"/portal"'),
    ],
    "X-Forwarded-Proto": ["javascript", "ftp", "https:", "https://evil.example", "ws", '"https"', "ｈttps"],
    "X-Forwarded-Host": [
        *("evil.example/x", "user@portal.example", "portal.example:0", "portal.example:99999", "http://x"),
        *("portal example", "portal.example\\x", "[::1", "::1", "%65vil.example", "b\xfccher.example", "?"),
        *("portal..example", '"portal.example"', "1.2.3.4.5"),
    ],
}
NO_ADDRESS = ["unknown", "portal.example", "1.2.3", '"1.2.3.4', "<script>", "_hidden", "unix:", "1.2.3.4;x"]


@pytest.mark.parametrize("header", IMPOSSIBLE)
def test_what_no_proxy_can_mean_is_refused_and_never_used(start: Start, header: str) -> None:
    client = start(PORTAL_BASE_URL="", PORTAL_PROXY_HOPS="1").test_client()
    for value in IMPOSSIBLE[header]:
        for path in ("/", "/login", "/api/v1/workflows", "/nowhere"):
            answer = client.get(path, headers={header: value})
            assert answer.status_code == 400, value
            assert header in answer.text
            assert answer.mimetype == ("application/json" if path.startswith("/api") else "text/plain")
            assert "Location" not in answer.headers
            assert "evil" not in answer.text
            assert faults(answer) == []


@pytest.mark.parametrize("said", NO_ADDRESS)
def test_a_client_that_the_proxy_does_not_know_has_the_proxy_s_address(start: Start, said: str) -> None:
    app = start(PORTAL_BASE_URL="", PORTAL_PROXY_HOPS="1")
    assert app.test_client().post(link(), headers=SAME | {"X-Forwarded-For": said}).status_code == 303
    session = db.session.execute(db.select(signin.BrowserSession)).scalar_one()
    assert session.address == "127.0.0.1"


def test_without_proxies_nothing_that_is_said_for_one_counts(start: Start) -> None:
    app = start(PORTAL_BASE_URL="")
    for header, values in IMPOSSIBLE.items():
        for value in values:
            answer = app.test_client().get("/", headers={header: value})
            assert answer.headers["Location"].startswith("/login"), value


def test_what_proxies_say_is_used_in_the_spelling_of_browsers(start: Start) -> None:
    app = start(PORTAL_BASE_URL="", PORTAL_PROXY_HOPS="1")
    said = {
        "X-Forwarded-Proto": "HTTPS",
        "X-Forwarded-Host": "Portal.Example:443",
        "X-Forwarded-Prefix": "/Téam/".encode().decode("latin-1"),
        "X-Forwarded-For": "192.0.2.7:4711",
    }
    headers = said | {"Origin": "https://portal.example"}
    answer = app.test_client().post(link(), headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/T%C3%A9am/")
    session = db.session.execute(db.select(signin.BrowserSession)).scalar_one()
    assert session.address == "192.0.2.7"
    servers = app.test_client().get("/openapi.json", headers=said).get_json()["servers"]
    assert servers == [{"url": "https://portal.example/T%C3%A9am"}]


@pytest.mark.parametrize(
    ("hops", "said", "used"),
    [
        (1, "evil.example, portal.example", "portal.example"),
        (1, "//evil, portal.example", "portal.example"),
        (1, '"evil.example, portal.example', "portal.example"),
        (2, "evil.example, portal.example, inner.example", "portal.example"),
        (2, 'evil.example, "x, portal.example, inner.example', "portal.example"),
        (2, "portal.example,//evil", "portal.example"),
        (2, "inner.example", "localhost"),
        (1, "", "localhost"),
        (1, "evil.example,", "localhost"),
    ],
)
def test_only_what_the_outermost_trusted_proxy_says_counts(
    start: Start, hops: int, said: str, used: str
) -> None:
    app = start(PORTAL_BASE_URL="", PORTAL_PROXY_HOPS=str(hops))
    servers = app.test_client().get("/openapi.json", headers={"X-Forwarded-Host": said}).get_json()["servers"]
    assert urlsplit(servers[0]["url"]).netloc == used


def test_an_opening_quote_does_not_hide_the_address_that_a_proxy_adds(start: Start) -> None:
    app = start(PORTAL_PROXY_HOPS="2", PORTAL_RATE_LIMIT_ATTEMPTS_PER_MIN="3")
    statuses = [
        app.test_client()
        .post(
            "/signin/wrong",
            headers=SAME | {"X-Forwarded-For": f'198.51.100.{number}, "x, 192.0.2.7, 192.0.2.1'},
        )
        .status_code
        for number in range(4)
    ]
    assert statuses == [404, 404, 404, 429]


@pytest.mark.parametrize(
    ("base_url", "prefix", "status"),
    [
        ("https://portal.example/team", "/team", 200),
        ("https://portal.example/team", "/team/", 200),
        ("https://portal.example/team", "/%74eam", 200),
        ("https://portal.example/team", "/", 200),
        ("https://portal.example/team", "", 200),
        ("https://portal.example/team", "/other", 400),
        ("https://portal.example/team", "/team/other", 400),
        ("https://portal.example", "/team", 400),
        ("https://portal.example/日本", "/%E6%97%A5%E6%9C%AC", 200),
        ("https://portal.example/日本", "/日本".encode().decode("latin-1"), 200),
    ],
)
def test_a_prefix_that_is_not_the_base_urls_path_is_refused(
    start: Start, base_url: str, prefix: str, status: int
) -> None:
    app = start(PORTAL_BASE_URL=base_url, PORTAL_PROXY_HOPS="1")
    headers = {"X-Forwarded-Prefix": prefix, "Host": "portal.example"}
    answer = app.test_client().get("/login", headers=headers)
    assert answer.status_code == status
    assert ("PORTAL_BASE_URL" in answer.text) == (status == 400)
    assert not re.search("other", answer.text)


def test_a_request_without_a_host_is_one_for_the_address_that_it_reached(start: Start) -> None:
    app = start(PORTAL_BASE_URL="http://[::1]:8000")
    for server, status in (("::1", 200), ("127.0.0.1", 200), ("192.0.2.7", 400)):
        place = {"SERVER_NAME": server, "SERVER_PORT": "8000", "HTTP_HOST": ""}
        assert app.test_client().get("/healthz", environ_overrides=place).status_code == status, server
