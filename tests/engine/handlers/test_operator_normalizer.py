"""Normalizer: rules of the portal, and a provider whose failures do no harm."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portal.engine.contract import Item, StepOutput, StoredFile, Take
from portal.engine.environment import Environment
from portal.engine.handlers.operator_normalizer import OperatorNormalizer
from tests.engine.provider_server import Answer, ProviderServer, in_turn, message, reply, reply_json
from tests.engine.step_context import StepContext, item, step

TAKE = Take(audio=StoredFile("00", 1, "audio/flac"), duration_ms=1, voice="v", provider="p", model="m")


def normalize(context: StepContext, *items: Item, **config: Any) -> StepOutput:
    return OperatorNormalizer().run(step("operator_normalizer", items, **config), context)


def test_each_item_follows_the_rules_of_its_locale(tmp_path: Path) -> None:
    out = normalize(StepContext(tmp_path), item("5 km"), item("5 km", "de-de"), item("5 km", "zh-cn"))
    assert [(each.text, each.normalized) for each in out.items] == [
        ("five kilometers", True),
        ("fünf Kilometer", True),
        ("5 km", False),
    ]
    assert out.result == {"changed": 2, "unchanged": 1, "unknown_locales": ["zh-cn"], "by_provider": 0}
    assert out.usage.characters == 12


def test_only_items_of_the_target_locale_are_rewritten(tmp_path: Path) -> None:
    given = item("5 km"), item("5 km", "de-de")
    out = normalize(StepContext(tmp_path), *given, target_locale="DE_DE")
    assert (out.items[0], out.items[1].text) == (given[0], "fünf Kilometer")


def test_markup_stays_around_what_is_rewritten(tmp_path: Path) -> None:
    written = (
        'At <emphasis>5 km</emphasis> &amp; <say-as interpret-as="digits">12</say-as> <sub alias="2">3</sub>'
    )
    [out] = normalize(StepContext(tmp_path), item("x", markup=written)).items
    assert out.markup == written.replace("5 km", "five kilometers").replace("&amp;", "and")
    assert out.text == "At five kilometers and 12 3"


def test_only_what_is_rewritten_loses_its_take(tmp_path: Path) -> None:
    given = (replace(item(text), take=TAKE) for text in ("5 km", "Far."))
    assert [each.take for each in normalize(StepContext(tmp_path), *given).items] == [None, TAKE]


@pytest.fixture
def context(tmp_path: Path, provider: ProviderServer) -> StepContext:
    settings = provider.settings()
    return StepContext(tmp_path, Environment(provider=settings, normalize_with_provider=True))


def test_a_provider_writes_where_the_settings_say_so(context: StepContext, provider: ProviderServer) -> None:
    provider.answer = in_turn(message("five kilo metres\n"), message("五公里"))
    out = normalize(context, item("5 km"), item("5 km", "zh-cn", line=1))
    assert [(each.text, each.normalized) for each in out.items] == [
        ("five kilo metres", True),
        ("五公里", True),
    ]
    assert (out.result["by_provider"], out.usage.provider_calls) == (2, 2)
    assert [each["content"] for each in provider.asked[0].json["messages"]][1] == "5 km"
    assert "English" in provider.asked[0].json["messages"][0]["content"]


@pytest.mark.parametrize(
    "answer",
    [reply(500, b""), reply(429, b""), reply(402, b""), reply(400, b"{}"), reply_json({"choices": []})],
)
def test_a_provider_that_fails_is_replaced_by_the_rules_and_not_asked_again(
    context: StepContext, provider: ProviderServer, answer: Answer
) -> None:
    provider.answer = answer
    out = normalize(context, item("5 km"), item("6 km", line=1))
    assert [each.text for each in out.items] == ["five kilometers", "six kilometers"]
    assert len(provider.asked) == 1
    assert context.logged[0].startswith("The rules of the portal take over: ")


@pytest.mark.parametrize("text", [" \n", "very long " * 100])
def test_an_unusable_answer_counts_for_nothing(
    context: StepContext, provider: ProviderServer, text: str
) -> None:
    provider.answer = in_turn(message(text), message("six"))
    out = normalize(context, item("5 km"), item("6", line=1))
    assert [each.text for each in out.items] == ["five kilometers", "six"]
    assert context.logged == ["The provider wrote no usable text for line 1."]


def test_the_rules_alone_work_where_the_node_asks_for_no_model(
    context: StepContext, provider: ProviderServer
) -> None:
    assert normalize(context, item("5 km"), engine="rules").items[0].text == "five kilometers"
    assert provider.asked == []
