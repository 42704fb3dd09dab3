"""The published client asks what a run would cost, over real HTTP."""

import json
import sys

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import User, Workspace
from portal.engine.pricing.credits import grant
from tests.definitions.graphs import checked
from tests.factories import CAN_ALL, NOON, make_key, make_worker, make_workflow
from tests.onepin.conftest import NEWEST, Onepin

SDK_ASKS = """
import json, sys
from onepin import OnepinClient, WorkflowRunStartIn
base_url, key, workflow_id = sys.argv[1:]
client = OnepinClient(api_key=key, base_url=base_url)
wanted = WorkflowRunStartIn(source_language="de")
found = client.workflows.estimate_workflow(workflow_id=workflow_id, request=wanted).data
print(json.dumps(found.model_dump(mode="json")))
"""


@pytest.fixture
def asker(onepin: Onepin) -> tuple[Onepin, str]:
    """A client, and the id of a workflow that could run."""
    if onepin.release != NEWEST:
        pytest.skip("older releases know no estimates with a body")
    make_worker(abilities=CAN_ALL)
    db.session.rollback()
    workspace = db.session.get_one(Workspace, onepin.workflow.workspace_id)
    key = make_key(workspace, db.session.scalars(sa.select(User)).one(), ("workflows:read",))
    onepin.environment, onepin.key = {"ONEPIN_API_KEY": key}, key
    grant(workspace.slug, 30, "root", NOON)
    return onepin, str(make_workflow(workspace, definition=checked()).id)


@pytest.mark.clients
def test_the_command_line_previews_a_run(asker: tuple[Onepin, str]) -> None:
    onepin, workflow_id = asker
    found = onepin.json("workflows", "preview-run", workflow_id, "--script", "Hello")
    assert (found["can_run"], found["current_balance"], len(found["breakdown"])) == (True, 30, 4)
    refused = onepin("workflows", "preview-run", workflow_id, "--script", "", check=False)
    assert refused.returncode != 0


@pytest.mark.clients
def test_the_library_estimates_a_run(asker: tuple[Onepin, str]) -> None:
    onepin, workflow_id = asker
    printed = onepin.run(sys.executable, "-c", SDK_ASKS, onepin.base_url, onepin.key, workflow_id).stdout
    found = json.loads(printed)
    assert (found["can_run"], found["current_balance"], found["min_credits"]) == (True, 30, 0)
