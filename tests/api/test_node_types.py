"""Node types of packages over the API: while they are installed, and afterwards."""

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from portal.database.engine import db
from portal.database.models import Workflow
from portal.definitions.catalog import OURS, NodeType
from portal.definitions.preflight import Surroundings, preflight_definition
from portal.definitions.shape import read_stored
from portal.engine.contract import Ability
from tests.api.conftest import Api
from tests.definitions.graphs import GENERATOR, SCRIPT, SINK, Json, edge, graph, node
from tests.definitions.plug_ins import LISTEN, SHOUT, installed
from tests.factories import make_key, make_run, make_steps


@dataclass(frozen=True)
class Willing:
    """As much of a handler as tells that it can work."""

    node_type: NodeType

    def ability(self, environment: object) -> Ability:
        return Ability()


SCOPES = ("workflows:read", "workflows:write", "catalog:read")


@pytest.fixture
def writer(api: Api) -> Api:
    return api.with_key(make_key(api.workspace, api.user, SCOPES))


def shouted() -> Json:
    nodes = [node(SCRIPT, text="x"), node(SHOUT.slug), node(GENERATOR), node(LISTEN.slug), node(SINK)]
    edges = [
        edge(SCRIPT, SHOUT.slug),
        edge(SHOUT.slug, GENERATOR),
        edge(GENERATOR, LISTEN.slug),
        edge(LISTEN.slug, SINK, "pass"),
        edge(LISTEN.slug, GENERATOR, "fail"),
    ]
    return graph(nodes, edges)


def data_of(api: Api, method: str, path: str, **options: Any) -> Any:
    answer = api.request(method, path, **options)
    assert answer.status_code < 300, answer.text
    return answer.get_json()["data"]


def test_they_are_listed_and_described_like_ours(writer: Api) -> None:
    with installed(SHOUT, LISTEN):
        listed = data_of(writer, "GET", "/nodes")
        assert [each["node_type"] for each in listed] == [*OURS, SHOUT.slug, LISTEN.slug]
        found = data_of(writer, "GET", f"/nodes/{LISTEN.slug}")
        assert (found["display_name"], found["category"]) == ("Listen", "validation")
        assert found["config_schema"] == LISTEN.settings
        assert [port["name"] for port in found["outputs"]] == ["pass", "fail"]
    assert writer.get(f"/nodes/{LISTEN.slug}").status_code == 404


@pytest.mark.slow
def test_the_description_of_the_api_names_them(app: Flask) -> None:
    def enums() -> list[list[str]]:
        document = app.test_client().get("/openapi.json").get_json()
        nodes = document["components"]["schemas"]["NewWorkflow"]["properties"]["definition"]["properties"][
            "graph"
        ]["properties"]["nodes"]
        steps = document["paths"]["/api/v1/workflows/{workflow_id}/runs/{run_id}/steps"]["get"]
        filters = {parameter.get("name"): parameter for parameter in steps["parameters"]}
        return [nodes["items"]["properties"]["type"]["enum"], filters["node_type"]["schema"]["enum"]]

    with installed(SHOUT):
        assert all(SHOUT.slug in words for words in enums())
    assert not any(SHOUT.slug in words for words in enums())


def test_steps_are_filtered_by_them(api: Api, workflow: Workflow) -> None:
    run = make_run(workflow)
    make_steps(run, {"node_id": "s", "node_type": SHOUT.slug}, {"node_id": "g"})
    path = f"/workflows/{workflow.id}/runs/{run.id}/steps?node_type={SHOUT.slug}"
    with installed(SHOUT):
        assert [step["node_id"] for step in data_of(api, "GET", path)] == ["s"]
    assert api.get(path).status_code == 422


def test_definitions_with_them_are_validated_and_saved(writer: Api) -> None:
    body = {"definition": shouted()}
    with installed(SHOUT, LISTEN):
        writer.app.extensions["portal.handlers"] = {each.slug: Willing(each) for each in (SHOUT, LISTEN)}
        found = data_of(writer, "POST", "/workflows/validate", json=body)
        assert [each for each in found["errors"] if each["node_id"] in (SHOUT.slug, LISTEN.slug)] == []
        assert found["summary"]["validators"] == [
            {"node_id": LISTEN.slug, "type": LISTEN.slug, "threshold": None, "max_retries": 2}
        ]
        data_of(writer, "POST", "/workflows", json=body)
        template = data_of(writer, "POST", "/templates", json={"name": "Loud", "category": "media", **body})
        assert template["definition"] == shouted()
    for path in ("/workflows/validate", "/workflows"):
        refused = writer.request("POST", path, json=body)
        assert refused.status_code == 422
        assert refused.get_json()["error"]["details"][0]["field"] == "definition.graph.nodes.1.type"


def test_without_its_package_a_workflow_is_served_renamed_and_copied_but_cannot_run(writer: Api) -> None:
    with installed(SHOUT, LISTEN):
        made = data_of(writer, "POST", "/workflows", json={"name": "Loud", "definition": shouted()})
    path = f"/workflows/{made['id']}"
    assert data_of(writer, "GET", path) == made
    assert data_of(writer, "PATCH", path, json={"name": "Quiet"})["definition"] == shouted()
    copy = data_of(writer, "POST", f"{path}/duplicate")
    assert copy["definition"] == shouted()
    assert writer.get(f"{path}/markdown").status_code == 200
    assert writer.request("PATCH", path, json={"definition": shouted()}).status_code == 422
    [stored] = db.session.scalars(db.select(Workflow.definition).where(Workflow.name == "Quiet"))
    found = preflight_definition(read_stored(stored), Surroundings())
    assert [(each.rule, each.node_id) for each in found.errors] == [
        ("unavailable_node", SHOUT.slug),
        ("unavailable_node", LISTEN.slug),
    ]
