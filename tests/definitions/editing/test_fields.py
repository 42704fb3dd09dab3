"""The settings of a node as fields of a form, and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.definitions.catalog import CATALOG
from portal.definitions.editing.choices import VoiceChoices, VoiceOption
from portal.definitions.editing.fields import Choices, Field, changed_config, fields_of
from tests.definitions.graphs import CHECK, GENERATOR, SCRIPT, Json, definitions

TRANSLATOR = "operator_translator"


def voice(name: str, *locales: str, sample: str | None = None) -> VoiceOption:
    return VoiceOption(
        provider="lab",
        model="m1",
        voice_id=name.lower(),
        name=name,
        locales=locales,
        catalog_id=f"id-{name}",
        sample=sample,
    )


ADA, BOB = voice("Ada", "en-us", "de-de", sample="https://lab.example/ada.mp3"), voice("Bob", "en-us")
HERE = Choices(
    voices=VoiceChoices(locales=["en-us"], voices=[ADA, BOB]), uploads={"u1": "One.txt", "u2": "Two.txt"}
)
BOBS = {"provider": "lab", "model": "m1", "voice_id": "bob", "provider_config": {"speed": 2}}


def field(slug: str, key: str, value: Any = None) -> Field:
    config = {} if value is None else {key: value}
    return next(each for each in fields_of(CATALOG[slug], config, HERE) if each.key == key)


def after(slug: str, key: str, value: Any, *sent: str) -> Any:
    """The setting after these values were sent for its field; `...` if it is left out."""
    config = {} if value is ... else {key: value}
    changed = changed_config(CATALOG[slug], config, {key: list(sent)}, HERE)
    return (changed or {}).get(key, ...)


@pytest.mark.slow
@given(definitions(), st.sampled_from(["\n", "\r\n"]))
def test_what_comes_back_as_it_was_shown_stays_as_it_was(definition: Json, line_break: str) -> None:
    for node in definition["graph"]["nodes"]:
        node_type = CATALOG[node["type"]]
        sent = {
            each.key: [text.replace("\r\n", "\n").replace("\n", line_break) for text in each.shown]
            for each in fields_of(node_type, node["config"], HERE)
        }
        assert changed_config(node_type, node["config"], sent, HERE) is node["config"]


KEYS = st.sampled_from([key for each in CATALOG.values() for key in each.settings])
TYPED = st.text(max_size=20) | st.sampled_from(
    ["[", '["de-de", 0]', '["a", 0, "b", "c", "d"]', "[[]]", "1e999"]
)


@given(st.sampled_from(sorted(CATALOG)), st.dictionaries(KEYS, st.lists(TYPED, max_size=3)))
def test_whatever_is_sent_is_read(slug: str, sent: dict[str, list[str]]) -> None:
    json.dumps(changed_config(CATALOG[slug], None, sent, HERE), allow_nan=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("88", 88),
        (" 88.5 ", 88.5),
        ("", ...),
        ("-3", -3),
        ("eighty", "eighty"),
        ("1e400", "1e400"),
        ("1_0", "1_0"),
    ],
)
def test_a_number_is_read_and_what_is_none_stays_as_typed(text: str, value: Any) -> None:
    assert after(CHECK, "threshold", 70, text) == value


def test_a_range_is_said_in_words() -> None:
    assert field(CHECK, "threshold").hint == "From 70 to 99. 93 unless set."
    assert field(CHECK, "max_retries").hint == "A whole number from 1 to 50. 3 unless set."


@pytest.mark.parametrize(("sent", "value"), [("", ...), ("false", False), ("true", True)])
def test_yes_and_no_can_be_left_to_the_default(sent: str, value: Any) -> None:
    assert after(SCRIPT, "csv_has_header", sent != "true", sent) == value
    assert field(SCRIPT, "csv_has_header").options[0] == ("", "Yes (unless set)")


def test_lines_of_a_text_are_those_that_were_typed() -> None:
    assert field(SCRIPT, "text", "a\nb").kind == "text"
    assert after(SCRIPT, "text", "a", "a\r\nb") == "a\nb"
    assert after(SCRIPT, "text", "a", "") == ...


def test_a_word_that_is_not_allowed_is_shown_as_it_stands() -> None:
    odd = field(SCRIPT, "input_mode", "sung")
    assert (odd.kind, odd.value, odd.options[-1]) == ("choice", "sung", ("sung", "sung"))


def test_languages_are_ticked_and_keep_their_order_and_spelling() -> None:
    value = ["fr-fr", "DE_de", "tlh"]
    shown = field(TRANSLATOR, "target_languages", value)
    assert ("DE_de", "German (Germany)") in shown.options
    assert shown.options[-1] == ("tlh", "tlh")
    assert set(shown.shown) == set(value)
    sent = ["DE_de", "es-es", "fr-fr"]
    assert after(TRANSLATOR, "target_languages", value, *sent) == ["fr-fr", "DE_de", "es-es"]
    assert after(TRANSLATOR, "target_languages", ["fr-fr"]) == ...


def test_a_language_of_a_script_may_be_a_family() -> None:
    options = dict(field(SCRIPT, "source_language").options)
    assert (options["en"], options["en-gb"]) == ("English", "English (United Kingdom)")
    assert "en" not in dict(field(GENERATOR, "target_locale").options)


def test_scripts_are_chosen_by_their_names() -> None:
    shown = field(SCRIPT, "upload_ids", ["U2", "gone"])
    gone = ("gone", "gone (not an uploaded script)")
    assert shown.options == [("u1", "One.txt"), ("U2", "Two.txt"), gone]
    assert after(SCRIPT, "upload_ids", ["U2"], "u1") == ["u1"]


def test_voices_are_offered_for_the_languages_that_reach_the_node() -> None:
    [group] = field(GENERATOR, "voice_map").groups
    assert group.label == "English (United States)"
    [choice] = group.choices
    assert [label for _, label in choice.options] == ["Chosen automatically", "Ada (lab)", "Bob (lab)"]
    adas = {"provider": "lab", "model": "m1", "voice_id": "ada"}
    known = {"voice_name": "Ada", "catalog_voice_id": "id-Ada"}
    assert after(GENERATOR, "voice_map", ..., choice.options[1][0]) == {"en-us": [adas | known]}


def test_a_chosen_voice_has_a_sample_where_there_is_one() -> None:
    adas = {"provider": "lab", "model": "m1", "voice_id": "ada"}
    [group] = field(GENERATOR, "voice_map", {"en-us": [adas, BOBS]}).groups
    assert [each.sample for each in group.choices] == ["https://lab.example/ada.mp3", None, None]


def test_further_values_of_an_assigned_voice_are_kept() -> None:
    value = {"en-us": [BOBS], "de-de": [], "xx": None}
    shown = field(GENERATOR, "voice_map", value)
    german = shown.groups[1].choices[0].options[1][0]
    changed = after(GENERATOR, "voice_map", value, *shown.shown[:2], german)
    assert changed["en-us"] == [BOBS]
    assert changed["de-de"][0]["voice_id"] == "ada"
    assert changed["xx"] is None


def test_a_voice_that_is_not_here_stays_until_another_is_chosen() -> None:
    value = {"en-us": [{"provider": "old", "model": "m", "voice_id": "v", "voice_name": "Eve"}]}
    [group] = field(GENERATOR, "voice_map", value).groups
    assert group.choices[0].options[-1][1] == "Eve (old, not known here)"
    nobody = group.choices[0].options[0][0]
    assert after(GENERATOR, "voice_map", value, nobody) == ...


@pytest.mark.parametrize("value", [{"en-us": "ada"}, {"en-us": [{}]}, [1], "ada"])
def test_what_fits_no_field_is_shown_as_json(value: Any) -> None:
    shown = field(GENERATOR, "voice_map", value)
    assert shown.kind == "json"
    assert after(GENERATOR, "voice_map", value, '{"en-us": []}') == {"en-us": []}
    assert after(GENERATOR, "voice_map", value, "{") == "{"


def test_values_are_words_for_those_who_only_read() -> None:
    assert field(SCRIPT, "input_mode", "markup").words == ["Markup"]
    assert field(SCRIPT, "csv_has_header").words == ["Yes (unless set)"]
    assert field(SCRIPT, "csv_column").words == []
    assert field(GENERATOR, "voice_map", {"en-us": [BOBS]}).words == ["English (United States): Bob (lab)"]
