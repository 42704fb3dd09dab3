"""The editor of a definition, as a browser without script uses it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from werkzeug.test import TestResponse, encode_multipart

from portal.database.engine import db
from portal.database.models import User, Workflow
from portal.definitions.shape import read_stored
from portal.engine.contract import Ability
from portal.engine.preparing.abilities import to_json
from tests.definitions.graphs import (
    CHECK,
    GENERATOR,
    SCRIPT,
    SINK,
    UNSOUND,
    Json,
    checked,
    definitions,
    graph,
    node,
    smallest,
)
from tests.definitions.plug_ins import SING, installed
from tests.examples import FEW
from tests.factories import CAN_ALL, make_member, make_upload, make_user, make_worker, make_workflow
from tests.pages.conftest import HTMX, Browser, one, parsed, text_of
from tests.pages.test_workflow_forms import SAME


class Editor:
    """The page of the editor in a browser that sends what its form has."""

    def __init__(self, browser: Browser, workflow: Workflow) -> None:
        self._browser, self.workflow_id = browser, workflow.id
        self.answer = self.reload()

    @property
    def path(self) -> str:
        return f"/workflows/{self.workflow_id}/definition"

    @property
    def page(self) -> BeautifulSoup:
        return parsed(self.answer)

    def reload(self, query: str = "") -> TestResponse:
        self.answer = self._browser.open(f"{self.path}?{query}")
        return self.answer

    def fields(self) -> dict[str, list[str]]:
        """What the form sends if nobody changes anything."""
        found: dict[str, list[str]] = {}
        for field in self.page.select("#editor [name]"):
            if field.name == "button" or (field.get("type") == "checkbox" and not field.has_attr("checked")):
                continue
            if field.name == "select":
                value = next(
                    (o["value"] for o in field.select("option[selected]")),
                    one_or_first(field.select("option")),
                )
            elif field.name == "textarea":
                value = field.text.removeprefix("\n")
            else:
                value = field.get("value", "on")
            found.setdefault(str(field["name"]), []).append(str(value))
        return found

    def press(self, do: str, headers: Mapping[str, str] | None = None, **typed: Any) -> TestResponse:
        """Press a button of the form after typing into some of its fields."""
        fields = (
            self.fields() | {"do": [do]} | {name.replace("__", "."): value for name, value in typed.items()}
        )
        path = f"{self.path}/draft" if headers else self.path
        boundary, body = encode_multipart(fields)
        answer = self._browser.client.post(
            path,
            data=body,
            headers=SAME | dict(headers or {}),
            content_type=f"multipart/form-data; boundary={boundary}",
        )
        self.answer = self._browser.open(answer.headers["Location"]) if answer.status_code == 303 else answer
        return answer

    def add(self, label: str, group: str) -> None:
        [options] = self.page.select(f'#place optgroup[label="{group}"]')
        [option] = [each for each in options.select("option") if each.text == label]
        self.press("add", place=str(option["value"]))

    def draft(self) -> Json:
        found: Json = json.loads(str(one(self.page, "[name=draft]")["value"]))
        return found

    def stored(self) -> Json:
        db.session.rollback()
        return db.session.get_one(Workflow, self.workflow_id).definition


def one_or_first(options: Any) -> str:
    return str(options[0]["value"]) if options else ""


@pytest.fixture
def edit(browser: Browser) -> Callable[..., Editor]:
    def opened(definition: Json, name: str = "Tour") -> Editor:
        return Editor(browser, make_workflow(browser.workspace, name, definition=definition))

    return opened


Edit = Callable[..., Editor]
EMPTY = graph([], [])


@pytest.mark.slow
def test_a_workflow_is_built_from_nothing_and_saved(edit: Edit) -> None:
    editor = edit(EMPTY)
    assert "Nothing here yet" in editor.answer.text
    editor.add("Script Input", "On its own")
    editor.press("check", set__text="Hello")
    editor.add("Voice Generator", "After Script Input")
    editor.add("Word Accuracy", "After Voice Generator")
    editor.press("connect:to", to=option(editor, "#to", "fail → Voice Generator"))
    editor.add("Export", "After Word Accuracy, from pass")
    assert text_of(one(editor.page, "#editor-state")).startswith("Not saved")
    assert editor.press("save").status_code == 303
    saved = editor.stored()
    assert [each["type"] for each in saved["graph"]["nodes"]] == [SCRIPT, GENERATOR, CHECK, SINK]
    assert saved["graph"]["nodes"][0]["config"] == {"text": "Hello"}
    assert [each["sourcePort"] for each in saved["graph"]["edges"]] == ["lines", "lines", "fail", "pass"]
    assert text_of(one(editor.page, "#editor-state")).startswith("Version 2, saved by Ada Lovelace")


def option(editor: Editor, select: str, label: str) -> str:
    [found] = [each for each in editor.page.select(f"{select} option") if each.text == label]
    return str(found["value"])


@pytest.mark.slow
def test_nodes_are_chosen_and_shown_with_their_fields(edit: Edit) -> None:
    editor = edit(checked())
    editor.press("open:2")
    assert text_of(one(editor.page, "#node-title")) == "Word Accuracy"
    [label] = [each for each in editor.page.select("label") if each.text == "Threshold"]
    hint = one(editor.page, f"#{label['for']}-hint")
    assert hint.text == "From 70 to 99. 93 unless set."
    assert one(editor.page, f"#{label['for']}")["aria-describedby"] == hint["id"]
    lines = [text_of(each) for each in editor.page.select(".node-list li")]
    assert lines[1] == "Voice Generator fed by Script Input, Word Accuracy (fail) worth a look"


@pytest.mark.slow
def test_a_node_in_the_address_is_the_chosen_one(edit: Edit) -> None:
    editor = edit(checked())
    editor.reload(f"node={CHECK}")
    assert text_of(one(editor.page, "#node-title")) == "Word Accuracy"
    editor.reload("node=nobody")
    assert editor.page.select("#node-title") == []


@pytest.mark.slow
def test_what_a_setting_does_not_take_is_said_at_its_field_and_not_saved(edit: Edit) -> None:
    editor = edit(checked())
    editor.press("open:2")
    refused = editor.press("save", set__threshold="abc")
    assert refused.status_code == 422
    field = one(editor.page, "[name='set.threshold']")
    assert (field["value"], field["aria-invalid"]) == ("abc", "true")
    error = one(editor.page, f"#{field['id']}-error").text
    assert error == "Threshold must be a number from 70 to 99."
    assert "1 to mend before it can be saved" in text_of(one(editor.page, "#check"))
    assert editor.stored() == checked()


@pytest.mark.slow
def test_a_half_made_graph_is_saved_and_says_what_it_still_needs(edit: Edit) -> None:
    editor = edit(EMPTY)
    editor.add("Script Input", "On its own")
    needs = text_of(one(editor.page, "#check"))
    assert "Nothing speaks the lines: add a Voice Generator." in needs
    assert "It can be saved as it is." in needs
    assert editor.press("save").status_code == 303


def test_a_workflow_that_can_run_says_what_a_run_costs(edit: Edit) -> None:
    assert "One run costs nothing" in text_of(one(edit(smallest()).page, "#check"))


def test_a_removed_node_is_gone_and_its_neighbours_are_connected(edit: Edit) -> None:
    editor = edit(checked())
    editor.press("remove:2")
    ways = [(each["source"], each["target"]) for each in editor.draft()["graph"]["edges"]]
    assert ways == [(SCRIPT, GENERATOR), (GENERATOR, SINK)]
    assert editor.page.select("#node-title") == []


@pytest.mark.slow
def test_an_edge_is_removed_and_made_again_from_the_other_end(edit: Edit) -> None:
    editor = edit(smallest())
    editor.press("open:2")
    editor.press("disconnect:1")
    assert len(editor.draft()["graph"]["edges"]) == 1
    editor.press("connect:from", **{"from": option(editor, "#from", "Voice Generator")})
    assert editor.draft()["graph"]["edges"][1]["source"] == GENERATOR


def test_the_layout_can_be_stored(edit: Edit) -> None:
    editor = edit(smallest())
    editor.press("arrange")
    places = [each["position"] for each in editor.draft()["graph"]["nodes"]]
    assert [each["x"] for each in places] == sorted({each["x"] for each in places})
    assert {each["y"] for each in places} == {4}


@pytest.mark.slow
def test_scripts_and_languages_are_ticked(edit: Edit, browser: Browser) -> None:
    editor = edit(graph([node(SCRIPT), node("operator_translator")], []))
    upload = make_upload(
        db.session.get_one(Workflow, editor.workflow_id), browser.workspace, "Prompts.txt", b"Hello"
    )
    editor.reload()
    assert "Prompts.txt" in editor.answer.text
    editor.press("open:1", set__upload_ids=[str(upload.id)])
    editor.press("check", set__target_languages=["de-de", "fr-fr"])
    script, translator = editor.draft()["graph"]["nodes"]
    assert script["config"] == {"upload_ids": [str(upload.id)]}
    assert translator["config"] == {"target_languages": ["de-de", "fr-fr"]}
    editor.press("check", set__target_languages=[])
    assert editor.draft()["graph"]["nodes"][1]["config"] == {}


@pytest.mark.slow
def test_voices_are_those_that_speak_a_language_that_comes(edit: Edit) -> None:
    editor = edit(smallest())
    editor.press("open:1")
    select = one(editor.page, "[name='set.voice_map']")
    assert text_of(one(editor.page, f"label[for={select['id']}]")) == "English (United States)"
    assert text_of(select.select("option")[0]) == "Chosen automatically"


@pytest.mark.slow
def test_types_of_packages_are_offered_with_forms_of_their_own(edit: Edit) -> None:
    tempo = {
        "type": "number",
        "minimum": 50,
        "maximum": 200,
        "default": 100,
        "description": "Words a minute.",
    }
    texts = {"type": "array", "items": {"type": "string"}, "description": "Words to stress."}
    hum = replace(SING, slug="operator_hum", display_name="Hum", settings={"tempo": tempo, "stress": texts})
    make_worker(abilities=CAN_ALL | {"operator_hum": to_json({"x": Ability()})["x"]})
    with installed(hum):
        editor = edit(graph([node(SCRIPT, text="Hello")], []))
        editor.add("Hum", "After Script Input")
        assert "Words a minute. From 50 to 200. 100 unless set." in text_of(one(editor.page, "#chosen"))
        editor.press("save", set__tempo="90", set__stress="very\r\n\r\nnever\r\n")
    assert editor.stored()["graph"]["nodes"][1]["config"] == {"tempo": 90, "stress": ["very", "never"]}


class TestJson:
    @pytest.mark.slow
    def test_it_is_edited_and_shown_as_a_graph_again(self, edit: Edit) -> None:
        editor = edit(smallest())
        editor.press("json")
        assert json.loads(one(editor.page, "#definition").text) == smallest()
        editor.press("graph", definition=json.dumps(checked(), indent=1))
        assert editor.draft() == checked()
        assert len(editor.page.select(".node-list li")) == 4

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{\n "graph": [\n}', "line 3, column 1"),
            ('{"graph": {"nodes": [\n{"id": 5}]}}', "Line 2 graph.nodes.0.id must be text"),
            ("", "There is no definition here"),
            ("5", "must be an object"),
        ],
    )
    @pytest.mark.slow
    def test_what_is_no_definition_is_said_by_line_and_kept(self, edit: Edit, text: str, said: str) -> None:
        editor = edit(smallest())
        editor.press("json")
        for do in ("graph", "save"):
            assert editor.press(do, definition=text).status_code == 422
            assert said in text_of(one(editor.page, "#json-errors"))
            assert one(editor.page, "#definition").text.strip("\n") == text
        assert editor.draft() == smallest()
        assert editor.stored() == smallest()

    @pytest.mark.slow
    def test_broken_rules_are_said_by_line(self, edit: Edit) -> None:
        editor = edit(smallest())
        editor.press("json")
        text = json.dumps(UNSOUND, indent=1)
        assert editor.press("save", definition=text).status_code == 422
        line = next(number for number, each in enumerate(text.split("\n"), 1) if '"ogg"' in each)
        said = [text_of(each) for each in editor.page.select("#check li")]
        assert said[0].startswith(f"Line {line} Export “out”: format must be")

    @pytest.mark.slow
    def test_an_imported_definition_of_another_kind_can_be_mended(self, edit: Edit) -> None:
        editor = edit({"graph": {"nodes": [{"id": "a"}]}})
        assert "graph.nodes.0.type is required" in text_of(one(editor.page, "#json-errors"))
        editor.press("save", definition=json.dumps(smallest()))
        assert editor.stored() == smallest()

    def test_a_type_that_is_not_installed_is_kept_until_it_is_to_be_saved(self, edit: Edit) -> None:
        gone = graph([node("operator_gone", "a")], [])
        editor = edit(gone)
        assert "the node type “operator_gone” is missing here" in editor.answer.text.replace(
            "The node", "the node"
        )
        assert editor.press("save").status_code == 422
        assert "graph.nodes.0.type must be one of" in text_of(one(editor.page, "#json-errors"))
        assert editor.stored() == gone


class TestSomebodyElse:
    @pytest.fixture
    def grace(self, browser: Browser, app: Flask, sign_in: Callable[[User], FlaskClient]) -> Browser:
        user = make_user("grace@acme.example", first_name="Grace", last_name="Hopper")
        make_member(browser.workspace, user)
        return replace(browser, client=sign_in(user), user=user)

    @pytest.mark.slow
    def test_a_lost_update_is_refused_compared_and_overwritten(
        self, edit: Edit, browser: Browser, grace: Browser
    ) -> None:
        mine = edit(checked())
        mine.press("save")
        mine.press("open:2")
        theirs = Editor(grace, db.session.get_one(Workflow, mine.workflow_id))
        theirs.press("open:2")
        theirs.press("save", set__threshold="80")
        assert mine.press("save", set__threshold="75").status_code == 409
        conflict = text_of(one(mine.page, "#conflict"))
        assert "Changed by Grace Hopper" in conflict
        assert "80 → 75" in conflict
        assert mine.stored()["graph"]["nodes"][2]["config"] == {"threshold": 80}
        assert mine.press("save").status_code == 303
        assert mine.stored()["graph"]["nodes"][2]["config"] == {"threshold": 75}

    @pytest.mark.slow
    def test_a_third_change_in_between_is_not_overwritten(self, edit: Edit, grace: Browser) -> None:
        mine = edit(checked())
        mine.press("save")
        theirs = Editor(grace, db.session.get_one(Workflow, mine.workflow_id))
        theirs.press("remove:2")
        theirs.press("save")
        assert mine.press("save", name="Mine").status_code == 409
        theirs.press("remove:0")
        theirs.press("save")
        assert mine.press("save").status_code == 409

    @pytest.mark.slow
    def test_another_name_of_the_workflow_is_no_conflict(self, edit: Edit, browser: Browser) -> None:
        editor = edit(checked())
        editor.press("remove:2")
        editor.press("save")
        editor.press("open:0")
        path = f"/workflows/{editor.workflow_id}"
        form = {"name": "Other", "tag": str(one(parsed(browser.open(f"{path}/edit")), "[name=tag]")["value"])}
        assert browser.client.post(f"{path}/edit", data=form, headers=SAME).status_code == 303
        assert editor.press("save", name="Mine").status_code == 303

    @pytest.mark.slow
    def test_a_change_meanwhile_is_told_before_saving(self, edit: Edit, grace: Browser) -> None:
        mine = edit(checked())
        mine.press("save")
        theirs = Editor(grace, db.session.get_one(Workflow, mine.workflow_id))
        theirs.press("remove:2")
        theirs.press("save")
        mine.press("open:0")
        mine.press("check", name="Mine")
        assert "Meanwhile Grace Hopper changed the definition" in text_of(one(mine.page, ".notice"))


class TestViewer:
    @pytest.fixture
    def viewer(self, browser: Browser, sign_in: Callable[[User], FlaskClient]) -> Browser:
        user = make_user("vi@acme.example", first_name="Vi", last_name="Ewer")
        make_member(browser.workspace, user, "viewer")
        return replace(browser, client=sign_in(user), user=user)

    def test_everything_is_readable_and_nothing_can_be_changed(self, edit: Edit, viewer: Browser) -> None:
        workflow_id = edit(checked()).workflow_id
        path = f"/workflows/{workflow_id}/definition"
        page = parsed(viewer.open(f"{path}?node={CHECK}"))
        assert page.select("#editor [name]") == []
        facts = {
            text_of(each.dt): text_of(each.dd)
            for each in page.select(".settings > div")
            if each.dt and each.dd
        }
        assert facts == {"Threshold": "Not set", "Max retries": "Not set"}
        assert one(parsed(viewer.open(f"{path}?view=json")), "#definition").has_attr("readonly")
        form = {"draft": json.dumps(checked()), "do": "check"}
        assert viewer.client.post(path, data=form, headers=SAME).status_code == 403


@pytest.mark.slow
@FEW
@given(definition=definitions())
def test_a_legal_definition_that_is_opened_clicked_through_and_saved_is_unchanged(
    browser: Browser, definition: Json
) -> None:
    editor = Editor(browser, make_workflow(browser.workspace, "Any", definition=definition))
    for number in range(len(definition["graph"]["nodes"])):
        editor.press(f"open:{number}")
    editor.press("json")
    editor.press("graph")
    assert editor.press("save").status_code == 303
    assert json.dumps(editor.stored(), sort_keys=True) == json.dumps(read_stored(definition), sort_keys=True)
    assert not editor.page.select("[data-unsaved]")


@pytest.mark.slow
def test_a_browser_with_script_gets_the_form_alone(edit: Edit) -> None:
    editor = edit(checked())
    editor.press("open:2", HTMX)
    assert editor.page.select("html") == []
    assert text_of(one(editor.page, "#node-title")) == "Word Accuracy"
    saved = editor.press("save", HTMX)
    assert saved.headers["HX-Redirect"] == f"{editor.path}?node={CHECK}"


@pytest.mark.parametrize("form", [{}, {"draft": "{"}, {"draft": "[]", "do": "save"}])
def test_a_form_that_is_not_the_editors_is_refused(edit: Edit, browser: Browser, form: Json) -> None:
    editor = edit(checked())
    assert browser.client.post(editor.path, data=form, headers=SAME).status_code == 400
    assert editor.stored() == checked()


@pytest.mark.slow
@pytest.mark.parametrize(
    "do",
    [
        "",
        "open:99",
        "open:x",
        "remove:99",
        "remove:",
        "disconnect:99",
        "nothing",
        "add",
        "connect",
        "connect:to",
        "connect:from",
    ],
)
def test_a_button_that_means_nothing_changes_nothing(edit: Edit, do: str) -> None:
    editor = edit(UNSOUND)
    for place in (
        "",
        "after:9:x:y",
        "after:0:sink_preview:lines",
        "between:7:x",
        "alone::x",
        ":",
        "a:b:c:d:e",
    ):
        assert editor.press(do, place=place, to=place, **{"from": place}).status_code == 200
        assert editor.draft() == UNSOUND


@pytest.mark.slow
def test_a_name_of_several_lines_survives_the_field_of_one(edit: Edit) -> None:
    odd = smallest()
    odd["graph"]["nodes"][0]["name"] = "one\r\ntwo"
    editor = edit(odd)
    editor.press("open:1", name="onetwo")
    assert editor.draft() == odd


@pytest.mark.slow
def test_long_scripts_are_edited_too(edit: Edit) -> None:
    long = smallest()
    long["graph"]["nodes"][0]["config"]["text"] = "é" * 400_000
    editor = edit(long)
    editor.press("check", name="Longest")
    assert editor.press("save").status_code == 303
    assert len(editor.stored()["graph"]["nodes"][0]["config"]["text"]) == 400_000


@pytest.mark.slow
def test_a_definition_that_the_api_would_not_take_is_not_saved_here_either(edit: Edit) -> None:
    editor = edit(smallest())
    refused = editor.press("save", set__text="é" * 499_999)
    assert refused.status_code == 422
    assert "must be at most 1,000,000 bytes" in text_of(one(editor.page, "[role=alert].notice"))
    assert editor.stored() == smallest()
