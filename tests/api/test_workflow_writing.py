"""Writing workflows through the API (contract part 2, sections 3 to 6)."""

import json
from uuid import UUID, uuid4

import pytest
from flask import Flask
from hypothesis import given
from werkzeug.test import TestResponse

from portal import moments
from portal.database.models import Workflow
from portal.runs.recording import recorder
from portal.storage.signed_links import Grant, sign
from tests.api.conftest import Api
from tests.definitions.graphs import UNSOUND, Json, checked, definitions, edge, graph, node, smallest
from tests.examples import A_FIFTH
from tests.factories import make_key, make_output, make_run, make_upload, make_workflow

EMPTY = {"graph": {"nodes": [], "edges": []}, "execution": {"steps": [], "params": {}}}
UNSHAPED = {"graph": {"nodes": [{"id": "a"}]}}


@pytest.fixture
def writer(api: Api) -> Api:
    return api.with_key(make_key(api.workspace, api.user, ("workflows:read", "workflows:write")))


def create(api: Api, **body: object) -> Json:
    answer = api.request("POST", "/workflows", json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.get_json()["data"]
    return made


def fields(answer: TestResponse) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [detail["field"] for detail in answer.get_json()["error"]["details"]]


def test_a_workflow_needs_nothing_to_be_made(writer: Api) -> None:
    for options in ({}, {"json": {}}, {"json": {"name": None, "definition": None, "beyond": 1}}):
        made = writer.request("POST", "/workflows", **options).get_json()["data"]
        assert (made["name"], made["name_source"]) == ("Untitled workflow", "placeholder")
        assert (made["description"], made["definition"]) == (None, EMPTY)
        assert (made["user_id"], made["runs_count"]) == (str(writer.user.id), 0)
        assert made["created_at"] == made["updated_at"]
        assert set(made["run_status_counts"].values()) == {0}


def test_what_is_made_is_read_and_listed_first(writer: Api) -> None:
    make_workflow(writer.workspace)
    made = create(writer, name="  Dub  ", description="  kept\n", definition=checked())
    assert (made["name"], made["name_source"], made["description"]) == ("Dub", "user", "  kept\n")
    assert writer.get(f"/workflows/{made['id']}").get_json()["data"] == made
    assert writer.get("/workflows?search=DUB").get_json()["data"][0]["id"] == made["id"]
    assert writer.get("/workflows").get_json()["data"][0]["id"] == made["id"]


def test_put_replaces_all_and_patch_what_it_names(writer: Api) -> None:
    made = create(writer, name="Dub", description="Old", definition=checked())
    path = f"/workflows/{made['id']}"
    patched = writer.request("PATCH", path, json={"description": None}).get_json()["data"]
    assert (patched["name"], patched["description"], patched["definition"]) == ("Dub", None, checked())
    patched = writer.request("PATCH", path, json={"description": ""}).get_json()["data"]
    assert patched["description"] == ""
    put = writer.request("PUT", path, json={"name": "Dub", "definition": smallest()}).get_json()["data"]
    assert (put["name"], put["description"], put["definition"]) == ("Dub", None, smallest())
    assert made["updated_at"] < patched["updated_at"] < put["updated_at"]
    assert put["created_at"] == made["created_at"]


@pytest.mark.slow
@pytest.mark.hypothesis
@A_FIFTH
@given(definition=definitions())
def test_get_after_put_gives_what_was_put(writer: Api, definition: Json) -> None:
    [flow, *_] = writer.get("/workflows").get_json()["data"] or [create(writer)]
    path = f"/workflows/{flow['id']}"
    put = writer.request("PUT", path, json={"name": "x", "definition": definition})
    assert put.status_code == 200, put.text
    got = writer.get(path).get_json()["data"]["definition"]
    assert json.dumps(got, sort_keys=True) == json.dumps(definition, sort_keys=True)


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("POST", {"name": 5, "description": [], "definition": []}, ["name", "description", "definition"]),
        ("POST", {"name": " "}, ["name"]),
        (
            "POST",
            {"definition": UNSHAPED},
            ["definition.graph.nodes.0.type", "definition.graph.nodes.0.position"],
        ),
        ("PUT", {}, ["name", "definition"]),
        ("PUT", {"name": None, "definition": None}, ["name", "definition"]),
        ("PUT", {"name": "x", "definition": {}, "description": 5}, ["description"]),
        ("PATCH", {}, ["body"]),
        ("PATCH", {"other": 1}, ["body"]),
        ("PATCH", {"name": None}, ["name"]),
        ("PATCH", {"definition": None}, ["definition"]),
        ("PATCH", {"name": "a\u202eb", "definition": 5}, ["name", "definition"]),
        ("VALIDATE", {}, ["definition"]),
        ("VALIDATE", {"definition": None}, ["definition"]),
        (
            "VALIDATE",
            {"definition": UNSHAPED},
            ["definition.graph.nodes.0.type", "definition.graph.nodes.0.position"],
        ),
    ],
)
def test_bad_fields_are_named_all_at_once(writer: Api, method: str, body: Json, expected: list[str]) -> None:
    if method == "VALIDATE":
        assert fields(writer.request("POST", "/workflows/validate", json=body)) == expected
        return
    if method == "POST":
        assert fields(writer.request("POST", "/workflows", json=body)) == expected
        assert writer.get("/workflows").get_json()["pagination"]["total"] == 0
        return
    made = create(writer)
    path = f"/workflows/{made['id']}"
    assert fields(writer.request(method, path, json=body)) == expected
    assert writer.get(path).get_json()["data"] == made
    assert fields(writer.request(method, "/workflows/x", json=body)) == ["workflow_id", *expected]
    assert fields(writer.request(method, f"/workflows/{uuid4()}", json=body)) == expected


