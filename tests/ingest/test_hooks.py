"""Deliveries to hooks: who may send them, that none counts twice, and what they bring in."""

import contextvars
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from time_machine import travel
from werkzeug.test import TestResponse

from portal import config
from portal.database.engine import db
from portal.database.models import Hook, HookDelivery, Run, Step, Workflow, Workspace
from portal.database.transactions import writing
from portal.errors import InvalidQuery
from portal.ingest.hooks import management
from portal.ingest.hooks.management import HookSpec, HookWithSecret
from tests.factories import NOON, make_workspace
from tests.history.sources.test_github import a_job, a_run
from tests.history.sources.test_gitlab import an_event

Json = dict[str, Any]
Send = Callable[..., TestResponse]


def completed(**fields: Any) -> Json:
    return {
        "action": "completed",
        "workflow_run": a_run(**fields),
        "workflow": {"name": "CI"},
        "repository": {"full_name": "some/where"},
    }


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def github(workspace: Workspace) -> HookWithSecret:
    return management.add(workspace, HookSpec.parse("github", ["acme/web", "acme-labs/*"]), NOON)


@pytest.fixture
def gitlab(workspace: Workspace) -> HookWithSecret:
    return management.add(workspace, HookSpec.parse("gitlab", ["acme/*"]), NOON)


@pytest.fixture
def send(app: Flask, github: HookWithSecret) -> Send:
    """Send a body to the hook as GitHub does; the delivery is named by the body if it is not given."""

    def send(
        body: object, *, secret: str = github.secret, delivery: str | None = None, **headers: str
    ) -> TestResponse:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = "sha256=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        name = hashlib.sha256(text).hexdigest()[:36] if delivery is None else delivery
        sent = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": name, **headers}
        return app.test_client().post(
            f"/hooks/github/{github.row.address}",
            data=text,
            headers={key: value for key, value in sent.items() if value},
            content_type="application/json",
        )

    return send


def runs() -> list[tuple[str, str]]:
    """The names of workflows, and the status of their runs."""
    db.session.rollback()
    found = db.session.execute(sa.select(Workflow.name, Run.status).join(Run).order_by(Run.created_at))
    return [(name, status) for name, status in found]


def data(answer: TestResponse) -> Json:
    found: Json = answer.get_json()["data"]
    return found


def test_an_event_of_a_run_brings_it_in(send: Send, github: HookWithSecret) -> None:
    answer = send(completed())
    assert answer.status_code == 202
    assert data(answer) == {"accepted": 1, "unchanged": 0, "refused": [], "repeated": False}
    assert runs() == [("CI", "completed")]
    assert [hook.last_heard_at is not None for hook, _ in management.list_hooks(None)] == [True]


def test_events_out_of_order_end_with_the_end(send: Send) -> None:
    for body in (
        {"action": "queued", "workflow_job": a_job(status="queued", conclusion=None, completed_at=None)},
        completed(),
        {"action": "completed", "workflow_job": a_job()},
        {"action": "in_progress", "workflow_run": a_run(status="in_progress", conclusion=None)},
    ):
        assert send(body).status_code == 202
    assert runs() == [("CI", "completed")]
    assert db.session.scalars(sa.select(Step.status)).all() == ["completed"]


def test_a_body_that_is_not_signed_is_refused(send: Send) -> None:
    for wrong in (
        send(completed(), secret="wrong"),
        send(completed(), **{"X-Hub-Signature-256": ""}),
        send(completed(), **{"X-Hub-Signature-256": "sha1=" + "0" * 40}),
    ):
        assert wrong.status_code == 401
        assert wrong.get_json()["error"]["message"].startswith("X-Hub-Signature-256")
    assert runs() == []


def test_a_hook_that_is_not_there_is_not_told_apart(
    app: Flask, github: HookWithSecret, workspace: Workspace
) -> None:
    client = app.test_client()
    for path in ("github/unknown", f"gitlab/{github.row.address}", f"github/{github.row.id}"):
        assert client.post(f"/hooks/{path}", data=b"{}").status_code == 404
    with writing() as session:
        session.execute(sa.update(Workspace).values(deleted_at=NOON))
    assert client.post(f"/hooks/github/{github.row.address}", data=b"{}").status_code == 404


def test_a_delivery_counts_once_whatever_name_it_bears(send: Send) -> None:
    """The signature is of the body: whoever records it could send it again under another name."""
    assert data(send(completed(), delivery="1"))["repeated"] is False
    again, renamed = send(completed(), delivery="1"), send(completed(), delivery="2")
    assert (again.status_code, data(again)["repeated"], data(renamed)["repeated"]) == (202, True, True)
    other = send(completed(run_number=13), delivery="1")
    assert data(other)["repeated"] is True
    assert len(runs()) == 1


