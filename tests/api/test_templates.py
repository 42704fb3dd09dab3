"""Templates over the API."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.database.models import AuditEntry, Workflow
from portal.workflows.templates.starters import STARTERS
from tests.api.conftest import Api
from tests.definitions.graphs import checked, edge, smallest
from tests.factories import NOON, make_key, make_member, make_template, make_user, make_workspace

Json = dict[str, Any]


@pytest.fixture
def api(api: Api) -> Api:
    return api.with_key(make_key(api.workspace, api.user, SCOPES))


@pytest.fixture
def theirs(api: Api) -> Api:
    workspace, user = make_workspace("other", "Other"), make_user("other@acme.example")
    make_member(workspace, user)
    return Api(api.app, workspace, user, make_key(workspace, user, SCOPES))


def post(api: Api, **fields: Any) -> TestResponse:
    return api.request("POST", "/templates", json={"name": "Dub", **fields})


def made(api: Api, **fields: Any) -> Json:
    answer = post(api, **fields)
    assert answer.status_code == 201, answer.text
    found: Json = answer.get_json()["data"]
    return found


def fields_of(answer: TestResponse) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {detail["field"] for detail in answer.get_json()["error"]["details"]}


def names(api: Api, query: str = "", path: str = "/templates") -> list[str]:
    answer = api.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.text
    return [template["name"] for template in answer.get_json()["data"]]


def own(api: Api, query: str = "") -> list[str]:
    starters = {starter.name for starter in STARTERS.values()}
    return [name for name in names(api, query) if name not in starters]


def test_a_template_is_kept_as_it_is_sent(api: Api) -> None:
    template = made(api, name=" Dub ", description="d\n", category="media", definition=checked())
    assert len(template["id"]) == 8
    assert template["id"].isascii()
    assert template["id"].isalnum()
    assert (template["name"], template["description"]) == ("Dub", "d\n")
    assert template["definition"]["graph"]["edges"] == checked()["graph"]["edges"]
    assert (template["is_starter"], template["is_public"], template["uses_count"]) == (False, False, 0)
    assert template["created_by"] == str(api.user.id)
    assert api.get(f"/templates/{template['id']}").get_json()["data"] == template
    assert made(api)["definition"]["graph"] == {"nodes": [], "edges": []}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": " "}, {"name"}),
        ({"name": None, "category": "x", "description": "x" * 2001}, {"name", "category", "description"}),
        ({"definition": {"graph": {"nodes": 5}}}, {"definition.graph.nodes"}),
        ({"definition": {"graph": {"edges": [edge("a", "b")]}}}, {"definition.graph.edges.0"}),
    ],
)
def test_what_is_wrong_is_named_and_nothing_kept(api: Api, fields: Json, wrong: set[str]) -> None:
    assert fields_of(post(api, **fields)) == wrong
    assert own(api) == []


def test_a_change_writes_what_it_names(api: Api) -> None:
    template = made(api, description="d", category="media", definition=smallest())
    path = f"/templates/{template['id']}"
    changed = api.request("PATCH", path, json={"name": "New", "category": None}).get_json()["data"]
    assert (changed["name"], changed["category"], changed["description"]) == ("New", None, "d")
    assert changed["definition"] == template["definition"]
    assert changed["updated_at"] > template["updated_at"]
    assert api.request("PATCH", path, json={"definition": checked()}).status_code == 200
    assert names(api, "search=NEW") == ["New"]
    for body, wrong in (
        ({}, {"body"}),
        ({"other": 1}, {"body"}),
        ({"definition": None}, {"definition"}),
        ({"name": None}, {"name"}),
        ({"name": "x", "definition": {"graph": {"edges": [edge("a", "b")]}}}, {"definition.graph.edges.0"}),
    ):
        assert fields_of(api.request("PATCH", path, json=body)) == wrong
    assert names(api, "search=new") == ["New"]


def test_ids_are_case_sensitive_and_of_eight_letters_and_digits(api: Api) -> None:
    make_template(api.workspace, "Lower", id="abcdefgh")
    make_template(api.workspace, "Upper", id="ABCDEFGH")
    assert api.get("/templates/ABCDEFGH").get_json()["data"]["name"] == "Upper"
    assert api.get("/templates/Abcdefgh").status_code == 404
    for bad in ("abcdefg", "abcdefghi", "abcdefg-", "abcdefg%C3%A9"):
        assert fields_of(api.get(f"/templates/{bad}")) == {"template_id"}
    assert fields_of(api.request("PATCH", "/templates/x", json={"name": ""})) == {"template_id", "name"}


def test_starters_are_everybodys_and_nobody_changes_them(api: Api, theirs: Api) -> None:
    for who in (api, theirs):
        assert set(names(who)) == {starter.name for starter in STARTERS.values()}
    path = "/templates/ReadText"
    starter = api.get(path).get_json()["data"]
    assert (starter["is_starter"], starter["created_by"]) == (True, None)
    assert api.request("PATCH", path, json={"name": "x"}).status_code == 403
    assert api.request("DELETE", path).status_code == 403
    assert api.get(path).get_json()["data"] == starter


def test_lists_are_filtered_sorted_and_paged(api: Api, theirs: Api) -> None:
    for day, (name, category) in enumerate([("Beta", "media"), ("alpha", "business"), ("Gamma", None)]):
        at = NOON + timedelta(days=day - 400)
        columns = {"category": category, "updated_at": at, "created_by": api.user.id}
        make_template(api.workspace, name, **columns)
    make_template(theirs.workspace, "Theirs")
    assert own(api) == own(api, "sort=recent") == ["Gamma", "alpha", "Beta"]
    assert own(api, "sort=name") == ["alpha", "Beta", "Gamma"]
    assert own(api, "category=media&category=business&sort=name") == ["alpha", "Beta"]
    assert names(api, "search=ALPH") == ["alpha"]
    assert names(api, path="/users/me/templates") == ["Gamma", "alpha", "Beta"]
    assert names(theirs, path="/users/me/templates") == []
    page = api.get("/templates?limit=2&category=media&sort=name").get_json()["pagination"]
    assert page == {"limit": 2, "next": None, "prev": None}
    next_page = api.get("/users/me/templates?limit=2&sort=name").get_json()["pagination"]["next"]
    assert next_page.endswith("/users/me/templates?offset=2&limit=2&sort=name")
    assert fields_of(api.get("/templates?category=x&sort=x&limit=0&favorites_only=x")) == {
        "category",
        "sort",
        "limit",
        "favorites_only",
    }


def test_a_clone_is_a_workflow_of_ones_own(api: Api) -> None:
    template = made(api, description="Dubs", definition=checked())
    answer = api.request("POST", f"/templates/{template['id']}/clone")
    assert answer.status_code == 201
    workflow = answer.get_json()["data"]
    assert (workflow["name"], workflow["description"], workflow["name_source"]) == ("Dub", "Dubs", "user")
    assert workflow["definition"] == template["definition"]
    assert answer.headers["ETag"] == api.get(f"/workflows/{workflow['id']}").headers["ETag"]
    named = api.request("POST", "/templates/ReadText/clone", json={"name": " Mine "}).get_json()["data"]
    unnamed = api.request("POST", "/templates/ReadText/clone", json={"name": None}).get_json()["data"]
    assert (named["name"], unnamed["name"]) == ("Mine", "Read a text aloud")
    blank = api.request("POST", "/templates/ReadText/clone", json={"name": " "})
    assert fields_of(blank) == {"name"}
    assert fields_of(api.request("POST", "/templates/ReadText/clone", json={"name": 5})) == {"name"}
    assert names(api, "sort=popular&limit=2") == ["Read a text aloud", "Dub"]
    assert api.get("/templates/ReadText").get_json()["data"]["uses_count"] == 2
    api.request("PATCH", f"/templates/{template['id']}", json={"definition": smallest()})
    api.request("DELETE", f"/templates/{template['id']}")
    kept = db.session.get_one(Workflow, UUID(workflow["id"]))
    assert kept.definition == workflow["definition"]
    audited = db.session.scalars(sa.select(AuditEntry.details).where(AuditEntry.kind == "workflow.created"))
    assert [details["template"] for details in audited].count("ReadText") == 2


def test_a_deleted_template_is_gone(api: Api) -> None:
    template = made(api)
    path = f"/templates/{template['id']}"
    api.request("POST", f"{path}/favorite")
    deleted = api.request("DELETE", path)
    assert deleted.get_json()["data"] == {"id": template["id"], "deleted": True}
    for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/clone"), ("POST", "/favorite")):
        assert api.request(method, path + rest).status_code == 404
    assert api.request("PATCH", path, json={"name": "x"}).status_code == 404
    assert names(api, "favorites_only=true") == []


def test_favourites_are_a_users_own(api: Api, theirs: Api) -> None:
    template = made(api)
    for template_id in (template["id"], "ReadText", "ReadText"):
        liked = api.request("POST", f"/templates/{template_id}/favorite").get_json()["data"]
        assert liked["is_favorite"] is True
    assert set(names(api, "favorites_only=true")) == {"Dub", "Read a text aloud"}
    assert names(theirs, "favorites_only=true") == []
    for template_id in ("ReadText", "ReadText", "Absent00"):
        answer = api.request("DELETE", f"/templates/{template_id}/favorite")
        assert answer.get_json()["data"] == {"id": template_id, "is_favorite": False}
    assert names(api, "favorites_only=true") == ["Dub"]
    assert api.request("POST", "/templates/Absent00/favorite").status_code == 404


def test_templates_of_another_workspace_are_not_there(api: Api, theirs: Api) -> None:
    template = made(theirs)
    path = f"/templates/{template['id']}"
    for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/clone"), ("POST", "/favorite")):
        assert api.request(method, path + rest).status_code == 404
    assert api.request("PATCH", path, json={"name": "x"}).status_code == 404
    assert theirs.get(path).get_json()["data"] == template
