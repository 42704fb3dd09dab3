"""Validation against what is stored: uploads of the workspace, and the sample's definitions."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.database.engine import db
from portal.database.models import User, Workflow, Workspace
from portal.definitions.shape import offences
from portal.history.demo.sample import install_demo
from portal.workflows.validation import surroundings, validate
from tests.definitions.graphs import SCRIPT, Json, smallest
from tests.factories import NOON, make_upload, make_workflow, make_workspace
from tests.workflows.conftest import Writer


def of_file(*uploads: object) -> Json:
    definition = smallest()
    definition["graph"]["nodes"][0]["config"] = {
        "input_type": "file",
        "upload_ids": [str(u) for u in uploads],
    }
    return definition


def rules(principal: Principal, definition: Json) -> list[tuple[str, str | None]]:
    found = validate(principal, {"definition": definition})
    return [(each.rule, each.node_id) for each in found.preflight.errors]


def test_uploads_of_the_workspace_are_known_and_no_others(writer: Writer) -> None:
    ours = make_upload(make_workflow(writer.workspace), writer.workspace, "a.txt", b"Hello").id
    other = make_workspace("other", "Other")
    theirs = make_upload(make_workflow(other), other, "b.txt", b"Hello").id
    assert rules(writer.principal, of_file(ours, str(ours).upper())) == []
    for unknown in (theirs, "x", UUID(int=0), f"{{{ours}}}"):
        assert rules(writer.principal, of_file(unknown)) == [("unknown_upload", SCRIPT)]


def test_a_workflow_may_have_a_script_of_its_own(writer: Writer) -> None:
    workflow = make_workflow(writer.workspace)
    assert not surroundings(writer.workspace.id, smallest(), workflow.id).has_own_script
    make_upload(workflow, writer.workspace, "a.txt", b"Hello")
    assert surroundings(writer.workspace.id, smallest(), workflow.id).has_own_script
    assert not surroundings(writer.workspace.id, smallest()).has_own_script


@pytest.mark.slow
def test_the_definitions_of_the_sample_can_be_saved_and_run(app: Flask) -> None:
    install_demo(NOON)
    db.session.rollback()
    workspace, user = (
        db.session.scalars(sa.select(Workspace)).one(),
        db.session.scalars(sa.select(User)).one(),
    )
    membership = Membership(workspace.id, workspace.name, workspace.slug, "admin")
    who = PrincipalUser(user.id, user.email, user.display_name)
    principal = Principal(kind="session", user=who, workspaces=(membership,), chosen=workspace.id)
    definitions = [workflow.definition for workflow in db.session.scalars(sa.select(Workflow))]
    assert definitions
    for definition in definitions:
        assert offences(definition) == []
        assert rules(principal, definition) == []
