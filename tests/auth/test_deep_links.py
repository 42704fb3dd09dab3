"""Links that people are sent: back to the page after signing in, nowhere else, silent to strangers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urljoin, urlsplit
from uuid import uuid4

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from portal import create_app, moments
from portal.auth import signin
from portal.auth.origin import safe_next
from portal.database.engine import db
from portal.database.models import User
from tests.conftest import OutsideClient, settings_for
from tests.factories import make_member, make_run, make_user, make_workflow, make_workspace

SAME = {"Sec-Fetch-Site": "same-origin"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def user(app: Flask) -> User:
    user = make_user(first_name="Ada")
    make_member(make_workspace(), user)
    return user


def link_for(user: User) -> str:
    return f"/signin/{signin.make_link_token(user.email, moments.now())}"


def wanted(location: str) -> str | None:
    """The page that a sign-in page's address leads back to."""
    parts = urlsplit(location)
    assert parts.path.endswith("/login")
    return parse_qs(parts.query).get("next", [None])[0]


def deep_link(slug: str = "x") -> str:
    workflow = make_workflow(make_workspace(slug, slug))
    return f"/workflows/{workflow.id}/runs?status=failed%2Ccancelled&search=%C3%A5%26b%2B%23&limit=50"


def test_a_deep_link_survives_signing_in_by_a_link(client: FlaskClient, user: User) -> None:
    deep = deep_link()
    assert wanted(client.get(deep).headers["Location"]) == deep
    assert client.post(link_for(user), headers=SAME).headers["Location"] == deep


def test_the_sign_in_page_of_who_is_signed_in_already_leads_on(client: FlaskClient, user: User) -> None:
    deep = deep_link()
    login = client.get(deep).headers["Location"]
    client.post(link_for(user), headers=SAME)
    assert client.get(login).headers["Location"] == deep
    assert client.get("/login?next=//evil.example").headers["Location"] == "/"


def test_a_session_that_ran_out_leads_back_to_its_page(client: FlaskClient, user: User) -> None:
    client.post(link_for(user), headers=SAME)
    deep = deep_link()
    db.session.execute(sa.text("DELETE FROM sessions"))
    db.session.commit()
    assert wanted(client.get(deep).headers["Location"]) == deep
    assert client.post(link_for(user), headers=SAME).headers["Location"] == deep


def test_an_htmx_request_signed_out_goes_to_sign_in_and_back_to_its_page(
    client: FlaskClient, user: User
) -> None:
    page = deep_link().split("?")[0]
    for origin in ("http://localhost", "http://127.0.0.1:8000"):  # as asked, and as PORTAL_BASE_URL says
        current = {"HX-Current-URL": f"{origin}{page}?limit=50"}
        answer = client.get(f"{page}/table?status=failed", headers=HTMX | current)
        assert (answer.status_code, answer.data) == (401, b"")
        assert wanted(answer.headers["HX-Redirect"]) == f"{page}?limit=50"
    assert client.post(link_for(user), headers=SAME).headers["Location"] == f"{page}?limit=50"


def test_a_form_that_is_sent_signed_out_is_not_repeated(client: FlaskClient, user: User) -> None:
    for path in ("/logout", link_for(user)):
        assert "next" not in client.post(path, headers=SAME).headers.get("Location", "")


