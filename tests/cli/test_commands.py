"""The commands: what they print, what they refuse, and that nothing is half done."""

import contextvars
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from portal.database.models import RunBucket, RunTotals
from portal.database.transactions import writing
from portal.runs.counts import count_by_status
from portal.runs.query import RunQuery
from tests.factories import make_run, make_workflow, make_workspace

COMMANDS = [
    "import",
    "demo",
    "export",
    "check",
    "doctor",
    "signin-link",
    "users add",
    "users link",
    "workspaces add",
    "members set",
    "keys create",
    "keys list",
    "keys revoke",
    "hooks add",
    "hooks list",
    "hooks rotate",
    "hooks remove",
    "audit export",
    "uploads prune",
    "credits grant",
    "sync add",
    "sync run",
    "sync list",
    "sync remove",
]
Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command with these words."""
    runner = app.test_cli_runner()
    return lambda *words: contextvars.Context().run(runner.invoke, args=[str(word) for word in words])


@pytest.fixture
def team(run: Run) -> None:
    """A workspace with one admin."""
    assert run("workspaces", "add", "Acme Voice").exit_code == 0
    assert run("users", "add", "Ada@Acme.example", "--first-name", "Ada").exit_code == 0
    assert run("members", "set", "acme-voice", "ada@acme.example", "admin").exit_code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(run: Run, command: str) -> None:
    shown = run(*command.split(), "--help")
    assert shown.exit_code == 0
    assert f"Example: flask {command}" in " ".join(shown.output.split())
    assert ("--format" if command == "export" else "--json") in shown.output


@pytest.mark.usefixtures("team")
def test_a_key_is_created_listed_without_its_secret_and_revoked(run: Run, app: Flask) -> None:
    made = run(
        *"keys create --workspace acme-voice --user ada@acme.example --name nightly".split(),
        *"--scope workflows:read --scope workflows:run --json".split(),
    )
    key = json.loads(made.output)
    assert set(key) == {"id", "api_key", "workspace_id", "scopes"}
    assert key["scopes"] == ["workflows:read", "workflows:run"]
    headers = {"Authorization": f"Bearer {key['api_key']}"}
    assert app.test_client().get("/api/v1/auth/whoami", headers=headers).status_code == 200
    listed = run("keys", "list", "--json")
    assert [row["id"] for row in json.loads(listed.output)] == [key["id"]]
    assert key["api_key"] not in listed.output + run("keys", "list").output
    assert run("keys", "revoke", key["id"]).exit_code == 0
    assert app.test_client().get("/api/v1/auth/whoami", headers=headers).status_code == 401


@pytest.mark.usefixtures("team")
def test_keys_that_bring_history_in_are_created_listed_and_revoked(run: Run, app: Flask) -> None:
    words = ("keys", "create", "--name", "ci", "--rate-limit", "9", "--json")
    pushing = json.loads(run(*words, "--ingest", "--source", "github:acme/").output)
    pinging = json.loads(run(*words, "--ping", "--slug", "db-backup").output)
    assert set(pushing) == {"id", "key", "workspace_id", "kind", "source", "slug"}
    assert (pushing["kind"], pushing["source"]) == ("history", "github:acme/")
    assert re.fullmatch("op_ing_[0-9A-Za-z]{32}", pushing["key"])
    assert (pinging["kind"], pinging["slug"]) == ("ping", "db-backup")
    assert re.fullmatch("op_ping_[0-9A-Za-z]{32}", pinging["key"])
    listed = run("keys", "list", "--json").output + run("keys", "list").output
    assert {row["kind"] for row in json.loads(run("keys", "list", "--json").output)} == {"history", "ping"}
    assert pushing["key"] not in listed
    assert pinging["key"] not in listed
    headers = {"Authorization": f"Bearer {pushing['key']}"}
    push = {"json": {"lines": []}, "headers": headers}
    assert app.test_client().post("/api/v1/history", **push).status_code == 200
    assert run("keys", "revoke", pushing["id"]).exit_code == 0
    assert app.test_client().post("/api/v1/history", **push).status_code == 401


@pytest.mark.usefixtures("team")
def test_credits_are_granted_and_add_up(run: Run) -> None:
    granted = run("credits", "grant", "acme-voice", "1500")
    assert granted.output == "Granted 1,500 credits to acme-voice, which has 1,500 now.\n"
    again = json.loads(run("credits", "grant", "acme-voice", "500", "--json").output)
    assert again == {"workspace": "acme-voice", "granted": 500, "balance": 2000}


@pytest.mark.usefixtures("team")
def test_a_sign_in_link_is_printed_for_a_known_user_only(run: Run) -> None:
    link = json.loads(run("signin-link", "ada@acme.example", "--json").output)["link"]
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/signin/[\w-]{43}", link)
    refused = run("signin-link", "nobody@acme.example")
    assert refused.exit_code == 1
    assert "flask users add" in refused.output


@pytest.mark.usefixtures("team")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("workspaces add Acme --slug Bad_Slug", "slug must be"),
        ("workspaces add Again --slug acme-voice", "already"),
        ("users add nobody", "email must be"),
        ("users add ADA@acme.example", "already"),
        ("users link nobody@acme.example https://id.example x", "flask users add"),
        ("users link ada@acme.example id.example x", "issuer must be"),
        ("users link ada@acme.example https://id.example é", "subject must have"),
        ("members set nowhere ada@acme.example admin", "There are: acme-voice"),
        ("members set acme-voice nobody@acme.example admin", "flask users add"),
        ("keys create --user nobody@acme.example --name x --scope workflows:read", "not a member"),
        ("keys create --user ada@acme.example --name x --scope everything", "scopes must be"),
        ("keys create --name x --scope workflows:read", "--user"),
        ("keys create --name x --user ada@acme.example", "--scope"),
        ("keys create --name x --ingest --scope workflows:read", "takes no --scope"),
        ("keys create --name x --ping --user ada@acme.example", "takes no --user"),
        (
            "keys create --name x --user ada@acme.example --scope workflows:read --source a",
            "takes no --source",
        ),
        ("keys create --name x --ingest --slug backup", "slug is for ping keys only"),
        ("keys create --name x --ping --slug a/b", "slug must be"),
        ("keys revoke x", "key_id must be a UUID"),
        ("keys revoke 67b83426-5797-57c9-9545-522b6cd26e1b", "There is no key"),
        ("import absent.jsonl", "absent.jsonl"),
        ("credits grant nowhere 5", "There are: acme-voice"),
        ("credits grant acme-voice 0", "amount must be"),
    ],
)
def test_a_refusal_is_one_clear_line_and_a_status(run: Run, words: str, said: str) -> None:
    refused = run(*words.split())
    assert refused.exit_code != 0
    assert said in refused.output
    assert "Traceback" not in refused.output


@pytest.mark.usefixtures("team")
def test_an_import_reports_bad_lines_and_says_so_in_its_status(run: Run, tmp_path: Path) -> None:
    workflow = {"type": "workflow", "id": "67b83426-5797-57c9-9545-522b6cd26e1b", "name": "Nightly dub"}
    good = {
        "type": "run",
        "id": "37b75f2b-e173-55b9-9d24-0cf0a6dfb8fd",
        "workflow_id": workflow["id"],
        "status": "completed",
        "created_at": "2026-01-05T02:00:00Z",
    }
    file = tmp_path / "history.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in (workflow, good | {"status": "odd"}, good)) + "\n")
    done = run("import", file)
    assert done.exit_code == 1
    assert "status" in done.output
    assert "2" in done.output
    summary = json.loads(run("import", file, "--json").output)
    assert (summary["ok"], summary["bad_lines"], summary["runs"]["unchanged"]) == (False, 1, 1)


@pytest.mark.usefixtures("team")
def test_the_workspace_may_be_left_out_only_while_there_is_one(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text("")
    assert run("import", file).exit_code == 0
    run("workspaces", "add", "Second")
    refused = run("import", file)
    assert refused.exit_code == 1
    assert "workspace must name one of acme-voice, second" in refused.output


@pytest.mark.usefixtures("team")
def test_check_finds_a_whole_database_whole(run: Run) -> None:
    findings = json.loads(run("check", "--json").output)
    assert all(finding["ok"] for finding in findings)
    checks = {"migrations", "integrity", "run numbers", "counts", "causes of failures", "text index"}
    assert {finding["check"] for finding in findings} == checks
    assert run("check").exit_code == 0


@pytest.mark.slow
def test_check_finds_counts_that_are_wrong_and_mends_them(run: Run) -> None:
    workflow = make_workflow(make_workspace())
    make_run(workflow, status="failed")
    with writing() as session:
        session.execute(sa.update(RunTotals).values(failed=7))
        session.execute(sa.delete(RunBucket))
    checked = run("check")
    assert checked.exit_code == 1
    assert "BAD  counts: wrong in Nightly dub: run_totals, run_buckets" in checked.output
    repaired = run("check", "--repair")
    assert "Recounted the runs of Nightly dub." in repaired.output
    assert "ok  counts: as recounted" in repaired.output
    assert "anew" not in run("check", "--repair").output
    assert sum(count_by_status(workflow, RunQuery(workflow_id=workflow.id)).values()) == 1


def test_without_a_workspace_the_next_command_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("")
    assert "flask workspaces add" in run("import", tmp_path / "x.jsonl").output


@pytest.mark.usefixtures("team")
def test_an_identity_of_a_provider_is_tied_to_one_user_only(run: Run) -> None:
    tie = ("users", "link", "ada@acme.example", "https://id.example", "user_2x")
    assert json.loads(run(*tie, "--json").output)["subject"] == "user_2x"
    refused = run(*tie)
    assert refused.exit_code == 1
    assert "already" in refused.output
