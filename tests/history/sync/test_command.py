"""`flask sync`: adding, bringing up to date, listing and removing mirrors."""

import contextvars
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result

from portal.database.engine import db
from portal.database.models import AuditEntry
from tests.factories import make_key, make_member, make_user
from tests.history.lines import workflow_line
from tests.history.sync.conftest import Portal, run

Command = Callable[..., Result]


@pytest.fixture
def sync(here: Portal) -> Command:
    runner = here.app.test_cli_runner()
    return lambda *words: contextvars.Context().run(runner.invoke, args=["sync", *map(str, words)])


@pytest.fixture
def key_file(there: Portal, tmp_path: Path) -> Path:
    file = tmp_path / "there.key"
    file.write_text(f"{there.key}\n")
    return file


@pytest.fixture
def added(sync: Command, address: str, key_file: Path) -> Any:
    """What adding a mirror answers."""
    done = sync(
        "add", "--workspace", "here", "--url", address, "--key-file", key_file, "--name", "twin", "--json"
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.slow
def test_a_mirror_is_added_run_listed_and_removed(
    added: Any, sync: Command, here: Portal, there: Portal, address: str
) -> None:
    host = address.removeprefix("http://")
    source = f"onepin:{host}/{there.workspace_id}"
    assert added == {"name": "twin", "workspace": "here", "source": source, "other_scopes": []}
    there.take(workflow_line(), run(1), run(2))
    done = sync("run", "twin")
    assert done.exit_code == 0
    assert "twin: 1 workflows; runs: 2 new, 0 updated, details of 2; 9 requests in" in done.output
    assert here.runs() == there.runs()
    [listed] = json.loads(sync("list", "--json").output)
    assert (listed["name"], listed["runs"], listed["without_details"]) == ("twin", 2, 0)
    assert listed["last_summary"]["runs"]["new"] == 2
    assert f"twin  here  {source}  2 runs, 0 gone, 0 without details  last pass 2" in sync("list").output
    assert sync("remove", "twin").output == "Removed twin. What it has copied stays.\n"
    assert "There is no mirror yet" in sync("list").output
    assert (here.runs().keys(), here.rows()) == (there.runs().keys(), {})
    kinds = set(db.session.scalars(sa.select(AuditEntry.kind)))
    assert {"mirror.added", "mirror.removed"} <= kinds


@pytest.mark.slow
def test_a_pass_that_fails_exits_with_one_and_says_why(
    added: Any, sync: Command, here: Portal, key_file: Path
) -> None:
    key_file.write_text("op_live_" + "x" * 32)
    done = sync("run")
    assert done.exit_code == 1
    assert "answers 401 INVALID_API_KEY" in done.output
    [summary] = json.loads(sync("run", "--json").output)
    assert (summary["ok"], "needs the scope workflows:read" in summary["error"]) == (False, True)
    assert "answers 401" in sync("list").output


@pytest.mark.usefixtures("added")
@pytest.mark.slow
def test_what_cannot_be_added_is_refused_with_the_reason(
    sync: Command, here: Portal, address: str, key_file: Path
) -> None:
    there = ("add", "--workspace", "here", "--key-file", key_file)
    assert "url must begin with https://" in sync(*there, "--url", "http://runs.example.com").output
    assert "There is a mirror twin" in sync(*there, "--url", address, "--name", "twin").output
    assert "The mirror twin copies this workspace already" in sync(*there, "--url", address).output
    wrong = sync("add", "--url", address, "--key-file", "/nowhere", "--details", "-1", "--name", "a b")
    for field in ("key-file cannot be read", "details must be from 0", "name must be up to 80"):
        assert field in wrong.output
    for name in ("run", "remove"):
        assert "There is no mirror other" in sync(name, "other").output


@pytest.mark.slow
def test_a_key_that_may_do_more_is_pointed_out(
    sync: Command, there: Portal, here: Portal, address: str, key_file: Path
) -> None:
    with there.app.app_context():
        workspace, user = there.workspace(), make_user("b@there.example")
        make_member(workspace, user)
        key_file.write_text(make_key(workspace, user, ("workflows:read", "workflows:run")))
    done = sync("add", "--url", address, "--key-file", key_file)
    assert "Its key may do more than it needs to: workflows:run." in done.output
