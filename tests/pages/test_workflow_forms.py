"""Forms that create, describe, duplicate and delete workflows."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import moments
from portal.database.engine import db
from portal.database.models import User, Workflow
from portal.runs.recording import recorder
from portal.workflows.templates.starters import STARTERS
from tests.factories import make_member, make_run, make_user
from tests.pages.conftest import Browser, one, parsed, text_of

SAME = {"Sec-Fetch-Site": "same-origin"}
CHAIN = {
    "graph": {
        "nodes": [
            {"id": "in", "type": "source_script", "position": {"x": 0, "y": 0}},
            {"id": "say", "type": "operator_generator", "position": {"x": 1, "y": 0}},
        ],
        "edges": [
            {"id": "e", "source": "in", "sourcePort": "lines", "target": "say", "targetPort": "lines"},
        ],
    },
    "execution": {"steps": [], "params": {}},
}


def send(browser: Browser, path: str, **fields: Any) -> TestResponse:
    return browser.client.post(path, data=fields, headers=SAME)


def create(browser: Browser, **fields: Any) -> TestResponse:
    return send(browser, f"/workspaces/{browser.workspace.id}/workflows/new", **fields)


def newest() -> Workflow:
    db.session.rollback()
    found = db.session.scalars(sa.select(Workflow).order_by(Workflow.created_at.desc())).first()
    assert found is not None
    return found


def errors_of(answer: TestResponse) -> list[str]:
    return [text_of(item) for item in parsed(answer).select(".line-errors li")]


@pytest.mark.slow
def test_an_empty_workflow_is_created_and_opened(browser: Browser) -> None:
    made = create(browser, name="  Trailers ", description="One\r\nTwo", definition="")
    assert made.status_code == 303
    workflow = newest()
    assert made.headers["Location"] == f"/workflows/{workflow.id}/definition"
    assert (workflow.name, workflow.name_source, workflow.description) == ("Trailers", "user", "One\nTwo")
    assert workflow.definition["graph"] == {"nodes": [], "edges": []}
    assert "Trailers" in browser.open(made.headers["Location"]).text


def test_without_a_name_the_workflow_has_a_placeholder(browser: Browser) -> None:
    create(browser, name=" ")
    assert (newest().name, newest().name_source) == ("Untitled workflow", "placeholder")


@pytest.mark.parametrize("uploaded", [False, True])
def test_a_definition_is_taken_from_the_field_or_from_a_file(browser: Browser, uploaded: bool) -> None:
    text = json.dumps(CHAIN)
    file = (io.BytesIO(b"\xef\xbb\xbf" + text.encode()), "definition.json")
    assert (
        create(browser, name="x", **({"file": file} if uploaded else {"definition": text})).status_code == 303
    )
    assert newest().definition == CHAIN


def test_a_template_gives_definition_name_and_description_unless_others_are_given(browser: Browser) -> None:
    page = parsed(browser.open(f"/workspaces/{browser.workspace.id}/workflows/new"))
    options = [str(option["value"]) for option in page.select("#template option")]
    assert options[1:] != []
    starter = STARTERS[options[1]]
    assert create(browser, template=starter.id).status_code == 303
    made = newest()
    assert (made.name, made.description, made.definition) == (
        starter.name,
        starter.description,
        starter.definition,
    )
    create(browser, template=starter.id, name="Mine", description="My own")
    assert (newest().name, newest().description) == ("Mine", "My own")


def test_a_template_and_a_definition_together_are_refused(browser: Browser) -> None:
    refused = create(browser, template=next(iter(STARTERS)), definition=json.dumps(CHAIN))
    assert refused.status_code == 422
    assert "choose one of both" in text_of(one(parsed(refused), "#template-error"))
    assert create(browser, template="nothing0").status_code == 404


def test_each_error_of_a_definition_stands_at_its_line(browser: Browser) -> None:
    bad = json.loads(json.dumps(CHAIN))
    del bad["graph"]["nodes"][0]["position"]
    bad["graph"]["nodes"][1]["type"] = "nonsense"
    text = json.dumps(bad, indent=1)
    refused = create(browser, name="Kept", definition=text)
    assert refused.status_code == 422
    missing, unknown = errors_of(refused)
    line = next(number for number, line in enumerate(text.split("\n"), 1) if "nonsense" in line)
    assert missing.startswith("Line 4 graph.nodes.0.position is required.")
    assert unknown.startswith(f"Line {line} graph.nodes.1.type must be one of source_script")
    soup = parsed(refused)
    assert one(soup, "#name")["value"] == "Kept"
    assert one(soup, "#definition").text.strip() == text
    assert one(soup, "#definition")["aria-describedby"] == "definition-error"


def test_an_offence_against_the_structure_is_said_in_its_own_words(browser: Browser) -> None:
    bad = json.loads(json.dumps(CHAIN))
    bad["graph"]["edges"][0]["target"] = "nowhere"
    [error] = errors_of(create(browser, definition=json.dumps(bad, indent=1)))
    assert error.startswith("Line ")
    assert "graph.edges" not in error
    assert "nowhere" in error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"graph":\n oops}', "is not JSON: Expecting value (line 2, column 2)."),
        ('{"graph": NaN}', "is not JSON that can be read."),
        ("[" * 5000, "is not JSON that can be read."),
    ],
)
@pytest.mark.slow
def test_what_is_not_json_is_refused_with_its_place(browser: Browser, text: str, said: str) -> None:
    refused = create(browser, definition=text)
    assert refused.status_code == 422
    assert said in text_of(one(parsed(refused), "#definition-error"))


@pytest.mark.parametrize("text", ["[]", "7", '"text"'])
def test_json_that_is_no_object_is_refused(browser: Browser, text: str) -> None:
    refused = create(browser, definition=text)
    assert "must be an object" in text_of(one(parsed(refused), "#definition-error"))


def test_null_is_no_definition_as_over_the_api(browser: Browser) -> None:
    assert create(browser, definition="null").status_code == 303


def test_a_file_that_is_no_text_is_refused(browser: Browser) -> None:
    refused = create(browser, file=(io.BytesIO(b"\xff\xfe\x00"), "x.json"))
    assert refused.status_code == 422
    assert "must be a text file in UTF-8" in refused.text


def test_a_bad_name_is_said_at_its_field(browser: Browser) -> None:
    refused = create(browser, name="x" * 201, description="kept")
    assert refused.status_code == 422
    assert one(parsed(refused), "#name-error")
    assert one(parsed(refused), "#description").text.strip() == "kept"


def test_name_and_description_are_changed_together(browser: Browser) -> None:
    path = f"/workflows/{browser.workflow.id}/edit"
    tag = one(parsed(browser.open(path)), "[name=tag]")["value"]
    saved = send(browser, path, name="Renamed", description="", tag=tag)
    assert saved.headers["Location"] == browser.list_path
    workflow = db.session.get_one(Workflow, browser.workflow.id, populate_existing=True)
    assert (workflow.name, workflow.description, workflow.definition) == (
        "Renamed",
        None,
        browser.workflow.definition,
    )


def test_a_change_of_somebody_else_is_shown_before_it_is_overwritten(browser: Browser) -> None:
    path = f"/workflows/{browser.workflow.id}/edit"
    tag = one(parsed(browser.open(path)), "[name=tag]")["value"]
    assert send(browser, path, name="Grace's", description="hers", tag=tag).status_code == 303
    refused = send(browser, path, name="Mine", description="mine", tag=tag)
    assert refused.status_code == 409
    soup = parsed(refused)
    warning = text_of(one(soup, "main [role=alert]"))
    assert "Grace's" in warning
    assert "hers" in warning
    assert one(soup, "#name")["value"] == "Mine"
    again = send(browser, path, name="Mine", description="mine", tag=one(soup, "[name=tag]")["value"])
    assert again.status_code == 303


def test_a_copy_has_no_runs_and_is_named_next(browser: Browser) -> None:
    make_run(browser.workflow)
    copied = send(browser, f"/workflows/{browser.workflow.id}/duplicate")
    copy = newest()
    assert copied.headers["Location"] == f"/workflows/{copy.id}/edit"
    assert copy.name == f"{browser.workflow.name} (Copy)"
    assert "No runs yet" in browser.open(f"/workflows/{copy.id}/runs").text


def test_deleting_asks_first_and_says_what_goes(browser: Browser) -> None:
    for _ in range(2):
        make_run(browser.workflow)
    run = recorder.start_run(browser.workflow.id, now=moments.now())
    question = browser.open(f"/workflows/{browser.workflow.id}/delete")
    assert "Its 3 runs are no longer shown to anybody" in question.text
    deleted = send(browser, f"/workflows/{browser.workflow.id}/delete")
    assert (deleted.status_code, deleted.headers["Location"]) == (303, "/")
    gone = browser.runs()
    assert gone.status_code == 410
    assert "Ada Lovelace" in text_of(one(parsed(gone), "main"))
    assert browser.open(f"/workflows/{browser.workflow.id}/runs/{run.id}").status_code == 410
    assert browser.workflow.name not in browser.open("/").text


CHANGING = "a[href$=edit], a[href$=delete], a[href$='workflows/new'], .change:not(.export)"
"""Viewers may export a list, and save it as a view of their own."""


@pytest.mark.slow
def test_viewers_see_no_controls_that_change(
    browser: Browser, sign_in: Callable[[User], FlaskClient]
) -> None:
    viewer = make_user("viewer@acme.example")
    make_member(browser.workspace, viewer, "viewer")
    page, home = (sign_in(viewer).get(path) for path in (browser.list_path, "/"))
    for answer in (page, home):
        assert not parsed(answer).select(CHANGING)
    assert parsed(browser.runs()).select(".change:not(.export)")
    assert parsed(browser.open("/")).select("a[href$='workflows/new']")
