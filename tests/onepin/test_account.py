"""The published client asks for members, settings, credits, limits and usage, over real HTTP."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from onepin import AsyncOnepinClient, OnepinClient
from onepin.core import ApiError

from portal import moments
from portal.database.engine import db
from portal.database.models import User, Workflow, Workspace
from portal.history.importer import import_lines
from tests.factories import make_key, make_run
from tests.history.lines import encode, run_line, workflow_line
from tests.onepin.conftest import NEWEST, Onepin

LANGUAGES = [{"script": "Hello", "takes": [{"locale": "en-us"}, {"locale": "de-de", "script": "Hallo!"}]}]


pytestmark = pytest.mark.clients


@pytest.fixture
def reader(shelf: tuple[Workflow, str], app: Flask) -> tuple[str, str]:
    """The id of a workspace where something was spoken yesterday, and a key that reads its usage."""
    workflow, _ = shelf
    workspace = db.session.get_one(Workspace, workflow.workspace_id)
    user = db.session.scalars(sa.select(User)).one()
    at = moments.format_moment(moments.now() - timedelta(days=1))
    spoken = run_line("spoken", created_at=at, credits=11, output_lines=LANGUAGES)
    db.session.rollback()
    lines = [encode(line) for line in (workflow_line(), spoken)]
    assert import_lines(workspace.id, lines, now=moments.now()).ok
    make_run(workflow, created_at=moments.now(), credits=4)
    return str(workspace.id), make_key(workspace, user, ("workspace:read",))


def test_the_command_line_reads_settings_and_usage(onepin: Onepin, reader: tuple[str, str]) -> None:
    if onepin.release != NEWEST:
        pytest.skip("older releases name these commands otherwise")
    workspace_id, key = reader
    onepin.environment = {"ONEPIN_API_KEY": key}
    settings = onepin.json("workspace", "settings", workspace_id)
    assert (settings["default_language"], settings["theme"]) == (None, None)
    summary = onepin.json("usage", "summary", "--range", "60d", "--activity-view", "weekly")
    assert (summary["credits"]["used"], summary["activity"]["bucket_unit"]) == (15, "week")
    languages = onepin.json("usage", "by-language", "--timezone", "Asia/Tokyo")["languages"]
    assert [(row["locale_code"], row["credits"]) for row in languages] == [("de-de", 6), ("en-us", 5)]
    assert languages[0]["display_name"] == "German (Germany)"
    [newest] = onepin.json("usage", "activity", "--limit", "1", "--type", "workflow_run")
    assert newest["resource"]["name"] == "Nightly dub"
    for refused in (("--user-id", str(uuid4())), ("--timezone", "Mars"), ("--cursor", "x")):
        assert onepin("usage", "activity", *refused, check=False).returncode == 1


def test_the_command_line_says_that_members_need_a_person(onepin: Onepin, reader: tuple[str, str]) -> None:
    if onepin.release != NEWEST:
        pytest.skip("older releases name these commands otherwise")
    workspace_id, key = reader
    onepin.environment = {"ONEPIN_API_KEY": key}
    some = str(uuid4())
    for words in (
        ("invite", workspace_id, "--email", "new@acme.example", "--role", "viewer"),
        ("invite-role", workspace_id, some, "--role", "editor"),
        ("revoke-invite", workspace_id, some, "--yes"),
        ("set-role", workspace_id, some, "--role", "editor"),
        ("remove", workspace_id, some, "--yes"),
        ("accept", "token"),
    ):
        refused = onepin("workspace", "members", *words, check=False)
        assert (refused.returncode, "FORBIDDEN" in refused.stderr) == (1, True), words


@pytest.mark.parametrize("onepin", [NEWEST], indirect=True)
def test_the_command_line_says_that_workspaces_need_a_person(onepin: Onepin, reader: tuple[str, str]) -> None:
    workspace_id, key = reader
    onepin.environment = {"ONEPIN_API_KEY": key}
    for words in (
        ("create", "--name", "New"),
        ("update", workspace_id, "--name", "Other"),
        ("delete", workspace_id, "--yes"),
    ):
        refused = onepin("workspace", *words, check=False)
        assert (refused.returncode, "FORBIDDEN" in refused.stderr) == (1, True), words


def answers(client: Any, workspace_id: str) -> list[Any]:
    """What the client asks for, each as it answers: awaitable or not."""
    return [
        client.users.get_my_credits(),
        client.users.get_my_plan_limits(),
        client.workspaces.get_workspace_plan_limits(workspace_id=workspace_id),
        client.users.get_current_notification_preferences(),
        client.workspace.get_workspace_settings(ws_id=workspace_id),
        client.usage.usage_summary(range="90d", activity_view="monthly", timezone="Europe/Berlin"),
        client.usage.usage_by_language(activity_view="daily"),
        client.usage.usage_activity(limit=2),
    ]


def test_both_sdks_read_the_account_and_usage(reader: tuple[str, str], server: str) -> None:
    workspace_id, key = reader

    async def ask() -> list[Any]:
        client = AsyncOnepinClient(api_key=key, base_url=server)
        return [await answer for answer in answers(client, workspace_id)]

    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(lambda: asyncio.run(ask())).result()
    client = OnepinClient(api_key=key, base_url=server)
    at_once = answers(client, workspace_id)
    assert [answer.data for answer in waited] == [answer.data for answer in at_once]
    credits, limits, plan, preferences, _, summary, languages, activity = (answer.data for answer in at_once)
    assert (credits.balance, credits.plan_tier) == (0, "custom")
    assert limits == plan
    assert limits.concurrent_runs_per_user == 20
    assert preferences.failed_generation_email is True
    assert (summary.credits.used, len(summary.activity.buckets)) == (15, 12)
    assert sum(row.share for row in languages.languages) == 1
    assert at_once[-1].pagination.next is not None
    next_page = client.usage.usage_activity(limit=2, cursor=at_once[-1].pagination.cursor)
    assert len(activity) == 2
    assert not {event.id for event in activity} & {event.id for event in next_page.data}
    assert next_page.data
    for refused in (
        lambda: client.workspaces.slug_available(slug="x"),
        lambda: client.users.update_current_notification_preferences(failed_generation_email=False),
    ):
        with pytest.raises(ApiError) as refusal:
            refused()
        assert refusal.value.status_code == 403
