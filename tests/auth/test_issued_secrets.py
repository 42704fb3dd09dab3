"""Every kind of secret is issued through real use and then looked for wherever the portal leaves a trace."""

import base64
import io
import json
import logging
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import create_app
from portal.database.columns import Base
from portal.database.engine import db
from portal.database.models import User, Workspace
from portal.web.logs import JsonFormatter
from tests import cluster as clusters
from tests.auth.provider import CLIENT_SECRET, Person, Provider, running_provider
from tests.auth.provider_keys import ISSUER, PARTY, claims, key_server, key_set, sign
from tests.conftest import BASE_URL, SECRET_KEY, OutsideClient
from tests.factories import make_detail, make_member, make_output, make_run, make_user, make_workflow
from tests.session_tokens import KEY, let_in

SAME = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Traces:
    """What the portal issued, and what it said and wrote."""

    app: Flask
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[TestResponse] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    """What commands print that are not there to show a secret."""

    def ask(self, browser: FlaskClient, method: str, path: str, **options: Any) -> TestResponse:
        options["headers"] = SAME | options.get("headers", {})
        answer = browser.open(path, method=method, base_url=BASE_URL, **options)
        self.answers.append(answer)
        logging.getLogger("server").info('127.0.0.1 "%s %s HTTP/1.1" %s', method, path, answer.status_code)
        return answer

    def run(self, *words: str) -> str:
        done = self.app.test_cli_runner().invoke(args=list(words))
        assert done.exit_code in (0, 1), done.output
        return done.output


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The log as operators see it, with the chatter of libraries."""
    root, kept, handler = logging.getLogger(), io.StringIO(), logging.StreamHandler()
    handler.setStream(kept)
    handler.setFormatter(JsonFormatter())
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    yield kept
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with running_provider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def traces(oidc_provider: Provider, environment: dict[str, str], tmp_path: Path) -> Iterator[Traces]:
    with key_server() as server:
        server.serve(key_set(KEY))
        tokens = {
            "PORTAL_JWT_ISSUER": ISSUER,
            "PORTAL_JWT_JWKS_URL": server.url,
            "PORTAL_JWT_AUTHORIZED_PARTIES": PARTY,
        }
        app = create_app(environment | oidc_provider.settings | tokens, instance=tmp_path)
        app.test_client_class = OutsideClient
        with app.app_context():
            yield Traces(app)
            db.session.remove()
            db.engine.dispose()


def test_no_secret_that_was_issued_is_found_anywhere(
    traces: Traces, oidc_provider: Provider, written: io.StringIO, tmp_path: Path
) -> None:
    ada = signed_in_at_the_provider(traces)
    workspace = db.session.scalars(sa.select(Workspace)).one()
    links_of_the_command_line(traces, ada.browser)
    keys_of_the_pages(traces, ada.browser, workspace.id)
    keys_of_the_api(traces, workspace.id)
    ingest_keys(traces, ada.browser, workspace.id)
    hooks(traces)
    invitations(traces, ada.browser, workspace.id)
    links_to_files(traces, workspace)
    for number, token in enumerate(sorted(oidc_provider.tokens())):
        traces.secrets[f"token {number} of the provider"] = token
    traces.secrets |= {"secret key": SECRET_KEY, "client secret": CLIENT_SECRET}
    assert len(traces.secrets) >= 20
    asked_wrongly(traces, ada.browser)
    with broken_database(traces.app):
        asked_wrongly(traces, ada.browser)
    for words in (["audit", "export"], ["audit", "export", "--json"], ["keys", "list", "--json"], ["doctor"]):
        traces.printed.append(traces.run(*words))

    places = stored(traces.app, tmp_path) | {"log": written.getvalue().encode()}
    places |= {f"command {number}": text.encode() for number, text in enumerate(traces.printed)}
    assert [place for place, content in places.items() if not content] == []
    assert b"[redacted]" in places["log"]
    found = [(name, place) for place, content in places.items() for name in spotted(traces, content)]
    found += [(name, address) for name, address in shown(traces)]
    assert found == []


def signed_in_at_the_provider(traces: Traces) -> Person:
    ada = Person("ada", traces.app.test_client())
    ada.begin()
    with ada.browser.session_transaction(base_url=BASE_URL) as kept:
        [under_way] = [kept[key] for key in kept if key.startswith("_state_")]
        traces.secrets |= {"verifier": under_way["data"]["verifier"], "nonce": under_way["data"]["nonce"]}
    address = ada.approve(ada.begin())
    sent = parse_qs(urlsplit(address).query)
    traces.secrets |= {"code": sent["code"][0], "state": sent["state"][0]}
    traces.ask(ada.browser, "GET", address.removeprefix(BASE_URL))
    traces.secrets |= cookies(ada.browser, "Ada's")
    assert ada.is_signed_in()
    return ada


def cookies(browser: FlaskClient, whose: str) -> dict[str, str]:
    cookie = browser.get_cookie("portal", domain="127.0.0.1")
    assert cookie is not None
    with browser.session_transaction(base_url=BASE_URL) as kept:
        return {f"{whose} cookie": cookie.value, f"{whose} session": kept["token"]}


def links_of_the_command_line(traces: Traces, ada: FlaskClient) -> None:
    for name in ("used", "unused"):
        link = traces.run("signin-link", "ada@acme.example").strip()
        traces.secrets[f"{name} sign-in link"] = link.rsplit("/", 1)[1]
        browser, path = traces.app.test_client(), link.removeprefix(BASE_URL)
        traces.ask(browser, "GET", path)
        if name == "used":
            assert traces.ask(browser, "POST", path).status_code == 303
            traces.secrets |= cookies(browser, "another")
            assert traces.ask(browser, "POST", path).status_code == 404


def keys_of_the_pages(traces: Traces, ada: FlaskClient, workspace_id: UUID) -> None:
    workspace = db.session.get_one(Workspace, workspace_id)
    made = traces.run(
        *("keys", "create", "--workspace", workspace.slug, "--user", "ada@acme.example"),
        *("--name", "cli", "--scope", "workflows:read"),
    )
    traces.secrets["key of the command line"] = key_in(made)
    keys = f"/settings/workspaces/{workspace_id}/keys"
    form = {"name": "page", "scopes": "workflows:read"}
    page = traces.ask(ada, "POST", keys, data=form).headers["Location"]
    traces.secrets["key of the page"] = key_in(traces.ask(ada, "GET", page).text)
    traces.ask(ada, "GET", page)
    page = traces.ask(ada, "POST", f"{page}/rotate").headers["Location"]
    traces.secrets["rotated key of the page"] = key_in(traces.ask(ada, "GET", page).text)
    for key in [value for name, value in traces.secrets.items() if "key of" in name]:
        bearer = {"Authorization": f"Bearer {key}"}
        traces.ask(traces.app.test_client(), "GET", "/api/v1/auth/whoami", headers=bearer)


def key_in(text: str, prefix: str = "op_live_") -> str:
    [key] = set(re.findall(rf"{prefix}[0-9A-Za-z]{{32}}", text))
    return str(key)


def ingest_keys(traces: Traces, ada: FlaskClient, workspace_id: UUID) -> None:
    ways_in = f"/settings/workspaces/{workspace_id}/ways-in"
    for kind, prefix, option in (("history", "op_ing_", "--ingest"), ("ping", "op_ping_", "--ping")):
        page = traces.ask(ada, "POST", ways_in, data={"kind": kind, "name": "page"}).headers["Location"]
        shown = key_in(traces.ask(ada, "GET", page).text, prefix)
        printed = key_in(traces.run("keys", "create", "--name", "cli", option), prefix)
        traces.secrets |= {f"{kind} key of the page": shown, f"{kind} key of the command line": printed}
        for path in (page, ways_in):
            traces.ask(ada, "GET", path)
        for key in (shown, printed):
            bearer, script = {"Authorization": f"Bearer {key}"}, traces.app.test_client()
            for line in ({"type": "workflow", "id": str(workspace_id), "name": "x"}, {"type": key}):
                traces.ask(script, "POST", "/api/v1/history", headers=bearer, json=line)
            for rest in ("x?create=1", "x/start", "x/what", "absent/1"):
                traces.ask(script, "POST", f"/ping/{key}/{rest}", data=b"done")


def hooks(traces: Traces) -> None:
    for kind, proof in (("github", "X-Hub-Signature-256"), ("gitlab", "X-Gitlab-Token")):
        made = json.loads(traces.run("hooks", "add", "--kind", kind, "--repository", "a/b", "--json"))
        rotated = json.loads(traces.run("hooks", "rotate", made["id"], "--json"))
        for name, secret in (("secret", made["secret"]), ("rotated secret", rotated["secret"])):
            traces.secrets[f"{name} of a hook of {kind}"] = secret
            for body in ({}, {"object_kind": "pipeline"}, [secret]):
                path = urlsplit(made["address"]).path
                traces.ask(traces.app.test_client(), "POST", path, headers={proof: secret}, json=body)
    traces.printed.append(traces.run("hooks", "list", "--json"))


def keys_of_the_api(traces: Traces, workspace_id: UUID) -> None:
    script, user = traces.app.test_client(), let_in(db.session.scalars(sa.select(User)).one())
    token = sign(KEY, claims(sub=str(user.id)))
    traces.secrets["session token"] = token
    traces.secrets["bad session token"] = sign(KEY, claims(sub="ada", iss="https://evil.example"))
    headers = {"Authorization": f"Bearer {token}", "X-Workspace-Id": str(workspace_id)}
    made = traces.ask(script, "POST", "/api/v1/api-keys", headers=headers, json={"name": "api"}).json
    assert made is not None
    traces.secrets["key of the API"] = key_in(str(made))
    path = f"/api/v1/api-keys/{made['data']['id']}/rotate"
    traces.secrets["rotated key of the API"] = key_in(traces.ask(script, "PATCH", path, headers=headers).text)
    refused = {"Authorization": f"Bearer {traces.secrets['bad session token']}"}
    assert traces.ask(script, "GET", "/api/v1/workflows", headers=refused).status_code == 401


def invitations(traces: Traces, ada: FlaskClient, workspace_id: UUID) -> None:
    members = f"/settings/workspaces/{workspace_id}"
    for name in ("seen", "unseen"):
        form = {"email": f"{name}@acme.example", "role": "viewer"}
        traces.ask(ada, "POST", f"{members}/invitations", data=form)
        page = traces.ask(ada, "GET", f"{members}/members").text
        [token] = re.findall(r"/invitations/([\w-]+)</code>", page)
        traces.secrets[f"{name} invitation"] = token
        if name == "seen":
            traces.ask(traces.app.test_client(), "GET", f"/invitations/{token}")


def links_to_files(traces: Traces, workspace: Workspace) -> None:
    make_member(workspace, make_user("maker@acme.example"))
    run = make_run(make_workflow(workspace))
    make_detail(run, definition_snapshot={"graph": {"nodes": [{"id": "out", "type": "sink_preview"}]}})
    make_output(run, workspace, {"script": "hello", "takes": [{"audio": b"RIFF"}]})
    bearer = {"Authorization": f"Bearer {traces.secrets['key of the command line']}"}
    script = traces.app.test_client()
    path = f"/api/v1/workflows/{run.workflow_id}/runs/{run.id}/download"
    url = traces.ask(script, "GET", path, headers=bearer).json["data"]["url"]  # type: ignore[index]
    traces.secrets["signature of a link"] = parse_qs(urlsplit(url).query)["signature"][0]
    assert traces.ask(script, "GET", url.removeprefix(BASE_URL)).status_code == 200


def asked_wrongly(traces: Traces, ada: FlaskClient) -> None:
    """Every secret where it does not belong: in addresses, forms, bodies and headers."""
    for secret in traces.secrets.values():
        stranger = traces.app.test_client()
        for path in (
            "/signin/{}/x",
            "/invitations/{}/x",
            "/?token={}",
            "/ping/{}/x",
            "/auth/callback?code={}&state={}",
        ):
            traces.ask(stranger, "GET", path.format(secret, secret))
        traces.ask(stranger, "GET", "/api/v1/workflows?limit=0", headers={"X-Api-Key": secret})
        traces.ask(stranger, "GET", "/api/v1/workflows", headers={"Authorization": f"Bearer {secret}"})
        traces.ask(stranger, "POST", f"/signin/{secret}", data={"code": secret})
        traces.ask(ada, "POST", "/theme", data={"theme": secret})


@contextmanager
def broken_database(app: Flask) -> Iterator[None]:
    """Without the tables that hold hashes: what looks one up fails, with the statement in the log."""
    names = ("signin_links", "api_keys", "sessions", "ingest_keys")

    def rename(old: str, new: str) -> None:
        db.session.remove()
        with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
            for name in names:
                connection.exec_driver_sql(f"ALTER TABLE {old.format(name)} RENAME TO {new.format(name)}")

    rename("{}", "{}_away")
    yield
    rename("{}_away", "{}")


def stored(app: Flask, folder: Path) -> dict[str, bytes]:
    """Everything that is kept: rows, files, and a backup as the README says to make one."""
    db.session.remove()
    with db.engine.connect() as reader:
        rows = [reader.execute(sa.select(table)).all() for table in Base.metadata.sorted_tables]
    kept = {"rows": repr(rows).encode()}
    if db.engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(folder / "portal.sqlite3")) as connection:
            connection.execute("VACUUM INTO ?", (str(folder / "backup.sqlite3"),))
    elif programs := clusters.binaries():
        url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        kept["dump"] = subprocess.run(
            [str(programs / "pg_dump"), url], capture_output=True, check=True, timeout=60
        ).stdout
    files = [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size]
    return kept | {str(file.relative_to(folder)): file.read_bytes() for file in files}


def spotted(traces: Traces, content: bytes) -> list[str]:
    """The names of the secrets that stand in this, plainly or thinly veiled."""

    def forms(secret: str) -> tuple[bytes, ...]:
        raw = secret.encode()
        return raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")

    return [name for name, secret in traces.secrets.items() if any(f in content for f in forms(secret))]


def shown(traces: Traces) -> Iterator[tuple[str, str]]:
    """Secrets in an answer: more than once, in a failure, or where it was not this one's to show."""
    for name, secret in traces.secrets.items():
        showing = [answer for answer in traces.answers if secret.encode() in answer.data]
        ours = [answer for answer in showing if secret not in answer.request.url]
        failures = [answer for answer in showing if answer.status_code >= 400]
        for answer in ours[1:] + failures:
            yield name, f"{answer.status} {answer.request.path}"
