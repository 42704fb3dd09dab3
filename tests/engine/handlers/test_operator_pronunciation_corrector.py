"""Pronunciation Corrector: what is spoken again, and which take is kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portal.engine.contract import Item, Pronunciation, StepOutput
from portal.engine.environment import Environment, ProviderSettings
from portal.engine.handlers.operator_generator import OperatorGenerator
from portal.engine.handlers.operator_pronunciation_corrector import OperatorPronunciationCorrector
from portal.speech import espeak
from tests.engine.provider_server import ProviderServer, in_turn, reply_json
from tests.engine.step_context import StepContext, item, step

pytestmark = pytest.mark.skipif(not espeak.is_here(), reason="the program espeak-ng is not installed")
HIGH = {"provider": espeak.PROVIDER, "model": espeak.MODEL, "voice_id": "en-us+f3", "voice_name": "Mine"}
WORDS = {
    "tomato": Pronunciation(word="tomato", ipa="təmɑːtoʊ", alias="to mah toe"),
    "gif": Pronunciation(word="gif", ipa=None, alias="jiff"),
}


def context_of(folder: Path, **environment: Any) -> StepContext:
    return StepContext(folder, Environment(**environment), dictionary={"en-us": WORDS})


def spoken(context: StepContext, *items: Item) -> list[Item]:
    made = step("operator_generator", items, voice_map={"en-us": [HIGH]})
    return list(OperatorGenerator().run(made, context).items)


def correct(context: StepContext, *items: Item, **config: Any) -> StepOutput:
    return OperatorPronunciationCorrector().run(
        step("operator_pronunciation_corrector", items, **config), context
    )


@pytest.mark.slow
def test_the_first_other_way_is_kept_where_nothing_listens(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    before = spoken(context, item("Say tomato."), item("Nothing.", line=1), item("A gif.", line=2))
    out = correct(context, *before)
    assert [each.markup for each in out.items] == [
        'Say <phoneme alphabet="ipa" ph="təmɑːtoʊ">tomato</phoneme>.',
        None,
        'A <sub alias="jiff">gif</sub>.',
    ]
    assert out.items[1] == before[1]
    assert all(each.take and each.take.voice == "English (United States), high" for each in out.items)
    assert out.items[0].take != before[0].take
    assert (out.result["corrected"], out.result["passed_through"], out.result["attempts"]) == (2, 1, 3)
    assert "PORTAL_ASR_MODEL" in out.result["note"]
    assert out.usage.audio_ms > 0


@pytest.mark.slow
def test_no_more_ways_are_tried_than_asked_for(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    assert correct(context, *spoken(context, item("Say tomato.")), n_candidates=1).result["attempts"] == 1


@pytest.mark.slow
def test_the_way_that_it_was_spoken_is_not_tried_again(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    [first] = correct(context, *spoken(context, item("Say tomato."))).items
    [second] = correct(context, first, n_candidates=1).items
    assert second.markup == 'Say <sub alias="to mah toe">tomato</sub>.'


@pytest.mark.slow
def test_without_words_of_the_dictionary_all_pass_through_and_it_says_so(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    own = item("Red.", markup='<phoneme alphabet="ipa" ph="ɹɛd">Red</phoneme>.')
    before = spoken(context, item("Nothing.", line=1), own)
    out = correct(context, *before)
    assert out.items == before
    assert (
        out.result["note"] == "The dictionary offers no other way to say these lines: they pass as they are."
    )
    assert out.usage.audio_ms == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("transcripts", "kept"),
    [
        (["Say potato.", "Say tomorrow.", "Say tomato."], '<sub alias="to mah toe">'),
        (["Say potato.", "Say tomato.", "Say tomato."], "<phoneme"),
        (["Say tomato.", "Say tomato.", "Say potato."], None),
    ],
)
def test_the_take_that_is_understood_best_is_kept(
    tmp_path: Path, provider: ProviderServer, transcripts: list[str], kept: str | None
) -> None:
    before = spoken(context_of(tmp_path), item("Say tomato."))
    settings: ProviderSettings = replace(provider.settings(), speech_model=None)
    provider.answer = in_turn(*(reply_json({"text": text}) for text in transcripts))
    out = correct(context_of(tmp_path, provider=settings), *before)
    [after] = out.items
    assert kept in after.markup if kept and after.markup else after == before[0]
    assert out.result["corrected"] == (0 if kept is None else 1)
    assert out.usage.provider_calls == 3