def test_deliveries_are_forgotten_after_three_days(send: Send) -> None:
    with travel(NOON, tick=False) as clock:
        send(completed(), delivery="1")
        clock.shift(timedelta(days=3, seconds=1))
        send(completed(id=2), delivery="2")
        left = {key for key in db.session.scalars(sa.select(HookDelivery.key)) if key.startswith("id:")}
        assert left == {"id:2"}
        answer = data(send(completed(), delivery="1"))
    assert (answer["repeated"], answer["unchanged"]) == (False, 1)  # it changes nothing even so


def test_a_delivery_that_could_not_be_stored_may_come_again(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("portal.ingest.hooks.receiving.import_lines", fail)
        assert send(completed()).status_code == 500
    assert data(send(completed()))["repeated"] is False
    assert len(runs()) == 1


@pytest.mark.slow
def test_events_of_other_repositories_are_refused(send: Send) -> None:
    def of(name: str) -> int:
        return send(completed(repository={"full_name": name})).status_code

    assert of("acme/api") == 403
    assert (of("ACME/Web"), of("acme-labs/x"), of("acme-labs-2/x")) == (202, 202, 403)


def test_pings_and_other_events_bring_nothing_in(send: Send) -> None:
    for body in ({"zen": "Practicality beats purity.", "hook_id": 1}, {"action": "opened", "issue": {}}):
        answer = send(body)
        assert (answer.status_code, answer.data) == (204, b"")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"payload=%7B%7D", "The body is not JSON: choose application/json as the content type."),
        (b"[1]", "The body is not a JSON object."),
        (b"[" * 100_000, "The body is not JSON: choose application/json as the content type."),
        (
            b'{"action": "completed", "workflow_run": {"status": "queued", "repository": {}}}',
            "workflow_run.id is missing.",
        ),
    ],
)
def test_a_signed_body_that_makes_no_sense_says_why(send: Send, body: bytes, message: str) -> None:
    answer = send(body)
    assert (answer.status_code, answer.get_json()["error"]["message"]) == (400, message)


def test_a_delivery_needs_its_name_and_its_size_is_limited(send: Send) -> None:
    assert send(completed(), delivery="").status_code == 400
    assert send(completed(), delivery="x" * 101).status_code == 400
    assert send(b'{"x": "' + b"x" * (5 * 1024 * 1024) + b'"}').status_code == 413


def test_during_a_rotation_both_secrets_are_good(send: Send, github: HookWithSecret) -> None:
    with travel(NOON, tick=False) as clock:
        new = management.rotate(github.row.id, 7, NOON).secret
        assert new != github.secret
        assert send(completed(), secret=new).status_code == 202
        assert send(completed(id=2), secret=github.secret).status_code == 202
        clock.shift(timedelta(days=7))
        assert send(completed(id=3), secret=github.secret).status_code == 401
        assert send(completed(id=4), secret=new).status_code == 202
    now = management.rotate(github.row.id, 0, NOON).secret
    assert send(completed(id=5), secret=new).status_code == 401
    assert send(completed(id=6), secret=now).status_code == 202


def test_a_secret_outlives_a_new_key_of_the_portal_while_the_former_one_counts(
    app: Flask, send: Send, github: HookWithSecret
) -> None:
    former = config.settings_of(app)
    key = "b9" * 32
    config.init_app(app, replace(former, secret_key=key, secret_key_fallbacks=(former.secret_key,)))
    assert send(completed()).status_code == 202
    renewed = management.rotate(github.row.id, 7, NOON).secret
    config.init_app(app, replace(former, secret_key=key))
    assert send(completed(id=2)).status_code == 401
    assert send(completed(id=3), secret=renewed).status_code == 202


def test_no_secret_is_in_the_database(github: HookWithSecret) -> None:
    stored = db.session.execute(sa.select(sa.inspect(Hook).local_table)).all()
    assert github.secret not in str(stored)
    assert len(github.secret) == 64


def test_a_removed_hook_takes_nothing_and_what_it_brought_stays(send: Send, github: HookWithSecret) -> None:
    send(completed())
    management.remove(github.row.id, NOON)
    assert send(completed(id=2)).status_code == 404
    assert len(runs()) == 1


def to_gitlab(app: Flask, hook: HookWithSecret, body: object, **headers: str) -> TestResponse:
    sent = {"X-Gitlab-Token": hook.secret, **headers}
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return app.test_client().post(f"/hooks/gitlab/{hook.row.address}", data=text, headers=sent)


