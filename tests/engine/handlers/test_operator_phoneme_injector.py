"""Phonemizer: which words are marked, and how."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from portal.engine.contract import Item, Pronunciation, StepOutput, StoredFile, Take
from portal.engine.handlers.operator_phoneme_injector import OperatorPhonemeInjector
from tests.engine.step_context import StepContext, item, step

WORDS = {
    word.lower(): Pronunciation(word=word, ipa=ipa, alias=alias)
    for word, ipa, alias in (
        ("Nginx", "ˈɛndʒɪnˌɛks", "engine x"),
        ("GIF", None, "jiff"),
        ("Cache", "kæʃ", None),
        ("San Jose", None, "san ho zay"),
        ("evil", "<b>", '"<audio src="/x"/>'),
        ("empty", None, None),
    )
}
TAKE = Take(audio=StoredFile("00", 1, "audio/flac"), duration_ms=1, voice="v", provider="p", model="m")


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    return StepContext(tmp_path, dictionary={"en-us": WORDS})


def inject(context: StepContext, *items: Item, **config: Any) -> StepOutput:
    return OperatorPhonemeInjector().run(step("operator_phoneme_injector", items, **config), context)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            "Use NGINX!",
            'Use <sub alias="engine x"><phoneme alphabet="ipa" ph="ˈɛndʒɪnˌɛks">NGINX</phoneme></sub>!',
        ),
        (
            "A gif & a cache",
            'A <sub alias="jiff">gif</sub> &amp; a <phoneme alphabet="ipa" ph="kæʃ">cache</phoneme>',
        ),
        ("gif-like GIF's", '<sub alias="jiff">gif</sub>-like <sub alias="jiff">GIF</sub>\'s'),
        ("giftshop", None),
        ("see https://gif.org and me@gif.org", None),
        ("evil empty", None),
    ],
)
def test_words_of_the_dictionary_are_marked(context: StepContext, text: str, written: str | None) -> None:
    [out] = inject(context, item(text)).items
    assert (out.text, out.markup) == (text, written)


def test_entries_of_several_words_need_max_ngram(context: StepContext) -> None:
    given = item("In San  Jose, San, Jose")
    assert inject(context, given).items == [given]
    [out] = inject(context, given, max_ngram=2).items
    assert out.markup == 'In <sub alias="san ho zay">San  Jose</sub>, San, Jose'


def test_addresses_and_parts_follow_the_settings(context: StepContext) -> None:
    [out] = inject(
        context, item("x://gif gif-like"), exclude_address_rows=False, use_derived_word_parts=False
    ).items
    assert out.markup == 'x://<sub alias="jiff">gif</sub> gif-like'


def test_markup_of_the_script_stays(context: StepContext) -> None:
    given = item(
        "a gif gif", markup='a <emphasis>gif</emphasis> <phoneme alphabet="ipa" ph="x">gif</phoneme>'
    )
    [out] = inject(context, given).items
    assert out.markup == (
        'a <emphasis><sub alias="jiff">gif</sub></emphasis> <phoneme alphabet="ipa" ph="x">gif</phoneme>'
    )
    assert inject(context, out).items == [out]


def test_each_locale_has_its_own_words(context: StepContext) -> None:
    given = item("gif", "de-de")
    assert inject(context, given).items == [given]


def test_only_what_is_marked_anew_loses_its_take(context: StepContext) -> None:
    same, other = (replace(item(text), take=TAKE) for text in ("Nothing here.", "A gif."))
    assert [out.take for out in inject(context, same, other).items] == [TAKE, None]


def test_the_result_lists_the_words(context: StepContext) -> None:
    out = inject(context, item("A gif and a GIF in Utopia"))
    assert out.result == {
        "marked": 2,
        "words": {"gif": 2},
        "not_found": ["a", "and", "in", "utopia"],
        "not_found_words": 4,
    }