def test_an_empty_body_is_nothing_where_something_is_needed(writer: Api) -> None:
    path = f"/workflows/{create(writer)['id']}"
    typed = {"Content-Type": "application/json", "Content-Length": "0"}
    assert fields(writer.request("PUT", path, headers=typed)) == ["name", "definition"]
    assert fields(writer.request("PATCH", path, headers=typed)) == ["body"]
    assert fields(writer.request("POST", "/workflows/validate", headers=typed)) == ["definition"]
    assert (
        writer.request("POST", f"{path}/duplicate", data=b"\xff", content_type="text/plain").status_code
        == 201
    )


@pytest.mark.parametrize(
    "raw", ["[]", "null", "5", '"x"', "{", '{"name": NaN}', '{"definition": {"x": Infinity}}']
)
def test_what_is_no_object_cannot_be_read(writer: Api, raw: str) -> None:
    answer = writer.request("POST", "/workflows", data=raw, content_type="application/json; charset=utf-8")
    assert answer.status_code == 400


def test_other_types_and_sizes_are_refused(writer: Api) -> None:
    assert writer.request("POST", "/workflows", data="{}", content_type="text/plain").status_code == 415
    assert writer.request("POST", "/workflows", data="{}").status_code == 201
    large = json.dumps({"name": "x", "pad": "x" * 1_000_000})
    assert (
        writer.request("POST", "/workflows", data=large, content_type="application/json").status_code == 413
    )


@pytest.mark.parametrize(
    "raw",
    [r'{"definition": {"x": "\u0000"}}', r'{"definition": {"\ud800": 1}}', '{"definition": {"x": 1e999}}'],
)
def test_what_no_database_takes_is_422(writer: Api, raw: str) -> None:
    answer = writer.request("POST", "/workflows", data=raw, content_type="application/json")
    [field] = fields(answer)
    assert field.startswith("definition")


def test_a_broken_rule_comes_with_its_node_and_is_said_first(writer: Api) -> None:
    error = writer.request("POST", "/workflows", json={"definition": UNSOUND}).get_json()["error"]
    assert error["message"].startswith("definition.graph.nodes.0.config.format: Export “out”: ")
    first = error["details"][0]
    assert (first["rule"], first["node_id"]) == ("invalid_config", "out")
    assert first["field"] == "definition.graph.nodes.0.config.format"


def test_no_refusal_names_more_than_a_hundred_rules(writer: Api) -> None:
    many = graph([], [edge("nobody", f"n{n}") for n in range(500)])
    error = writer.request("POST", "/workflows", json={"definition": many}).get_json()["error"]
    assert len(error["details"]) == 100
    assert len(error["message"]) < 2000
    found = writer.request("POST", "/workflows/validate", json={"definition": many}).get_json()["data"]
    assert len(found["errors"]) == 100


def test_what_is_not_there_comes_before_the_rules_of_a_graph(writer: Api) -> None:
    path = f"/workflows/{uuid4()}"
    assert writer.request("PATCH", path, json={"definition": UNSOUND}).status_code == 404
    assert fields(writer.request("PATCH", path, json={"definition": UNSHAPED}))


def test_old_names_of_types_are_served_as_the_new_ones(writer: Api) -> None:
    made = create(writer, definition=graph([node("processing_generator")], []))
    assert made["definition"]["graph"]["nodes"][0]["type"] == "operator_generator"


def test_a_patch_without_a_definition_leaves_an_imported_one_alone(writer: Api) -> None:
    odd = {"graph": {"nodes": [{"id": "a", "type": "of old"}]}}
    imported = make_workflow(writer.workspace, definition=odd)
    renamed = writer.request("PATCH", f"/workflows/{imported.id}", json={"name": "New"}).get_json()["data"]
    assert (renamed["name"], renamed["definition"]) == ("New", odd)
    copy = writer.request("POST", f"/workflows/{imported.id}/duplicate").get_json()["data"]
    assert (copy["name"], copy["definition"]) == ("New (Copy)", odd)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_if_match_lets_only_the_present_state_be_written(writer: Api, method: str) -> None:
    path = f"/workflows/{create(writer, name='Before')['id']}"
    old = writer.get(path).headers["ETag"]
    new = writer.request("PATCH", path, json={"description": "x"}).headers["ETag"]
    assert old != new
    options = {} if method == "DELETE" else {"json": {"name": "After", "definition": {}}}
    for tag in (old, f"W/{new}", '"other"', "", f"{old}, {old}"):
        answer = writer.request(method, path, headers={"If-Match": tag}, **options)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    unchanged = writer.get(path)
    assert (unchanged.get_json()["data"]["name"], unchanged.headers["ETag"]) == ("Before", new)
    assert writer.request(method, path, headers={"If-Match": f"{old}, {new}"}, **options).status_code == 200


