"""Preparing a run: the snapshot with overrides, and what is refused."""

from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from hypothesis import given

from portal.database.engine import db
from portal.database.models import Workflow
from portal.definitions.catalog import MAX_SCRIPT, OURS
from portal.definitions.preflight import Surroundings, preflight_definition
from portal.definitions.site import Site
from portal.engine.contract import Ability
from portal.engine.preparing import Overrides, Prepared, prepare
from portal.errors import MAX_ERRORS, InvalidQuery
from tests.definitions.graphs import (
    GENERATOR,
    SCRIPT,
    SINK,
    Json,
    checked,
    definitions,
    edge,
    graph,
    node,
    smallest,
)
from tests.examples import A_FIFTH
from tests.factories import make_upload, make_workflow, make_workspace

ANYWHERE = Site()


def stored(definition: Any) -> Workflow:
    """As it is read from the database."""
    return Workflow(id=uuid4(), workspace_id=uuid4(), definition=definition)


def prepared(workflow: Workflow, **overrides: object) -> Prepared:
    return prepare(db.session(), workflow, Overrides.read(overrides), ANYWHERE)


def refusals(definition: Any, site: Site = ANYWHERE, **overrides: object) -> list[tuple[str, str | None]]:
    with pytest.raises(InvalidQuery) as refusal:
        prepare(db.session(), stored(definition), Overrides.read(overrides), site)
    return [(error.field, error.rule) for error in refusal.value.errors]


def of_file() -> Json:
    definition = smallest()
    definition["graph"]["nodes"][0]["config"] = {"input_type": "file", "upload_ids": [], "csv_column": "x"}
    return definition


def test_the_snapshot_is_the_complete_definition(app: Flask) -> None:
    definition = checked()
    del definition["execution"]
    definition["graph"]["nodes"][1]["type"] = "processing_generator"
    found = prepared(stored(definition))
    assert found.definition["execution"] == {"steps": [], "params": {}}
    assert found.definition["graph"]["nodes"][1]["type"] == GENERATOR
    assert list(found.plan.nodes) == [each["id"] for each in definition["graph"]["nodes"]]


def test_an_override_of_the_text_is_written_into_the_script_and_nowhere_else(app: Flask) -> None:
    workflow = stored(of_file())
    before = deepcopy(workflow.definition)
    found = prepared(workflow, script_text=" Hello\n", source_language="de")
    assert found.definition["graph"]["nodes"][0]["config"] == {
        "input_type": "text",
        "text": " Hello\n",
        "upload_ids": [],
        "csv_column": "x",
        "source_language": "de",
    }
    assert found.definition["graph"]["nodes"][1:] == before["graph"]["nodes"][1:]
    assert workflow.definition == before


def test_a_language_alone_leaves_the_script_as_it_is(app: Flask) -> None:
    workspace = make_workspace()
    workflow = make_workflow(workspace, definition=of_file())
    make_upload(workflow, workspace, "a.txt", b"Hello")
    config = prepared(workflow, source_language="en-GB").definition["graph"]["nodes"][0]["config"]
    assert config == of_file()["graph"]["nodes"][0]["config"] | {"source_language": "en-GB"}


@pytest.mark.parametrize("nothing", [{}, {"script_text": None, "source_language": None}, {"x": 5}])
def test_without_overrides_nothing_is_changed(app: Flask, nothing: dict[str, object]) -> None:
    assert prepared(stored(smallest()), **nothing).definition == smallest()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("script_text", ""),
        ("script_text", " \n\t"),
        ("script_text", "a\0b"),
        ("script_text", "\ud800"),
        ("script_text", "x" * (MAX_SCRIPT + 1)),
        ("script_text", 5),
        ("source_language", "tlh"),
        ("source_language", 5),
    ],
)
def test_bad_overrides_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        Overrides.read({field: value})
    assert [error.field for error in refusal.value.errors] == [field]


def test_the_longest_text_is_taken() -> None:
    assert Overrides.read({"script_text": "x" * MAX_SCRIPT}).script_text == "x" * MAX_SCRIPT


def test_overrides_need_exactly_one_script(app: Flask) -> None:
    two = smallest()
    two["graph"]["nodes"].append(node(SCRIPT, "more", text="x"))
    assert refusals(two, script_text="x") == [("script_text", None)]
    none = {"graph": {"nodes": [node(SINK)], "edges": []}}
    assert refusals(none, source_language="en") == [("source_language", None)]


def test_a_text_for_the_run_makes_up_for_an_empty_script(app: Flask) -> None:
    empty = smallest()
    empty["graph"]["nodes"][0]["config"] = {}
    assert refusals(empty) == [("definition.graph.nodes.0.config.text", "empty_script")]
    assert prepared(stored(empty), script_text="Hello").plan.sources == [SCRIPT]


def test_what_the_site_cannot_do_is_refused(app: Flask) -> None:
    assert refusals(smallest(), Site(closed="off")) == [("definition.graph.nodes.0", "unavailable_node")]
    silent = Site({SCRIPT: Ability(), GENERATOR: Ability(locales=frozenset()), SINK: Ability()})
    unrouted = ("definition.graph.nodes.1.config.voice_map", "unrouted_locale")
    assert refusals(smallest(), silent) == [unrouted]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"graph": None},
        {"graph": []},
        {"graph": {"nodes": 5, "edges": {}}},
        {"graph": {"nodes": [{}, 5, {"id": "x", "type": "telepathy"}], "edges": [{}]}},
        {"graph": {"nodes": [{"id": "x", "type": SCRIPT, "position": {"x": 0, "y": 0}, "config": []}]}},
        {"execution": {"steps": [5]}},
    ],
)
def test_stored_definitions_of_any_shape_are_refused_in_words(app: Flask, odd: Json) -> None:
    for field, _ in refusals(odd):
        assert field.startswith("definition.")


@pytest.mark.slow
@A_FIFTH
@given(definitions())
def test_exactly_what_preflight_refuses_is_refused(app: Flask, definition: Json) -> None:
    errors = preflight_definition(definition, Surroundings()).errors
    try:
        found = prepared(stored(definition))
    except InvalidQuery as refusal:
        told = [(error.field, error.rule) for error in refusal.errors]
        assert told == [(f"definition.{each.path}", each.rule) for each in errors[:MAX_ERRORS]]
    else:
        assert errors == []
        assert found.definition == definition


def test_a_stored_definition_whose_package_is_gone_says_what_to_install(app: Flask) -> None:
    nodes = [node(SCRIPT, text="x"), node("operator_gone"), node(GENERATOR), node(SINK)]
    ways = [(SCRIPT, "operator_gone"), ("operator_gone", GENERATOR), (GENERATOR, SINK)]
    gone = graph(nodes, [edge(a, b) for a, b in ways])
    for site in (ANYWHERE, Site(abilities={slug: Ability() for slug in OURS})):
        with pytest.raises(InvalidQuery) as refused:
            prepare(db.session(), stored(gone), Overrides(), site)
        [error] = refused.value.errors
        assert (error.rule, error.node_id) == ("unavailable_node", "operator_gone")
        assert "PORTAL_HANDLER_PLUGINS" in error.message
