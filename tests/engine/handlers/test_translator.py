"""Each line once in each target locale, by a provider that may do anything."""

import json
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from portal.engine.contract import Cancelled, Item, Outage, RateLimited, Refused
from portal.engine.environment import Environment, ProviderSettings
from portal.engine.handlers.translator import MAX_BATCH, NOT_SET_UP, Translator
from tests.engine.provider_server import Answer, ProviderServer, message, reply_json
from tests.engine.step_context import StepContext, item, step
from tests.engine.takes import take_of

SLUG = "operator_translator"


@pytest.fixture
def context(tmp_path: Path, provider: ProviderServer) -> StepContext:
    return StepContext(tmp_path, environment=Environment(provider=provider.settings()))


def texts_of(provider: ProviderServer, number: int = -1) -> list[str]:
    """The texts that a request asked for."""
    found: list[str] = json.loads(provider.asked[number].json["messages"][1]["content"])
    return found


def translating(provider: ProviderServer, write: Callable[[list[str]], Any]) -> Answer:
    """Answers with what `write` makes of the texts of a request."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        message(write(texts_of(provider)))(handler)

    return answer


def in_capitals(texts: Sequence[str]) -> str:
    return json.dumps({"translations": [text.upper() for text in texts]})


def located(items: Sequence[Item]) -> list[tuple[str, int, str]]:
    return [(each.locale, each.line, each.text) for each in items]


def test_each_line_is_given_in_each_target_locale(context: StepContext, provider: ProviderServer) -> None:
    provider.answer = translating(provider, in_capitals)
    items = [item("one"), item("two", line=1), item("drei", "de-de", line=2)]
    done = Translator().run(step(SLUG, items, target_languages=["de-de", "FR_fr", "de-de"]), context)
    assert sorted(located(done.items)) == [
        ("de-de", 0, "ONE"),
        ("de-de", 1, "TWO"),
        ("de-de", 2, "drei"),
        ("fr-fr", 0, "ONE"),
        ("fr-fr", 1, "TWO"),
        ("fr-fr", 2, "DREI"),
    ]
    assert done.result == {"translated": 5, "unchanged": 1, "locales": ["de-de", "fr-fr"]}
    assert (done.usage.provider_calls, done.usage.characters) == (3, 16)
    assert context.progressed[-1] == (3, 3)


def test_languages_are_named_to_the_provider(context: StepContext, provider: ProviderServer) -> None:
    provider.answer = translating(provider, in_capitals)
    Translator().run(step(SLUG, [item("one")], target_languages=["pt-br"]), context)
    [asked] = provider.asked
    assert asked.json["model"] == "writes"
    assert asked.json["temperature"] == 0
    assert "from English (United States) into Portuguese (Brazil)" in asked.json["messages"][0]["content"]


def test_the_same_language_passes_without_a_provider(tmp_path: Path) -> None:
    markup = "<emphasis>Colour</emphasis>"
    spoken = item("Colour", "en-gb", markup=markup, normalized=True)
    done = Translator().run(step(SLUG, [spoken], target_languages=["en-gb", "en-us"]), StepContext(tmp_path))
    british, american = done.items
    assert british == spoken
    assert (american.locale, american.text, american.markup) == ("en-us", "Colour", markup)
    assert done.usage.provider_calls == 0


def test_a_translation_has_lost_what_belonged_to_the_original(
    context: StepContext, provider: ProviderServer
) -> None:
    provider.answer = translating(provider, in_capitals)
    spoken = item("one", markup="<break/>", normalized=True, take=take_of(context, b"sound"))
    [translated] = Translator().run(step(SLUG, [spoken], target_languages=["de-de"]), context).items
    assert (translated.markup, translated.normalized, translated.take) == (None, None, None)


def test_many_lines_travel_in_batches(context: StepContext, provider: ProviderServer) -> None:
    provider.answer = translating(provider, in_capitals)
    items = [item(f"line {number}", line=number) for number in range(2 * MAX_BATCH + 1)]
    items.append(item("x" * 5_000, line=99))
    done = Translator().run(step(SLUG, items, target_languages=["de-de"]), context)
    assert located(done.items) == [("de-de", each.line, each.text.upper()) for each in items]
    assert [len(texts_of(provider, number)) for number in range(len(provider.asked))] == [20, 20, 1, 1]
    assert len({asked.headers["idempotency-key"] for asked in provider.asked}) == 4


@pytest.mark.parametrize(
    "write",
    [
        lambda texts: f"Here you are:\n```json\n{in_capitals(texts)}\n```",
        lambda texts: json.dumps({"translations": [f" {text.upper()}\n" for text in texts]}),
    ],
)
def test_what_surrounds_translations_is_left_out(
    context: StepContext, provider: ProviderServer, write: Callable[[list[str]], str]
) -> None:
    provider.answer = translating(provider, write)
    done = Translator().run(step(SLUG, [item("one")], target_languages=["de-de"]), context)
    assert located(done.items) == [("de-de", 0, "ONE")]


@pytest.mark.parametrize(
    "write",
    [
        lambda texts: "I cannot do that.",
        lambda texts: "",
        lambda texts: "[]",
        lambda texts: "{}",
        lambda texts: '{"translations": ',
        lambda texts: '{"translations": null}',
        lambda texts: '{"translations": {"0": "EINS"}}',
        lambda texts: json.dumps({"translations": [*texts, "one more"]}),
        lambda texts: json.dumps({"translations": texts[1:]}),
        lambda texts: json.dumps({"translations": [None for _ in texts]}),
        lambda texts: json.dumps({"translations": [5 for _ in texts]}),
        lambda texts: json.dumps({"translations": [" " for _ in texts]}),
        lambda texts: json.dumps({"translations": ["a\x00b" for _ in texts]}),
        lambda texts: json.dumps({"translations": ["long " * 1_000 for _ in texts]}),
        lambda texts: '{"a":' * 10_000 + "}" * 10_000,
    ],
)
def test_an_answer_that_is_no_translation_is_an_outage(
    context: StepContext, provider: ProviderServer, write: Callable[[list[str]], str]
) -> None:
    provider.answer = translating(provider, write)
    with pytest.raises(Outage, match="no translation of line 1 into German"):
        Translator().run(step(SLUG, [item("one"), item("two", line=1)], target_languages=["de-de"]), context)


def test_a_batch_that_comes_back_wrong_is_asked_for_line_by_line(
    context: StepContext, provider: ProviderServer
) -> None:
    provider.answer = translating(provider, lambda texts: in_capitals(texts[:1]))
    items = [item("one"), item("two", line=1), item("three", line=2)]
    done = Translator().run(step(SLUG, items, target_languages=["de-de"]), context)
    assert located(done.items) == [("de-de", 0, "ONE"), ("de-de", 1, "TWO"), ("de-de", 2, "THREE")]
    assert done.usage.provider_calls == 4
    assert len({asked.headers["idempotency-key"] for asked in provider.asked}) == 4


def test_what_the_provider_refuses_ends_the_step(context: StepContext, provider: ProviderServer) -> None:
    provider.answer = reply_json({"error": {"message": "Slow down."}}, 429, Retry_After="3")
    with pytest.raises(RateLimited, match="Slow down") as raised:
        Translator().run(step(SLUG, [item("one")], target_languages=["de-de"]), context)
    assert raised.value.retry_after == 3


@pytest.mark.slow
def test_cancelling_ends_a_translation(context: StepContext, provider: ProviderServer) -> None:
    context.is_cancelled = provider.was_asked.is_set
    with pytest.raises(Cancelled):
        Translator().run(step(SLUG, [item("one")], target_languages=["de-de"]), context)
    assert provider.hung_up.wait(30)


@pytest.mark.parametrize(
    "settings", [None, ProviderSettings(url="http://localhost/v1", speech_model="speaks")]
)
def test_without_a_chat_model_it_says_what_to_set(tmp_path: Path, settings: ProviderSettings | None) -> None:
    environment = Environment(provider=settings)
    assert Translator().ability(environment).unavailable == NOT_SET_UP
    with pytest.raises(Refused, match="No translation provider is set up"):
        Translator().run(
            step(SLUG, [item("one")], target_languages=["de-de"]),
            StepContext(tmp_path, environment=environment),
        )


def test_a_locale_that_the_portal_does_not_know_is_refused(context: StepContext) -> None:
    with pytest.raises(Refused, match="tlh is no locale"):
        Translator().run(step(SLUG, [item("one")], target_languages=["tlh"]), context)


def test_it_works_with_a_chat_model(provider: ProviderServer) -> None:
    assert Translator().ability(Environment(provider=provider.settings())).unavailable is None
