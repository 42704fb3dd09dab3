"""The published `onepin` client, SDK and CLI, unchanged, against the portal over real HTTP."""

import asyncio
import importlib.metadata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from onepin import AsyncOnepinClient, OnepinClient

from portal import moments
from portal.auth.api_keys import management
from portal.database.engine import db
from portal.database.models import ApiKey, Workflow, Workspace
from tests.factories import (
    make_detail,
    make_key,
    make_member,
    make_output,
    make_run,
    make_user,
    make_workspace,
)
from tests.onepin.conftest import NEWEST, OLDEST, Onepin


def test_the_newest_client_is_the_one_that_we_test_with() -> None:
    assert importlib.metadata.version("onepin") == NEWEST


def test_login_keeps_the_key_and_whoami_knows_it(onepin: Onepin, tmp_path: Path) -> None:
    onepin.home = tmp_path / "elsewhere"
    onepin.home.mkdir()
    onepin("login", "--key", onepin.key, "--base-url", onepin.base_url)
    kept = (onepin.home / ".onepin" / "credentials").read_text()
    assert onepin.key in kept
    assert onepin.base_url in kept
    assert "workflows:read" in onepin("whoami").stdout


def test_login_with_an_unknown_key_saves_nothing(onepin: Onepin, tmp_path: Path) -> None:
    onepin.home = tmp_path / "elsewhere"
    onepin.home.mkdir()
    refused = onepin("login", "--key", "op_live_" + "0" * 32, "--base-url", onepin.base_url, check=False)
    assert refused.returncode == 1
    assert not (onepin.home / ".onepin" / "credentials").exists()


def test_a_revoked_key_stops_working(onepin: Onepin, app: Flask) -> None:
    [(key, _)] = management.list_all_keys(None)
    management.revoke_key_as_operator(key.id, moments.now())
    refused = onepin("whoami", check=False)
    assert refused.returncode == 1
    assert "INVALID_API_KEY" in refused.stderr


@pytest.mark.parametrize("kind", ["revoked", "expired", "reserved", "public", "unknown"])
def test_a_key_that_opens_nothing_is_told_apart_by_nobody(onepin: Onepin, app: Flask, kind: str) -> None:
    onepin.home = onepin.home / kind
    onepin.home.mkdir()
    [(row, _)] = management.list_all_keys(None)
    if kind in ("revoked", "expired"):
        spoilt = {"revoked_at": moments.now()} if kind == "revoked" else {"expires_at": moments.now()}
        with db.engine.begin() as connection:
            connection.execute(sa.update(ApiKey).where(ApiKey.id == row.id).values(**spoilt))
    prefix = {"reserved": "op_test_", "public": "op_pub_"}.get(kind, "op_live_")
    key = prefix + (onepin.key[8:] if kind != "unknown" else "0" * 32)
    login = onepin("login", "--key", key, "--base-url", onepin.base_url, check=False)
    assert login.returncode == 1
    assert not (onepin.home / ".onepin" / "credentials").exists()
    onepin.environment = {"ONEPIN_API_KEY": key, "ONEPIN_BASE_URL": onepin.base_url}
    for words in (("whoami",), ("workflows", "list")):
        refused = onepin(*words, check=False)
        assert refused.returncode == 1
        assert "INVALID_API_KEY" in refused.stderr


def test_a_key_of_another_workspace_signs_in_and_finds_nothing_of_ours(onepin: Onepin, app: Flask) -> None:
    other, stranger = make_workspace("other"), make_user("stranger@other.example")
    make_member(other, stranger)
    onepin.home = onepin.home / "elsewhere"
    onepin.home.mkdir()
    onepin("login", "--key", make_key(other, stranger), "--base-url", onepin.base_url)
    assert str(other.id) in onepin("whoami").stdout
    hidden = onepin("workflows", "show", str(onepin.workflow.id), check=False)
    assert "NOT_FOUND" in hidden.stderr
    onepin.environment = {"ONEPIN_WORKSPACE_ID": str(onepin.workflow.workspace_id)}
    forbidden = onepin("workflows", "list", check=False)
    assert "FORBIDDEN" in forbidden.stderr


def test_workflows_are_listed_and_shown(onepin: Onepin) -> None:
    assert "Nightly dub" in onepin("workflows", "list").stdout
    shown = onepin.json("workflows", "show", str(onepin.workflow.id))
    assert (shown["id"], shown["runs_count"]) == (str(onepin.workflow.id), 7)


def test_runs_are_listed_with_every_option(onepin: Onepin) -> None:
    def numbers(*options: str) -> list[int]:
        return [row["run_number"] for row in onepin.rows(*options)]

    assert numbers() == [7, 6, 5, 4, 3, 2, 1]
    assert numbers("--limit", "2") == [7, 6]
    if onepin.release == NEWEST:  # older ones page by themselves
        assert numbers("--limit", "2", "--offset", "1") == [6, 5]
    assert numbers("--status", "completed") == [7, 1]
    assert numbers("--search", "åsa") == [5, 2]
    assert numbers("--search", "") == numbers()
    assert numbers("--sort", "created_at", "--order", "asc") == [1, 2, 3, 4, 5, 6, 7]
    assert numbers("--sort", "status", "--order", "asc")[0] == 3