ELSEWHERE = [
    "",
    " ",
    "//evil.example",
    "//evil.example/",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/%5Cevil.example",
    "/%5c%5cevil.example",
    "/%2Fevil.example",
    "/%2f%2fevil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/x/..//evil.example",
    "/;//evil.example",
    "//evil.example#/",
    "//evil.example?/",
    "//[::1]/",
    "//127.0.0.1/",
    "//localhost/",
    "//user@evil.example/",
    "/@evil.example",
    "@evil.example",
    ".evil.example",
    ":evil.example",
    ":80/",
    "http:evil.example",
    "http:/evil.example",
    "http://evil.example",
    "http:///evil.example",
    "http:\\\\evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example/",
    "HTTPS://EVIL.EXAMPLE/",
    "https://localhost/",
    "http://localhost/",
    "http://127.0.0.1:8000/",
    "http://localhost@evil.example/",
    "http://localhost:80@evil.example/",
    "http://localhost.evil.example/",
    "http://[::1",
    "http://[::1]/",
    "ftp://evil.example/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "javascript://localhost/%0aalert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "mailto:a@evil.example",
    "blob:x",
    "\tjavascript:alert(1)",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "/\r\nSet-Cookie: a=b",
    "/%0d%0aSet-Cookie:%20a=b",
    "/%0a/evil.example",
    "/%09/evil.example",
    "/\x00/evil.example",
    "/%00",
    "/\x0b/evil.example",
    "/\x0c/evil.example",
    "/\x7f/evil.example",
    "\x01//evil.example",
    " //evil.example",
    " /",
    "/ ",
    "/ /",
    "/ /evil.example",
    "/\u00a0/evil.example",
    "/\u2028/evil.example",
    "/\u200b/evil.example",
    "/\ufeff/evil.example",
    "\ufeff//evil.example",
    "／／evil.example",
    "/／evil.example",
    "/。evil.example",
    "/evil。example",
    "/\u2215evil.example",
    "/\ud800",
    "/a//b",
    "/runs//evil.example",
    "/nowhere",
    "/..",
    "/../",
    "/./",
    "/%2e%2e/",
    "evil.example",
    "evil.example/",
    "runs",
    "./",
    "../",
    "?",
    "?search=x",
    "#",
    "#x",
    "/api/v1/workflows",
    "/api/v1/auth/whoami",
    "/logout",
    "/login",
    "/login?next=//evil.example",
    "/auth/start",
    "/auth/start?next=/",
    "/auth/callback?code=x&state=y",
    "/static/portal.css",
    "/static/../",
    "/signin/x",
    "/healthz",
    "/readyz",
    "/" + "x" * 3000,
    "/?search=" + "x" * 3000,
    "/?\n",
    "/?\x00",
    "/?a=\\",
]
"""Return addresses that lead elsewhere, or to nothing that a person should come back to."""

GOOD = [
    "/",
    "/?search=a",
    "/?search=%2F%2Fevil.example&status=failed",
    "/?next=https%3A%2F%2Fevil.example",
    "/workflows/67b83426-5797-57c9-9545-522b6cd26e1b/runs?search=%C3%A5&status=failed%2Ccancelled&offset=20",
    "/workflows/67b83426-5797-57c9-9545-522b6cd26e1b/runs/37b75f2b-e173-55b9-9d24-0cf0a6dfb8fd",
    "/runs/37b75f2b-e173-55b9-9d24-0cf0a6dfb8fd",
    "/runs/37b75f2b-e173-55b9-9d24-0cf0a6dfb8fd?line=120",
]


def test_a_return_address_leads_to_pages_of_our_own_only(sqlite_app: Flask) -> None:
    assert len(ELSEWHERE) >= 98
    assert [path for path in ELSEWHERE if safe_next(path) is not None] == []
    assert [safe_next(path) for path in GOOD] == GOOD


@pytest.mark.slow
def test_no_way_in_takes_a_return_address_that_leads_elsewhere(sqlite_app: Flask) -> None:
    user = make_user()
    make_member(make_workspace(), user)
    for path in ELSEWHERE:
        browser = sqlite_app.test_client()
        query = {"next": path.encode("utf-8", "surrogatepass")}
        page = browser.get("/login", query_string=query)
        assert page.status_code == 200, path
        assert "evil" not in page.text, path
        if path.isprintable() and path.isascii():
            answer = browser.get("/", headers=HTMX | {"HX-Current-URL": path})
            ours = path in ("http://localhost/", "http://127.0.0.1:8000/")
            assert answer.headers["HX-Redirect"] == ("/login?next=/" if ours else "/login"), path
    for path in ELSEWHERE:
        with browser.session_transaction() as kept:
            kept["next"] = path
        assert browser.post(link_for(user), headers=SAME).headers["Location"] == "/", path
        assert browser.get("/login", query_string={"next": path.encode("utf-8", "replace")}).headers[
            "Location"
        ] == ("/"), path