def test_gitlab_is_known_by_its_token(app: Flask, gitlab: HookWithSecret) -> None:
    assert to_gitlab(app, gitlab, an_event(), **{"X-Gitlab-Token": "wrong"}).status_code == 401
    assert runs() == []
    assert to_gitlab(app, gitlab, an_event()).status_code == 202
    assert runs() == [("acme/web", "completed")]


def test_gitlab_gets_a_good_answer_to_whatever_has_the_token(app: Flask, gitlab: HookWithSecret) -> None:
    """After four bad ones it would switch the hook off."""
    other = an_event(project={"path_with_namespace": "else/where"})
    broken = an_event(object_attributes={"id": 1, "status": "odd"})
    for body, field in ((b"{", ""), (other, "project"), (broken, "object_attributes.status")):
        answer = to_gitlab(app, gitlab, body)
        assert (answer.status_code, [each["field"] for each in data(answer)["refused"]]) == (202, [field])
    assert to_gitlab(app, gitlab, {"object_kind": "push"}).status_code == 204
    assert runs() == []


def test_a_retry_of_gitlab_counts_once(app: Flask, gitlab: HookWithSecret) -> None:
    first, second = (
        to_gitlab(app, gitlab, an_event(builds=[] if number else None), **{"Idempotency-Key": "k1"})
        for number in range(2)
    )
    assert (data(first)["repeated"], data(second)["repeated"]) == (False, True)


def test_samples_of_events_are_taken(app: Flask, workspace: Workspace, history: Path, send: Send) -> None:
    hook = management.add(
        workspace,
        HookSpec.parse("github", ["octo-org/*", "wolfy1339/*", "lineville/*"]),
        NOON,
    )
    for file in sorted((history / "sources" / "github").glob("webhook-*")):
        body = file.read_bytes()
        signature = "sha256=" + hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": file.name}
        answer = app.test_client().post(f"/hooks/github/{hook.row.address}", data=body, headers=headers)
        assert answer.status_code == 202, (file.name, answer.text)
        assert data(answer)["refused"] == [], file.name
    assert sorted(runs()) == [
        ("CodeQL", "running"),
        ("Env Test", "running"),
        ("Test", "running"),
        ("test", "completed"),
    ]


@pytest.mark.parametrize(
    ("kind", "repositories", "fields"),
    [
        ("jenkins", ["acme/web"], ["kind"]),
        ("github", [], ["repository"]),
        ("github", ["acme"], ["repository"]),
        ("github", ["*/*"], ["repository"]),
        ("github", ["acme/web/"], ["repository"]),
        ("github", ["acme/we b"], ["repository"]),
        ("svn", ["acme/web"] * 101, ["kind", "repository"]),
    ],
)
def test_a_hook_is_for_repositories_of_github_or_gitlab(
    kind: str, repositories: list[str], fields: list[str]
) -> None:
    with pytest.raises(InvalidQuery) as refused:
        HookSpec.parse(kind, repositories)
    assert [error.field for error in refused.value.errors] == fields


def test_a_project_in_a_subgroup_has_a_name(app: Flask) -> None:
    assert HookSpec.parse("gitlab", ["a/b/c", "a/b/*", "a/b/c"]).repositories == ("a/b/c", "a/b/*")


def test_hooks_are_managed_at_the_command_line(app: Flask, workspace: Workspace) -> None:
    runner = app.test_cli_runner()

    def run(*words: str) -> Any:
        result = contextvars.Context().run(runner.invoke, args=["hooks", *words, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    added = run("add", "--kind", "github", "--repository", "acme/web", "--repository", "acme/api")
    assert added["address"].startswith("http://127.0.0.1:8000/hooks/github/")
    [listed] = run("list")
    assert (listed["id"], listed["repositories"], "secret" in listed) == (
        added["id"],
        ["acme/web", "acme/api"],
        False,
    )
    assert run("rotate", added["id"], "--overlap-days", "1")["secret"] != added["secret"]
    run("remove", added["id"])
    assert run("list") == []
    refused = runner.invoke(args=["hooks", "remove", added["id"]])
    assert (refused.exit_code, f"There is no hook {added['id']}." in refused.output) == (1, True)


@pytest.mark.parametrize("address", ["nowhere", "a%00b", "%F0%9F%92%A9", "x" * 3000])
def test_an_address_that_is_none_is_not_found(app: Flask, address: str) -> None:
    for system in ("github", "gitlab"):
        assert app.test_client().post(f"/hooks/{system}/{address}", data=b"{}").status_code == 404