def test_any_state_matches_a_star_and_what_is_not_there_matches_nothing(writer: Api) -> None:
    path = f"/workflows/{create(writer)['id']}"
    star = {"If-Match": "*"}
    assert writer.request("PATCH", path, headers=star, json={"name": "x"}).status_code == 200
    assert writer.request("DELETE", path, headers=star).status_code == 200
    assert writer.request("PATCH", path, headers=star, json={"name": "x"}).status_code == 404


def test_a_run_leaves_the_etag_and_the_moment(writer: Api) -> None:
    made = create(writer)
    before = writer.get(f"/workflows/{made['id']}")
    recorder.start_run(UUID(made["id"]), now=moments.now())
    after = writer.get(f"/workflows/{made['id']}")
    assert after.headers["ETag"] == before.headers["ETag"]
    assert after.get_json()["data"]["runs_count"] == 1


@pytest.mark.slow
def test_after_deletion_nothing_of_it_is_there(writer: Api, app: Flask) -> None:
    flow = make_workflow(writer.workspace, "Gone")
    run = make_run(flow)
    make_output(run, writer.workspace, {"script": "Hello", "takes": [{"audio": b"RIFF"}]})
    upload = make_upload(flow, writer.workspace, "a.txt", b"Hello")
    links = [
        sign(Grant("run", writer.workspace.id, run.id), moments.now()).path,
        sign(Grant("audio", writer.workspace.id, run.id, "0" * 16), moments.now()).path,
        sign(Grant("upload", writer.workspace.id, upload.id), moments.now()).path,
    ]
    path = f"/workflows/{flow.id}"
    assert [app.test_client().get(link).status_code for link in links] == [200, 200, 200]
    gone = writer.request("DELETE", path)
    assert gone.get_json()["data"] == {"id": str(flow.id), "deleted": True}
    absent = writer.get(f"/workflows/{uuid4()}").get_json()["error"]
    for rest in (
        "",
        "/markdown",
        "/uploads",
        "/runs",
        "/runs/summary",
        f"/runs/{run.id}",
        f"/runs/{run.id}/data",
    ):
        answer = writer.get(path + rest)
        assert (answer.status_code, answer.get_json()["error"]) == (404, absent)
    for method, body in (
        ("PUT", {"name": "x", "definition": {}}),
        ("PATCH", {"name": "x"}),
        ("DELETE", None),
    ):
        assert writer.request(method, path, json=body).status_code == 404
    assert writer.request("POST", f"{path}/duplicate").status_code == 404
    assert writer.get("/workflows?search=Gone").get_json()["pagination"]["total"] == 0
    assert [app.test_client().get(link).status_code for link in links] == [404, 404, 404]


def test_a_name_is_free_just_when_it_may_be_used(writer: Api) -> None:
    for name, allowed in (
        ("  Dub ", True),
        ("x" * 200, True),
        ("x" * 201, False),
        (" ", False),
        ("a\tb", False),
    ):
        asked = writer.get("/workflows/name-availability", query_string={"name": name})
        assert asked.status_code == (200 if allowed else 422)
        made = writer.request("POST", "/workflows", json={"name": name})
        assert made.status_code == (201 if allowed else 422)
        if allowed:
            assert asked.get_json()["data"] == {"name": made.get_json()["data"]["name"], "available": True}


@pytest.mark.slow
def test_validate_says_what_would_keep_it_from_running_and_saves_nothing(writer: Api) -> None:
    def validated(definition: Json) -> Json:
        answer = writer.request("POST", "/workflows/validate", json={"definition": definition})
        assert answer.status_code == 200
        found: Json = answer.get_json()["data"]
        return found

    fine = validated(checked())
    assert (fine["valid"], fine["errors"], fine["blocked"]) == (True, [], [])
    assert [each["rule"] for each in fine["warnings"]] == ["cycle"]
    assert fine["summary"]["node_types"]["sink_preview"] == 1
    bad = validated(UNSOUND)
    assert not bad["valid"]
    assert bad["errors"][0].keys() == {"rule", "node_id", "node_name", "message"}
    assert {"invalid_config", "missing_source"} <= {each["rule"] for each in bad["errors"]}
    assert writer.get("/workflows").get_json()["pagination"]["total"] == 0


def test_a_key_without_the_scope_writes_nothing(api: Api, workflow: Workflow) -> None:
    path = f"/workflows/{workflow.id}"
    for method, where in (
        ("POST", "/workflows"),
        ("POST", "/workflows/validate"),
        ("PUT", path),
        ("DELETE", path),
    ):
        assert api.request(method, where, json={}).status_code == 403
    assert api.get(path).get_json()["data"]["name"] == workflow.name