@pytest.mark.slow
def test_a_good_return_address_comes_back_as_it_went(sqlite_app: Flask) -> None:
    user = make_user()
    make_member(make_workspace(), user)
    for path in GOOD:
        browser = sqlite_app.test_client()
        assert browser.get("/login", query_string={"next": path}).status_code == 200
        assert wanted(browser.get(path).headers["Location"]) == path
        assert browser.post(link_for(user), headers=SAME).headers["Location"] == path
        assert browser.get("/login", query_string={"next": path}).headers["Location"] == path


@given(st.text(max_size=30) | st.from_regex(r"[/\\:a-z.@%#? ]{0,20}"))
def test_whatever_the_text_a_return_path_never_leaves_the_portal(sqlite_app: Flask, text: str) -> None:
    path = safe_next(text)
    if path is not None:
        joined = urlsplit(urljoin("https://portal.example/login", path))
        assert (joined.scheme, joined.netloc) == ("https", "portal.example")


class TestPreviews:
    """What a link preview sees: it sends no cookie and runs no script."""

    @pytest.fixture
    def run_id(self, app: Flask) -> str:
        workflow = make_workflow(make_workspace("secret", "Secret Labs"), "Layoff plan")
        return str(make_run(workflow, status="failed", error="boom").id)

    def preview(self, client: FlaskClient, path: str) -> tuple[list[int], str]:
        """The statuses and the last page, with what the address itself says taken out."""
        agent = {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}
        first = client.get(path, headers=agent)
        last = client.application.test_client().get(first.headers["Location"], headers=agent)
        text = last.text.replace(quote(path, safe=""), "").replace(path, "")
        request_id = last.headers["X-Request-Id"]
        return [first.status_code, last.status_code], text.replace(request_id, "")

    def test_it_learns_nothing_of_what_is_there(self, client: FlaskClient, run_id: str) -> None:
        there, absent = self.preview(client, f"/runs/{run_id}"), self.preview(client, f"/runs/{uuid4()}")
        assert there == absent
        assert there[0] == [302, 200]
        for secret in ("Secret", "Layoff", "boom", run_id):
            assert secret not in there[1]

    @pytest.mark.parametrize(
        ("path", "title"),
        [
            ("/runs/37b75f2b-e173-55b9-9d24-0cf0a6dfb8fd", "Run – sign in to see it"),
            ("/workflows/67b83426-5797-57c9-9545-522b6cd26e1b/runs", "Run history – sign in to see it"),
            ("/", "Workflows – sign in to see it"),
        ],
    )
    def test_its_tags_say_what_the_address_says(self, client: FlaskClient, path: str, title: str) -> None:
        page = BeautifulSoup(client.get(client.get(path).headers["Location"]).text, "html.parser")
        tags = {
            str(tag.get("property") or tag.get("name")): tag["content"]
            for tag in page.select("meta[content]")
        }
        assert tags["og:title"] == title
        assert tags["robots"] == "noindex"
        assert "og:image" not in tags


def _portal(empty_sqlite: Path, tmp_path: Path, **settings: str) -> Flask:
    (tmp_path / "portal.sqlite3").write_bytes(empty_sqlite.read_bytes())
    app = create_app(settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}") | settings, instance=tmp_path)
    app.test_client_class = OutsideClient
    return app


FORWARDED = {
    "X-Forwarded-Prefix": "/portal",
    "X-Forwarded-Host": "team.example",
    "X-Forwarded-Proto": "https",
}
DEPLOYMENTS: dict[str, tuple[dict[str, str], str, dict[str, str]]] = {
    "base URL, prefix kept by the proxy": ({"PORTAL_BASE_URL": "https://team.example/portal"}, "/portal", {}),
    "base URL, prefix taken off": ({"PORTAL_BASE_URL": "https://team.example/portal"}, "", {}),
    "forwarded prefix": (
        {"PORTAL_BASE_URL": "https://team.example/portal", "PORTAL_PROXY_HOPS": "1"},
        "",
        FORWARDED,
    ),
}


