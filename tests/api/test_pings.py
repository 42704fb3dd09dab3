"""Ping addresses: that a run began, ended or is alive, in the forms that healthchecks' clients send."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.database.engine import db
from portal.database.models import IngestHour, IngestRefusal, Run, Step, StepResult, User, Workflow, Workspace
from portal.ingest import pings
from portal.ingest.pings import MAX_OUTPUT
from tests.factories import make_ingest_key, make_member, make_user, make_workspace

RID = "728b3763-6eb9-4ae4-a1e4-d3de2f3e2a50"


@dataclass
class Pinger:
    """A cron job with a ping key."""

    app: Flask
    workspace: Workspace
    key: str

    def ping(self, rest: str = "/db-backup", method: str = "GET", **options: Any) -> TestResponse:
        return self.app.test_client().open(f"/ping/{self.key}{rest}", method=method, **options)

    def said(self, rest: str = "/db-backup", method: str = "GET", **options: Any) -> tuple[int, str]:
        answer = self.ping(rest, method, **options)
        return answer.status_code, answer.text


@pytest.fixture
def pinger(app: Flask) -> Pinger:
    workspace = make_workspace()
    return Pinger(app, workspace, make_ingest_key(workspace, "ping"))


def runs() -> list[Run]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(sa.select(Run).order_by(Run.created_at, Run.run_number)))


def statuses() -> list[str]:
    return [run.status for run in runs()]


def the_run() -> Run:
    [run] = runs()
    return run


def the_step() -> Step:
    db.session.rollback()
    return db.session.scalars(sa.select(Step)).one()


def output() -> str:
    db.session.rollback()
    kept = db.session.scalars(sa.select(StepResult.result)).one()
    assert kept is not None
    return str(kept["output"])


def test_the_first_ping_makes_the_workflow_only_if_it_is_told_to(pinger: Pinger) -> None:
    assert pinger.ping().status_code == 404
    assert runs() == []
    assert pinger.said("/db-backup?create=1") == (201, "Created")
    assert pinger.said("/db-backup?create=1") == (200, "OK")
    assert pinger.said() == (200, "OK")
    assert statuses() == ["completed"] * 3
    [workflow] = db.session.scalars(sa.select(Workflow))
    assert (workflow.name, workflow.workspace_id) == ("db-backup", pinger.workspace.id)


def test_a_start_and_an_end_of_one_rid_are_one_run(pinger: Pinger) -> None:
    assert pinger.said(f"/db-backup/start?rid={RID}&create=1") == (201, "Created")
    assert statuses() == ["running"]
    assert pinger.said(f"/db-backup/0?rid={RID}", "POST", data=b"42 tables\n") == (200, "OK")
    run = the_run()
    assert (run.status, run.error, run.imported) == ("completed", None, True)
    assert run.started_at is not None
    assert run.completed_at is not None
    assert run.started_at < run.completed_at
    step = the_step()
    assert (step.node_id, step.status) == ("command", "completed")
    assert output() == "42 tables\n"


def test_an_exit_status_fails_the_run_and_is_kept(pinger: Pinger) -> None:
    pinger.ping(f"/db-backup/start?rid={RID}&create=1")
    pinger.ping(f"/db-backup/137?rid={RID}")
    assert (the_run().status, the_run().error) == ("failed", "Exit status 137")
    assert (the_step().source or {})["exit_code"] == 137


@pytest.mark.parametrize(
    ("what", "status"),
    [("", "completed"), ("/0", "completed"), ("/1", "failed"), ("/255", "failed"), ("/fail", "failed")],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_form_ends_a_run_by_every_method(pinger: Pinger, what: str, status: str, method: str) -> None:
    assert pinger.ping(f"/nightly{what}?create=1", method).status_code == 201
    assert statuses() == [status]


def test_an_end_without_rid_ends_the_latest_open_run(pinger: Pinger) -> None:
    for _ in range(2):
        pinger.ping("/db-backup/start?create=1")
    pinger.ping("/db-backup/fail")
    assert sorted(statuses()) == ["failed", "running"]
    first, second = runs()
    assert (first.status, second.status) == ("running", "failed")
    pinger.ping("/db-backup")
    assert statuses() == ["completed", "failed"]
    pinger.ping("/db-backup")
    assert statuses() == ["completed", "failed", "completed"]
    assert runs()[-1].started_at is None


def test_an_end_is_of_its_own_workflow(pinger: Pinger) -> None:
    pinger.ping("/a/start?create=1")
    pinger.ping("/b/fail?create=1")
    assert statuses() == ["running", "failed"]


def test_runs_that_overlap_are_told_apart_by_rid(pinger: Pinger) -> None:
    one, other = uuid4(), uuid4()
    for rid in (one, other):
        pinger.ping(f"/db-backup/start?rid={rid}&create=1")
    pinger.ping(f"/db-backup/fail?rid={one}")
    pinger.ping(f"/db-backup/0?rid={other}")
    assert statuses() == ["failed", "completed"]


def test_pings_may_come_twice_and_out_of_order(pinger: Pinger) -> None:
    pinger.ping(f"/db-backup/0?rid={RID}&create=1")
    for _ in range(2):
        pinger.ping(f"/db-backup/start?rid={RID}")
    assert statuses() == ["completed"]


def test_a_log_is_a_sign_of_life_with_the_output_so_far(pinger: Pinger) -> None:
    pinger.ping(f"/db-backup/start?rid={RID}&create=1")
    for text in (b"10 %", b"20 %"):
        assert pinger.said(f"/db-backup/log?rid={RID}", "POST", data=text) == (200, "OK")
    assert statuses() == ["running"]
    assert output() == "20 %"
    pinger.ping("/db-backup/log", "POST", data=b"30 %")
    assert output() == "30 %"
    pinger.ping(f"/db-backup?rid={RID}")
    assert statuses() == ["completed"]
    assert output() == "30 %"


def test_a_log_without_a_run_makes_none(pinger: Pinger) -> None:
    pinger.ping("/db-backup?create=1")
    assert pinger.said("/db-backup/log", "POST", data=b"?") == (200, "OK")
    assert statuses() == ["completed"]


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("", 404),
        ("/", 404),
        ("/a/b/c", 404),
        ("/db-backup/256", 400),
        ("/db-backup/-1", 400),
        ("/db-backup/1e1", 400),
        ("/db-backup/%D9%A3", 400),
        ("/db-backup/Start", 400),
        ("/db-backup/stop", 400),
        ("/db-backup?rid=7", 400),
        ("/db-backup?rid=" + RID[:-1], 400),
        ("/%00?create=1", 400),
        ("/%0A?create=1", 400),
        (f"/{'x' * 201}?create=1", 400),
        ("/db-backup?create=yes", 404),
    ],
)
def test_what_is_no_ping_is_refused_in_plain_text(pinger: Pinger, rest: str, status: int) -> None:
    answer = pinger.ping(rest)
    assert (answer.status_code, answer.mimetype) == (status, "text/plain")
    assert runs() == []


def test_names_of_any_script_are_taken(pinger: Pinger) -> None:
    for name in ("DB backup", "Sicherung täglich", "バックアップ", "a.b~c_d"):
        assert pinger.said(f"/{name}/start?create=1") == (201, "Created")
    assert len(set(db.session.scalars(sa.select(Workflow.name)))) == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "key", ["op_ping_" + "0" * 32, "op_live_" + "0" * 32, "x", "5f3adf3c-c533-41ef-b7d3-dc06896c4862"]
)
def test_an_unknown_key_is_answered_as_what_is_not_there(pinger: Pinger, key: str, method: str) -> None:
    pinger.ping("/db-backup?create=1")
    other = Pinger(pinger.app, pinger.workspace, key)
    answer = other.ping("/db-backup", method)
    assert (answer.status_code, answer.mimetype) == (404, "text/plain")
    assert other.ping("/unknown", method).text == answer.text


def test_a_history_key_pings_nothing_and_a_ping_key_in_a_header_neither(pinger: Pinger) -> None:
    history = Pinger(pinger.app, pinger.workspace, make_ingest_key(pinger.workspace))
    assert history.ping("/db-backup?create=1").status_code == 404
    none = Pinger(pinger.app, pinger.workspace, "x")
    bearer = {"Authorization": f"Bearer {pinger.key}"}
    assert none.ping("/db-backup?create=1", headers=bearer).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "navigate"},
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_what_a_browser_opens_is_refused(pinger: Pinger, headers: dict[str, str], method: str) -> None:
    assert pinger.ping("/db-backup?create=1", method, headers=headers).status_code == 403
    assert runs() == []


def test_no_other_get_takes_an_ingest_key(sqlite_app: Flask) -> None:
    taking = [
        (rule.endpoint, "GET" in (rule.methods or ()))
        for rule in sqlite_app.url_map.iter_rules()
        if hasattr(sqlite_app.view_functions[rule.endpoint], "portal_ingest_key")
    ]
    assert {endpoint for endpoint, reads in taking if reads} == {"pings.ping"}
    assert ("api.push_history", False) in taking


def test_cookies_are_not_looked_at(pinger: Pinger, sign_in: Callable[[User], FlaskClient]) -> None:
    user = make_user()
    make_member(pinger.workspace, user)
    browser = sign_in(user)
    assert browser.post("/ping/op_ping_x/db-backup?create=1").status_code == 404
    cross = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = browser.post(f"/ping/{pinger.key}/db-backup?create=1", headers=cross)
    assert answer.status_code == 201
    assert "Set-Cookie" not in answer.headers


def test_no_answer_is_kept_by_a_cache_and_each_says_how_much_output_is_kept(pinger: Pinger) -> None:
    for rest in ("/db-backup?create=1", "/absent", "/db-backup/stop", "/db-backup"):
        answer = pinger.ping(rest)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Ping-Body-Limit"] == "100000" == str(MAX_OUTPUT)


def test_of_an_output_the_end_is_kept_as_plain_text(pinger: Pinger) -> None:
    body = b"x" * 200_000 + "é".encode() * 49_990 + b"\x1b[31mred\x1b[0m\n\x00done\xff"
    assert pinger.ping("/db-backup?create=1", "POST", data=body).status_code == 201
    kept = output()
    assert kept.endswith("éred\ndone\ufffd")
    assert len(kept.encode()) <= MAX_OUTPUT + 2
    assert "\x1b" not in kept


def test_an_output_without_end_is_refused(pinger: Pinger) -> None:
    pinger.ping("/db-backup?create=1")
    assert pinger.ping("/db-backup", "POST", data=b"x" * (16 * 1024 * 1024 + 1)).status_code == 413


@pytest.mark.slow
def test_markup_in_an_output_is_shown_as_text(pinger: Pinger, sign_in: Callable[[User], FlaskClient]) -> None:
    user = make_user()
    make_member(pinger.workspace, user)
    pinger.ping("/<b>x?create=1", "POST", data=b"<script>alert(1)</script>")
    run = the_run()
    page = sign_in(user).get(f"/workflows/{run.workflow_id}/runs/{run.id}?step_result=0").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "<b>x" not in page


class TestKeyOfOneWorkflow:
    """A key for one workflow, whose address needs no name."""

    @pytest.fixture
    def pinger(self, app: Flask) -> Pinger:
        workspace = make_workspace()
        return Pinger(
            app, workspace, make_ingest_key(workspace, "ping", slug="db-backup", source="cron:web1")
        )

    @pytest.mark.slow
    def test_the_address_ends_with_the_key(self, pinger: Pinger) -> None:
        assert pinger.said(f"/start?rid={RID}&create=1") == (201, "Created")
        assert pinger.said(f"/0?rid={RID}") == (200, "OK")
        assert pinger.said("") == (200, "OK")
        assert pinger.said("/fail", "HEAD") == (200, "")
        assert statuses() == ["completed", "completed", "failed"]
        assert {run.source_system for run in runs()} == {"cron:web1"}
        assert db.session.scalars(sa.select(Workflow.name)).all() == ["db-backup"]

    def test_the_name_may_stand_there_and_another_one_may_not(self, pinger: Pinger) -> None:
        assert pinger.said("/db-backup/start?create=1") == (201, "Created")
        assert pinger.ping("/other?create=1").status_code == 400
        assert pinger.ping("/other/start?create=1").status_code == 404


def test_two_keys_of_a_workspace_ping_the_same_workflow(pinger: Pinger) -> None:
    pinger.ping("/db-backup?create=1")
    other = Pinger(pinger.app, pinger.workspace, make_ingest_key(pinger.workspace, "ping"))
    assert other.said() == (200, "OK")
    theirs = make_workspace("other")
    assert Pinger(pinger.app, theirs, make_ingest_key(theirs, "ping")).ping().status_code == 404


def test_a_workflow_that_was_deleted_is_not_made_again(pinger: Pinger) -> None:
    pinger.ping("/db-backup?create=1")
    db.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(sa.update(Workflow).values(deleted_at=Workflow.created_at))
    assert pinger.ping("/db-backup?create=1").status_code == 404


def test_what_pings_bring_and_what_is_refused_is_recorded(pinger: Pinger) -> None:
    pinger.ping("/absent")
    pinger.ping("/db-backup?create=1")
    db.session.rollback()
    [hour] = db.session.scalars(sa.select(IngestHour))
    assert (hour.accepted, hour.refused) == (1, 1)
    [refusal] = db.session.scalars(sa.select(IngestRefusal))
    assert "absent" in refusal.reason


def test_a_leaked_address_makes_only_so_many_workflows_and_pings_a_minute(
    pinger: Pinger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pings, "NEW_WORKFLOWS_PER_MIN", 3)
    made = [pinger.ping(f"/w{number}?create=1").status_code for number in range(4)]
    assert made == [201, 201, 201, 429]
    assert pinger.ping("/w0").status_code == 200
    limited = Pinger(
        pinger.app, pinger.workspace, make_ingest_key(pinger.workspace, "ping", rate_limit_per_min=1)
    )
    assert limited.ping("/w0").status_code == 200
    refused = limited.ping("/w0")
    assert (refused.status_code, refused.mimetype) == (429, "text/plain")
    assert int(refused.headers["Retry-After"]) >= 1


@pytest.mark.slow
def test_pings_that_arrive_together_do_not_fail_each_other(pinger: Pinger) -> None:
    barrier = threading.Barrier(6)

    def ping(number: int) -> int:
        barrier.wait()
        what = "start" if number % 2 else "0"
        return pinger.ping(f"/db-backup/{what}?create=1&rid={UUID(int=number // 2)}").status_code

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(ping, range(6))) <= {200, 201}
    assert statuses() == ["completed"] * 3


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(pinger: Pinger, method: str) -> None:
    assert pinger.ping("/db-backup?create=1", method).status_code == 405


def test_recorded_requests_of_clients_are_taken(pinger: Pinger, history: Any) -> None:
    """The pings of runitor and curl, with a key of ours where they have one of healthchecks."""
    one = Pinger(pinger.app, pinger.workspace, make_ingest_key(pinger.workspace, "ping", slug="job"))
    one.ping("/start?create=1")
    wanted = {"200", "201"}
    recorded = (history / "sources" / "healthchecks" / "pings.txt").read_text()
    forms = re.findall(r"^(GET|POST|HEAD)\s+/ping/([^/\s]+)(\S*)", recorded, re.MULTILINE)
    assert len(forms) >= 5
    answers = []
    for method, key, rest in forms:
        rest = rest.replace("rid=…", f"rid={UUID(int=7)}")
        answers.append(str((pinger if key == "PING_KEY" else one).ping(rest, method, data=b"").status_code))
    assert set(answers) <= wanted
    assert {run.status for run in runs()} == {"running", "completed", "failed"}
