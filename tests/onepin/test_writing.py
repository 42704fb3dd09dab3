"""Every release, SDK and CLI, writes workflows and reads what it wrote."""

import json
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import User, Workflow, Workspace
from tests.definitions.graphs import UNSOUND, checked
from tests.factories import make_key
from tests.onepin.conftest import NEWEST, OLDEST, Onepin

SCOPES = ("workflows:read", "workflows:write", "catalog:read")
SDK_WRITES = """
import json, sys, onepin
base_url, key, definition = sys.argv[1:]
if hasattr(onepin, "OnepinClient"):
    client = onepin.OnepinClient(api_key=key, base_url=base_url)
else:
    client = onepin.OnePinClient(token=key, base_url=base_url)
flows = client.workflows
create = getattr(flows, "create_workflow", None) or flows.create
made = create(name="By the SDK", definition=json.loads(definition)).data
copy = (getattr(flows, "duplicate_workflow", None) or flows.duplicate)(workflow_id=made.id).data
patch = getattr(flows, "patch_workflow", None) or getattr(flows, "patch", None) or flows.update
patch(workflow_id=copy.id, name="Renamed")
got = (getattr(flows, "get_workflow", None) or flows.get)(workflow_id=copy.id).data
(getattr(flows, "delete_workflow", None) or flows.delete)(workflow_id=made.id)
print(json.dumps(got.model_dump(mode="json")))
"""


@pytest.fixture
def writer(onepin: Onepin) -> Onepin:
    db.session.rollback()
    workspace = db.session.get_one(Workspace, onepin.workflow.workspace_id)
    key = make_key(workspace, db.session.scalars(sa.select(User)).one(), SCOPES)
    onepin.environment = {"ONEPIN_API_KEY": key}
    onepin.key = key
    return onepin


def test_the_command_line_creates_changes_copies_and_deletes(writer: Onepin, tmp_path: Path) -> None:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(checked()))
    made = writer.json("workflows", "create", "--name", "Dub", "--definition", f"@{file}")
    assert made["name"] == "Dub"
    changed = writer.json("workflows", "update", made["id"], "--description", "Nightly")
    assert (changed["name"], changed["description"]) == ("Dub", "Nightly")
    copy = writer.json("workflows", "duplicate", made["id"])
    assert copy["name"] == "Dub (Copy)"
    shown = writer.json("workflows", "show", copy["id"])
    assert [each["type"] for each in shown["definition"]["graph"]["nodes"]] == [
        each["type"] for each in checked()["graph"]["nodes"]
    ]
    writer("workflows", "delete", made["id"], "--yes")
    names = {each["name"] for each in writer.json("workflows", "list")}
    assert names == {"Dub (Copy)", writer.workflow.name}


def test_the_sdk_creates_changes_copies_and_deletes(writer: Onepin) -> None:
    done = writer.run(sys.executable, "-c", SDK_WRITES, writer.base_url, writer.key, json.dumps(checked()))
    got = json.loads(done.stdout)
    assert got["name"] == "Renamed"
    assert got["definition"]["graph"]["edges"][3]["sourcePort"] == "fail"
    db.session.rollback()
    gone = sa.select(Workflow.name).where(Workflow.deleted_at.is_not(None))
    assert db.session.scalars(gone).all() == ["By the SDK"]


@pytest.mark.parametrize("onepin", [NEWEST], indirect=True)
def test_the_newest_command_line_reads_the_catalog_and_says_what_is_wrong(
    writer: Onepin, tmp_path: Path
) -> None:
    rows = writer.json("nodes", "list")
    assert {"sink_preview", "operator_generator"} < {row["node_type"] for row in rows}
    shown = writer.json("nodes", "show", "validator_error_rate")
    assert shown["config_schema"]["threshold"]["default"] == 93
    assert shown["category"] == "validation"
    made = writer.json("workflows", "create", "--name", "Dub")
    copy = writer.json("workflows", "duplicate", made["id"], "--name", "Mine")
    assert copy["name"] == "Mine"
    nothing = writer("workflows", "update", made["id"], check=False)
    assert nothing.returncode != 0
    assert "name, description, definition" in nothing.stderr
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(UNSOUND))
    refused = writer("workflows", "create", "--name", "x", "--definition", f"@{file}", check=False)
    assert refused.returncode != 0
    assert "Export “out”" in refused.stderr


@pytest.mark.parametrize("onepin", [OLDEST], indirect=True)
def test_a_release_with_old_names_of_types_may_still_save(writer: Onepin, tmp_path: Path) -> None:
    definition = checked()
    definition["graph"]["nodes"][1]["type"] = "processing_generator"
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(definition))
    made = writer.json("workflows", "create", "--name", "Old", "--definition", f"@{file}")
    db.session.rollback()
    stored = db.session.scalars(sa.select(Workflow).where(Workflow.name == made["name"])).one()
    assert stored.definition["graph"]["nodes"][1]["type"] == "operator_generator"