@pytest.fixture(params=DEPLOYMENTS)
def below_a_path(
    request: pytest.FixtureRequest, empty_sqlite: Path, tmp_path: Path
) -> Iterator[tuple[FlaskClient, dict[str, Any], str]]:
    """A browser of a portal reached below /portal, what it sends along, and what precedes its paths."""
    settings, prefix, headers = DEPLOYMENTS[request.param]
    app = _portal(empty_sqlite, tmp_path, **settings)
    base = "http://team.example" if headers else "https://team.example"
    with app.app_context():
        yield app.test_client(), {"base_url": base, "headers": headers}, prefix
        db.session.remove()
        db.engine.dispose()


def test_below_a_path_deep_links_and_every_link_keep_it(
    below_a_path: tuple[FlaskClient, dict[str, Any], str],
) -> None:
    browser, carried, prefix = below_a_path
    user, workspace = make_user(), make_workspace()
    make_member(workspace, user)
    deep = f"/workflows/{make_workflow(workspace).id}/runs?status=failed"

    def get(path: str, **headers: str) -> Any:
        sent = carried["headers"] | {name.replace("_", "-"): value for name, value in headers.items()}
        return browser.get(prefix + path, base_url=carried["base_url"], headers=sent)

    location = get(deep).headers["Location"]
    assert location.startswith("/portal/login?next=")
    assert wanted(location) == deep
    current = "https://team.example/portal" + deep
    fragment = get(deep.replace("/runs?", "/runs/table?"), HX_Request="true", HX_Current_URL=current)
    assert wanted(fragment.headers["HX-Redirect"]) == deep
    token = signin.make_link_token(user.email, moments.now())
    signed_in = browser.post(
        f"{prefix}/signin/{token}", base_url=carried["base_url"], headers=carried["headers"] | SAME
    )
    assert signed_in.headers["Location"] == f"/portal{deep}"
    page = get(deep)
    assert page.status_code == 200
    links = BeautifulSoup(page.text, "html.parser").select("[href], [action], [src], [hx-get]")
    for link in links:
        for name in ("href", "action", "src", "hx-get"):
            target = str(link.get(name, "#"))
            assert target.startswith(("/portal/", "#", "?", "data:")), link
    assert get("/static/portal.css").status_code == 200
    themed = browser.post(
        f"{prefix}/theme",
        base_url=carried["base_url"],
        headers=carried["headers"] | SAME | {"Referer": current},
        data={"theme": "dark"},
    )
    assert themed.headers["Location"] == f"/portal{deep}"


def test_the_base_url_rules_every_absolute_link(empty_sqlite: Path, tmp_path: Path) -> None:
    public, inner = "https://runs.acme.example/portal", "https://inner.acme.example"
    app = _portal(empty_sqlite, tmp_path, PORTAL_BASE_URL=public, PORTAL_TRUSTED_HOSTS="inner.acme.example")
    with app.app_context():
        workspace, user = make_workspace(), make_user()
        make_member(workspace, user)
        shown = app.test_cli_runner().invoke(args=["signin-link", "ada@acme.example"])
        assert shown.output.startswith(f"{public}/signin/")
        browser = app.test_client()
        browser.post(link_for(user), base_url=inner, headers=SAME)
        members = f"/settings/workspaces/{workspace.id}"
        form = {"email": "new@acme.example", "role": "viewer"}
        invited = browser.post(f"{members}/invitations", base_url=inner, headers=SAME, data=form)
        assert invited.status_code == 303
        assert f"{public}/invitations/" in browser.get(f"{members}/members", base_url=inner).text
        db.session.remove()
        db.engine.dispose()


@pytest.mark.slow
def test_reading_never_changes_what_is_stored(client: FlaskClient, user: User, app: Flask) -> None:
    def stored() -> list[Any]:
        db.session.rollback()
        tables = ("users", "members", "signin_links", "identities", "workspaces", "api_keys", "audit_entries")
        return [db.session.execute(sa.text(f"SELECT * FROM {table}")).all() for table in tables]

    link = link_for(user)
    client.post(link_for(user), headers=SAME)
    before = stored()
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            token = link.rsplit("/", 1)[-1]
            values = {name: token if name == "token" else str(uuid4()) for name in rule.arguments}
            client.get(rule.build(values)[1])  # type: ignore[index]
    assert stored() == before
    assert client.get("/").status_code == 200
