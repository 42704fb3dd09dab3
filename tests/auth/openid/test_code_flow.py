"""Signing in at a real OpenID provider, which refuses what it must refuse."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
import time_machine
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import create_app, moments
from portal.auth.openid import code_flow
from portal.database.engine import db
from portal.database.models import AuditEntry, BrowserSession, Identity, Member, User, Workspace
from tests.auth.provider import CALLBACK, Person, Provider, person, running_provider
from tests.conftest import BASE_URL, OutsideClient, sign_in_to
from tests.factories import make_member, make_user, make_workspace


@pytest.fixture(scope="module")
def oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider of its own process."""
    with running_provider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def issuer(oidc_provider: Provider) -> str:
    return oidc_provider.issuer


Start = Callable[..., Flask]


@pytest.fixture
def start(oidc_provider: Provider, environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start the portal with the provider and further settings."""
    apps = []

    def start(**settings: str) -> Flask:
        named = {f"PORTAL_OIDC_{name}": value for name, value in settings.items()}
        app = create_app(environment | oidc_provider.settings | named, instance=tmp_path)
        app.test_client_class = OutsideClient
        context = app.app_context()
        context.push()
        apps.append((app, context))
        return app

    yield start
    for _, context in reversed(apps):
        db.session.remove()
        db.engine.dispose()
        context.pop()


def count(model: Any) -> int:
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def roles() -> dict[tuple[str, str], str]:
    db.session.rollback()
    rows = db.session.execute(
        sa.select(User.email, Workspace.slug, Member.role)
        .join(Member, Member.user_id == User.id)
        .join(Workspace, Workspace.id == Member.workspace_id)
    )
    return {(email, slug): role for email, slug, role in rows}


def test_the_first_person_becomes_admin_of_a_first_workspace(start: Start, issuer: str) -> None:
    ada = person(start())
    assert ada.sign_in().headers["Location"] == "/"
    assert ada.is_signed_in()
    user = db.session.scalars(sa.select(User)).one()
    assert (user.email, user.display_name) == ("ada@acme.example", "Ada Lovelace")
    assert roles() == {("ada@acme.example", "main"): "admin"}
    identity = db.session.scalars(sa.select(Identity)).one()
    assert (identity.issuer, identity.subject) == (issuer, "ada")


def test_beside_the_sample_the_first_person_becomes_admin_of_it_and_the_next_is_refused(start: Start) -> None:
    app = start()
    make_member(make_workspace("acme-voice", "Acme Voice"), make_user("demo@acme.example"))
    assert person(app).sign_in().status_code == 303
    assert roles()["ada@acme.example", "acme-voice"] == "admin"
    refused = person(app, "grace").sign_in()
    assert refused.status_code == 403
    assert "no rule, invitation or account" in refused.text
    assert count(User) == 2


def test_where_somebody_is_a_member_already_nobody_becomes_admin_by_coming_first(start: Start) -> None:
    app = start()
    make_member(make_workspace(), make_user("operator@acme.example"))
    assert person(app).sign_in().status_code == 403
    assert count(User) == 1


def test_the_second_sign_in_finds_the_same_user(start: Start) -> None:
    app = start()
    for _ in range(2):
        assert person(app).sign_in().status_code == 303
    assert (count(User), count(Identity), count(BrowserSession)) == (1, 1, 2)
    kinds = db.session.scalars(sa.select(AuditEntry.kind)).all()
    assert kinds.count("session.started") == 2
    assert {"user.created", "identity.linked", "workspace.created", "member.joined"} <= set(kinds)


def test_rules_say_who_joins_which_workspace_with_which_role(start: Start) -> None:
    app = start(
        JOIN="domain acme.example -> acme viewer; group ops -> acme editor; group voice -> acme viewer; "
        "group ops -> absent admin; anyone -> lounge viewer",
    )
    operator = make_user("operator@acme.example")
    for slug in ("acme", "lounge", "closed"):
        make_member(make_workspace(slug, slug), operator)
    assert person(app).sign_in().status_code == 303
    assert person(app, "grace").sign_in().status_code == 303
    assert {pair: role for pair, role in roles().items() if pair[0] != operator.email} == {
        ("ada@acme.example", "acme"): "viewer",
        ("ada@acme.example", "lounge"): "viewer",
        ("grace@other.example", "acme"): "editor",
        ("grace@other.example", "lounge"): "viewer",
    }


def test_a_role_that_an_admin_gave_stays(start: Start) -> None:
    app = start(JOIN="anyone -> acme viewer")
    make_member(make_workspace(), make_user("operator@acme.example"))
    person(app).sign_in()
    db.session.execute(sa.update(Member).where(Member.role == "viewer").values(role="editor"))
    db.session.commit()
    person(app).sign_in()
    assert roles()["ada@acme.example", "acme"] == "editor"


@pytest.mark.parametrize(("account", "linked"), [("ada", True), ("mallory", False)])
def test_an_account_made_here_is_found_by_a_verified_e_mail_if_the_operator_says_so(
    start: Start, account: str, linked: bool
) -> None:
    app = start(LINK_EMAIL="true", JOIN="anyone -> acme viewer")
    make_member(make_workspace(), make_user("ada@acme.example"), "editor")
    answer = person(app, account).sign_in()
    assert answer.status_code == (303 if linked else 403)
    assert (count(User), count(Identity)) == (1, int(linked))
    assert roles() == {("ada@acme.example", "acme"): "editor"}


def test_without_that_setting_an_e_mail_never_opens_an_account(start: Start) -> None:
    app = start(JOIN="anyone -> acme viewer")
    make_member(make_workspace(), make_user("ada@acme.example"))
    refused = person(app).sign_in()
    assert refused.status_code == 403
    assert "not linked" in refused.text
    assert count(Identity) == 0


def test_an_account_that_is_tied_to_one_identity_is_not_taken_over_by_another(start: Start) -> None:
    app = start(LINK_EMAIL="true", JOIN="anyone -> acme viewer")
    make_workspace()
    assert person(app).sign_in().status_code == 303
    assert person(app, "ada-again").sign_in().status_code == 403
    assert count(Identity) == 1


def test_an_unverified_e_mail_counts_for_nothing_unless_the_provider_is_trusted(
    start: Start,
) -> None:
    app = start(JOIN="anyone -> acme viewer; domain acme.example -> acme admin")
    make_member(make_workspace(), make_user("operator@acme.example"))
    for account in ("mallory", "nobody"):
        refused = person(app, account).sign_in()
        assert refused.status_code == 403
        assert "verified" in refused.text
    trusting = start(JOIN="domain acme.example -> acme admin", TRUST_EMAIL="true")
    assert person(trusting, "mallory").sign_in().status_code == 303


def test_a_deep_link_survives_in_every_tab_of_its_own(start: Start) -> None:
    ada = person(start())
    ada.sign_in()
    deep = ["/?status=failed&search=%C3%A5%26b%2B%23", "/runs/67b83426-5797-57c9-9545-522b6cd26e1b"]
    tabs = person(ada.browser.application)
    addresses = []
    for path in deep:
        login = tabs.browser.get(path, base_url=BASE_URL).headers["Location"]
        page = BeautifulSoup(tabs.browser.get(login, base_url=BASE_URL).text, "html.parser")
        [button] = page.select("main a.primary")
        addresses.append(tabs.begin(str(button["href"])))
    assert all("status" not in address and "runs" not in address for address in addresses)
    assert tabs.arrive(tabs.approve(addresses[0])).headers["Location"] == deep[0]
    other = person(ada.browser.application)
    other.begin("/auth/start?next=/")
    back = other.approve(other.begin(f"/auth/start?next={deep[1]}"))
    assert other.arrive(back).headers["Location"] == deep[1]


def tampered(ada: Person, **changes: str) -> None:
    """Change what the browser's session holds of the sign-in under way."""
    with ada.browser.session_transaction(base_url=BASE_URL) as kept:
        [key] = [key for key in kept if key.startswith("_state_")]
        kept[key] = kept[key] | {"data": kept[key]["data"] | changes}


def refused(ada: Person, answer: TestResponse, status: int = 400) -> None:
    """A clear page with a request id, and nobody is signed in."""
    assert answer.status_code == status
    assert "You are not signed in" in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert not ada.is_signed_in()
    assert count(BrowserSession) == 0


def test_the_request_to_the_provider_carries_pkce_state_and_nonce(start: Start) -> None:
    ada = person(start())
    one, two = (parse_qs(urlsplit(ada.begin()).query) for _ in range(2))
    assert one["code_challenge_method"] == ["S256"]
    assert one["response_type"] == ["code"]
    assert one["redirect_uri"] == [CALLBACK]
    for name in ("state", "nonce", "code_challenge"):
        assert len(one[name][0]) >= 20
        assert one[name] != two[name]


def test_a_wrong_verifier_is_refused_by_the_provider(start: Start) -> None:
    ada = person(start())
    back = ada.approve(ada.begin())
    tampered(ada, verifier="x" * 48)
    refused(ada, ada.arrive(back))


def test_a_wrong_nonce_is_refused(start: Start) -> None:
    ada = person(start())
    back = ada.approve(ada.begin())
    tampered(ada, nonce="y" * 20)
    refused(ada, ada.arrive(back))


def test_a_state_is_used_once_and_only_in_the_browser_that_began(start: Start) -> None:
    ada = person(start())
    back = ada.approve(ada.begin())
    victim = person(ada.browser.application)
    refused(victim, victim.arrive(back))
    refused(victim, victim.arrive(back.replace("state=", "state=x")))
    refused(victim, victim.arrive("/auth/callback"))
    assert ada.arrive(back).status_code == 303
    assert ada.arrive(back).status_code == 400


def test_a_code_that_is_replayed_with_a_kept_cookie_is_refused_by_the_provider(start: Start) -> None:
    ada = person(start())
    back = ada.approve(ada.begin())
    cookie = ada.browser.get_cookie("portal", domain="127.0.0.1")
    assert cookie is not None
    assert ada.arrive(back).status_code == 303
    thief = person(ada.browser.application)
    thief.browser.set_cookie("portal", cookie.value, domain="127.0.0.1")
    assert thief.arrive(back).status_code == 400
    assert not thief.is_signed_in()


def test_a_sign_in_that_took_more_than_a_quarter_of_an_hour_is_refused(start: Start) -> None:
    ada = person(start())
    back = ada.approve(ada.begin())
    with time_machine.travel(moments.now().timestamp() + 901):
        assert ada.arrive(back).status_code == 400


def test_what_the_provider_refuses_is_said_without_its_words(start: Start) -> None:
    ada = person(start())
    for error, said in (
        ("access_denied", "does not let you in"),
        ("server_error", "server_error"),
        ("<script>x</script>", "unknown"),
    ):
        state = parse_qs(urlsplit(ada.begin()).query)["state"][0]
        back = ada.browser.get(
            "/auth/callback",
            query_string={"error": error, "error_description": "<b>words</b>", "state": state},
            base_url=BASE_URL,
        )
        refused(ada, back)
        assert said in back.text
        assert "<b>words" not in back.text


def test_another_provider_that_answers_is_refused(start: Start) -> None:
    ada = person(start())
    back = ada.approve(ada.begin())
    assert "iss=" in back
    refused(ada, ada.arrive(back.replace("iss=http", "iss=https")))


def test_signing_in_gives_the_browser_a_new_session_and_ends_the_old_one(start: Start) -> None:
    ada = person(start())
    ada.sign_in()
    first = ada.browser.get_cookie("portal", domain="127.0.0.1")
    ada.sign_in()
    assert count(BrowserSession) == 1
    assert first is not None
    thief = person(ada.browser.application)
    thief.browser.set_cookie("portal", first.value, domain="127.0.0.1")
    assert not thief.is_signed_in()


def test_many_begun_sign_ins_never_make_a_cookie_that_browsers_drop(start: Start) -> None:
    ada = person(start())
    long = "/?search=" + "x" * 1900
    for _ in range(12):
        ada.begin(f"/auth/start?next={long}")
        cookie = ada.browser.get_cookie("portal", domain="127.0.0.1")
        assert cookie is not None
        assert len(cookie.value) < 4000
    assert ada.sign_in(f"/auth/start?next={long}").headers["Location"] == long


def test_the_one_time_link_works_beside_the_provider(start: Start) -> None:
    app = start()
    user = make_user()
    make_member(make_workspace(), user)
    assert sign_in_to(app, user).get("/").status_code == 200


def test_a_provider_that_is_down_is_said_with_a_503(start: Start) -> None:
    app = start()
    client = app.extensions["portal.oidc"][2]
    client._server_metadata_url = "http://127.0.0.1:1/.well-known/openid-configuration"
    answer = app.test_client().get("/auth/start", base_url=BASE_URL)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    assert app.test_client().get("/login").status_code == 200


GOOD = {
    "issuer": "https://id.example",
    "authorization_endpoint": "https://id.example/a",
    "token_endpoint": "https://id.example/t",
    "jwks_uri": "https://id.example/k",
}


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://id.example/t"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": 7},
    ],
)
def test_a_description_that_cannot_be_believed_is_refused(change: dict[str, Any]) -> None:
    url = GOOD["issuer"] + code_flow.DISCOVERY
    assert code_flow.check_metadata(dict(GOOD), url)
    with pytest.raises(ValueError, match="its"):
        code_flow.check_metadata(GOOD | change, url)


def test_only_signatures_with_the_providers_keys_are_taken() -> None:
    offered = {"id_token_signing_alg_values_supported": ["none", "HS256", "RS256", "ES256"]}
    checked = code_flow.check_metadata(GOOD | offered, GOOD["issuer"] + code_flow.DISCOVERY)
    assert checked["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]


def test_without_a_provider_there_is_no_way_to_begin(client: FlaskClient) -> None:
    assert client.get("/auth/start").status_code == 404
    assert client.get("/auth/callback?code=x&state=y").status_code == 404
    assert "flask signin-link" in client.get("/login").text