def test_the_plain_list_counts_what_is_left(onepin: Onepin) -> None:
    listed = onepin("workflows", "runs", "list", str(onepin.workflow.id), "--limit", "3")
    if onepin.release == NEWEST:
        assert "Showing 3 of 7" in listed.stdout + listed.stderr
    assert sum(status in listed.stdout for status in ("paused", "pending", "failed")) == 2


def test_a_refusal_shows_its_code_message_and_request_id(onepin: Onepin) -> None:
    refused = onepin("workflows", "runs", "list", str(onepin.workflow.id), "--status", "draft", check=False)
    assert refused.returncode == 1
    text = " ".join(refused.stderr.split())
    assert "VALIDATION_ERROR" in text
    assert "status" in text
    if onepin.release != OLDEST:
        assert "must be a comma-separated list of" in text
        assert "request_id=" in text
    absent = onepin("workflows", "show", str(uuid4()), check=False)
    assert "NOT_FOUND" in absent.stderr


def test_another_workspace_is_refused(onepin: Onepin) -> None:
    onepin.environment = {"ONEPIN_WORKSPACE_ID": str(uuid4())}
    refused = onepin("workflows", "list", check=False)
    assert refused.returncode == 1
    assert "FORBIDDEN" in refused.stderr


@pytest.mark.slow
def test_the_sdk_lists_runs_and_workflows(shelf: tuple[Workflow, str], server: str) -> None:
    workflow, key = shelf
    client = OnepinClient(api_key=key, base_url=server)
    page = client.workflows.runs.list(
        workflow_id=str(workflow.id), status="completed,failed", limit=2, search="a"
    )
    assert [run.run_number for run in page.data] == [7, 2]
    assert (page.pagination.total, page.pagination.limit, page.pagination.prev) == (3, 2, None)
    assert client.workflows.list().data[0].run_status_counts is not None
    assert client.workflows.get(workflow_id=str(workflow.id)).data.definition is not None


@pytest.mark.slow
def test_the_asynchronous_sdk_lists_the_same(shelf: tuple[Workflow, str], server: str) -> None:
    workflow, key = shelf

    async def numbers() -> list[int]:
        client = AsyncOnepinClient(api_key=key, base_url=server)
        page = await client.workflows.runs.list(workflow_id=str(workflow.id), order="asc")
        return [run.run_number for run in page.data]

    # In a thread of its own: a browser that other tests have open keeps an event loop in this one.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: asyncio.run(numbers())).result() == [1, 2, 3, 4, 5, 6, 7]


def test_the_command_line_shows_the_rows_of_the_api_wherever_it_can_ask(onepin: Onepin, app: Flask) -> None:
    headers = {"Authorization": f"Bearer {onepin.key}"}
    asked = [
        {},
        {"status": "failed"},
        {"search": "ADA"},
        {"sort": "started_at", "order": "asc"},
        {"sort": "status"},
    ]
    for parameters in asked:
        options = [word for name, value in parameters.items() for word in (f"--{name}", value)]
        answer = app.test_client().get(
            f"/api/v1/workflows/{onepin.workflow.id}/runs", query_string=parameters, headers=headers
        )
        expected = [row["id"] for row in answer.get_json()["data"]]
        assert [row["id"] for row in onepin.rows(*options)] == expected
    for unknown in (
        ("--status", "odd"),
        ("--status", "failed,completed"),
        ("--sort", "name"),
        ("--order", "up"),
    ):
        refused = onepin("workflows", "runs", "list", str(onepin.workflow.id), *unknown, check=False)
        assert refused.returncode == 2


@pytest.mark.slow
def test_the_sdk_reads_outputs_analysis_and_audio(shelf: tuple[Workflow, str], server: str) -> None:
    workflow, key = shelf
    workspace = db.session.get(Workspace, workflow.workspace_id)
    assert workspace is not None
    run = make_run(workflow)
    make_detail(run, definition_snapshot={"graph": {"nodes": [{"id": "out", "type": "sink_preview"}]}})
    make_output(run, workspace, {"takes": [{"locale_code": "de-DE", "duration_ms": 5, "audio": b"RIFF"}]})
    client = OnepinClient(api_key=key, base_url=server)
    ids = {"workflow_id": str(workflow.id), "run_id": str(run.id)}
    [output] = client.workflows.get_run_outputs(**ids).data.outputs
    assert output.lines[0].recommended_audio_file_index == 0
    assert client.workflows.get_run_analysis(**ids).data.audio.delivered_total_ms == 5
    [row] = client.workflows.get_run_data(**ids).data.rows or []
    [card] = row.cards or []
    assert client.workflows.get_run_audio_url(**ids, audio_id=card.id).data.filename == "0-0.wav"
