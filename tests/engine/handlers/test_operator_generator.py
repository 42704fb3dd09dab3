"""Voice Generator: real speech of eSpeak NG, of the neural voice, and of a provider over HTTP."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from portal.definitions.locales import LOCALES
from portal.engine.contract import Cancelled, Item, RateLimited, Refused, StepOutput, Take
from portal.engine.environment import Environment
from portal.engine.handlers.operator_generator import OperatorGenerator
from portal.engine.media.speakers import neural
from portal.speech import espeak
from portal.speech.catalog import Voice
from tests.engine.provider_server import ProviderServer, audio, reply
from tests.engine.step_context import StepContext, item, step

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
needs_espeak = pytest.mark.skipif(not espeak.is_here(), reason="the program espeak-ng is not installed")
needs_neural = pytest.mark.skipif(not neural.is_here(), reason="the extra speech is not installed")
LOW, HIGH = (
    {"provider": espeak.PROVIDER, "model": espeak.MODEL, "voice_id": voice} for voice in ("en-us", "en-us+f3")
)


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    return StepContext(tmp_path)


def speak(context: StepContext, *items: Item, **config: Any) -> StepOutput:
    return OperatorGenerator().run(step("operator_generator", items, **config), context)


def with_low(context: StepContext, *items: Item, **controls: Any) -> list[Take]:
    """The takes in the low voice of eSpeak NG."""
    return takes(speak(context, *items, voice_map={"en_US": [{**LOW, **controls}, HIGH]}))


def takes(out: StepOutput) -> list[Take]:
    found = [each.take for each in out.items if each.take is not None]
    assert len(found) == len(out.items)
    return found


def samples_of(context: StepContext, take: Take) -> tuple[np.ndarray, int]:
    with context.open(take.audio) as file:
        return soundfile.read(file, dtype="float32")


@needs_espeak
@pytest.mark.parametrize(("format_", "content_type"), [("flac", "audio/flac"), ("opus", "audio/ogg")])
@pytest.mark.slow
def test_audio_decodes_is_not_silent_and_lasts_as_long_as_it_says(
    tmp_path: Path, format_: Any, content_type: str
) -> None:
    context = StepContext(tmp_path, Environment(audio_format=format_))
    text = "The quick brown fox jumps over the lazy dog."
    [take] = with_low(context, item(text))
    samples, rate = samples_of(context, take)
    assert take.audio.content_type == content_type
    assert take.duration_ms == pytest.approx(1000 * len(samples) / rate, abs=1)
    assert np.abs(samples).max() > 0.1
    assert 1_500 < take.duration_ms < 6_000
    assert (take.voice, take.provider, take.model) == (
        "English (United States), low",
        "espeak-ng",
        "espeak-ng",
    )


@needs_espeak
def test_items_keep_everything_but_their_take(context: StepContext) -> None:
    given = [item("One.", line=3), replace(item("Two.", line=4), normalized=True)]
    out = speak(context, *given, voice_map={"en-us": [LOW]})
    assert [replace(each, take=None) for each in out.items] == given
    assert context.progressed == [(1, 2), (2, 2)]
    assert out.usage.characters == 8
    assert out.usage.audio_ms == out.result["duration_ms"] == sum(take.duration_ms for take in takes(out))
    assert out.usage.processor_seconds > 0


@needs_espeak
@pytest.mark.slow
def test_the_first_assignment_speaks_and_the_speed_counts(context: StepContext) -> None:
    text = item("The quick brown fox jumps over the lazy dog.")
    [normal] = with_low(context, text)
    [fast] = with_low(context, text, canonical_controls={"speed": 2.0, "url": "http://elsewhere"})
    [high] = takes(speak(context, text, voice_map={"en-us": [HIGH, LOW]}))
    assert fast.duration_ms < 0.7 * normal.duration_ms
    assert high.voice == "English (United States), high"
    assert high.audio != normal.audio


@needs_espeak
@pytest.mark.parametrize("locale", sorted(set(LOCALES) - {"ja-jp"}))
def test_each_locale_has_a_voice(context: StepContext, locale: str) -> None:
    texts = {"ko-kr": "안녕하세요", "zh-cn": "你好世界"}
    [take] = takes(speak(context, item(texts.get(locale, "La la la."), locale)))
    assert take.duration_ms > 300


@needs_espeak
def test_target_locale_chooses_the_voices_and_leaves_the_items_theirs(context: StepContext) -> None:
    out = speak(context, item("Hello."), target_locale="EN_GB")
    assert [each.locale for each in out.items] == ["en-us"]
    assert [take.voice for take in takes(out)] == ["English (United Kingdom), low"]


@needs_espeak
@pytest.mark.slow
def test_what_nothing_can_speak_is_left_out_and_listed(context: StepContext) -> None:
    out = speak(context, item("---"), item("Hello.", line=1), voice_map={"en-us": [LOW]})
    assert [each.text for each in out.items] == ["Hello."]
    assert out.result["unspoken"] == [{"line": 0, "locale": "en-us", "text": "---"}]
    assert context.logged == ["Line 1 in en-us has nothing to speak."]


@needs_espeak
@pytest.mark.slow
def test_markup_is_spoken(context: StepContext) -> None:
    plain, paused = with_low(
        context, item("One two."), item("One two.", line=1, markup='One <break time="2s"/> two.')
    )
    assert paused.duration_ms > plain.duration_ms + 1_000


@needs_espeak
@pytest.mark.slow
def test_phonemes_are_spoken_instead_of_the_word(context: StepContext) -> None:
    written = '<phoneme alphabet="ipa" ph="{}">a</phoneme>'
    texts = ["a", "a", "tomato", "a"]
    markups = [written.format("təmɑːtoʊ"), written.format("ʘ"), None, None]
    heard = with_low(
        context,
        *(item(text, line=n, markup=each) for n, (text, each) in enumerate(zip(texts, markups, strict=True))),
    )
    phonemes, unknown, word, letter = heard
    assert abs(phonemes.duration_ms - word.duration_ms) < abs(phonemes.duration_ms - letter.duration_ms)
    assert phonemes.audio != letter.audio == unknown.audio


@needs_espeak
@pytest.mark.parametrize(
    "written",
    [
        '<audio src="{}"/>',
        "&lt;audio src='{}'/&gt;",
        '&#60;audio src="{}"/&#62;',
        '<emphasis level="strong"><audio src="{}"/></emphasis>',
        "<sub alias=\"&lt;audio src='{}'/&gt;\">a</sub>",
        "<sub alias=\"<audio src='{}'/>\">a</sub>",
        '<phoneme alphabet="ipa" ph="]]<audio src=\'{}\'/>">a</phoneme>',
    ],
)
def test_no_markup_makes_the_program_open_a_file(context: StepContext, tmp_path: Path, written: str) -> None:
    """A pipe without a writer stops whoever opens it, so opening it would never end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    [take] = with_low(context, item("One.", markup=f"One {written.format(pipe)} two."))
    assert take.duration_ms > 300


@needs_espeak
@pytest.mark.parametrize(
    "text", ["-v de --path=/tmp -w x", "[[h@l'oU]] [[[[a]]]]", "a\x07\x1b[31m b", "<audio src='/'>"]
)
def test_no_text_is_taken_for_an_option_or_for_phonemes(context: StepContext, text: str) -> None:
    [take] = with_low(context, item(text))
    assert take.duration_ms > 300
    assert list(context.folder.iterdir()) == []


@needs_espeak
def test_kanji_is_refused_rather_than_called_chinese_letters(context: StepContext) -> None:
    voice = {**LOW, "voice_id": "ja"}
    with pytest.raises(Refused, match=r"cannot read line 1 in ja-jp: write it in kana\."):
        speak(context, item("日本語", "ja-jp"), voice_map={"ja-jp": [voice]})
    assert takes(speak(context, item("こんにちは", "ja-jp"), voice_map={"ja-jp": [voice]}))


@needs_espeak
def test_a_cancelled_step_stops_between_items(context: StepContext) -> None:
    context.is_cancelled = lambda: bool(context.progressed)
    with pytest.raises(Cancelled):
        with_low(context, item("One."), item("Two.", line=1))
    assert context.progressed == [(1, 2)]


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ({**LOW, "voice_id": "en-us -w /x"}, r"is not here: install the Debian package espeak-ng"),
        ({**LOW, "provider": "acme"}, r"PORTAL_PROVIDER_VOICES must name it"),
        ({**LOW, "provider": "hibari", "voice_id": "emma"}, r"install the extra speech"),
    ],
)
def test_a_voice_that_is_not_here_is_refused(context: StepContext, assignment: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        speak(context, item("Hello."), voice_map={"en-us": [assignment]})


def test_without_anything_that_speaks_the_reason_says_what_to_do(
    context: StepContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ability = OperatorGenerator().ability(context.environment)
    assert ability.locales == ability.voices == frozenset()
    assert ability.unavailable is not None
    assert {"espeak-ng", "PORTAL_PROVIDER_URL"} <= set(ability.unavailable.replace(",", " ").split())
    with pytest.raises(Refused, match=r"Debian package espeak-ng"):
        speak(context, item("Hello."))


@needs_espeak
def test_ability_names_what_can_be_chosen_and_assigned(context: StepContext) -> None:
    ability = OperatorGenerator().ability(context.environment)
    assert ability.unavailable is None
    assert ability.locales == set(LOCALES) - {"ja-jp"}
    assert ability.voices is not None
    assert ("espeak-ng", "espeak-ng", "ja") in ability.voices


ANNA = Voice(
    provider="acme",
    provider_voice_id="anna",
    name="Anna",
    languages=("de-de",),
    models=("large",),
    added_at=NOON,
)


def test_a_provider_speaks_with_the_voices_of_the_settings(tmp_path: Path, provider: ProviderServer) -> None:
    context = StepContext(tmp_path, Environment(provider=provider.settings(), voices=[ANNA]))
    provider.answer = reply(200, audio(2), Content_Type="audio/wav")
    assigned = {
        "provider": "acme",
        "model": "large",
        "voice_id": "anna",
        "canonical_controls": {"speed": 1.5},
    }
    given = [item("Hallo <du>.", "de-de"), item("---", "de-de", line=1)]
    for voice_map in ({}, {"de-DE": [assigned | {"provider_config": {"url": "http://elsewhere"}}]}):
        out = speak(context, *given, voice_map=voice_map)
        [take] = takes(out)
        assert (take.voice, take.provider, take.model, take.duration_ms) == ("Anna", "acme", "large", 2_000)
        assert (out.usage.provider_calls, out.result["unspoken_lines"]) == (1, 1)
    first, second = (asked.json for asked in provider.asked)
    assert first == {"model": "large", "input": "Hallo <du>.", "voice": "anna", "response_format": "wav"}
    assert second == first | {"speed": 1.5}


def test_a_provider_without_named_voices_speaks_with_its_own(
    tmp_path: Path, provider: ProviderServer
) -> None:
    context = StepContext(tmp_path, Environment(provider=provider.settings()))
    provider.answer = reply(200, audio(), Content_Type="audio/wav")
    markup = '<sub alias="jiff"><phoneme alphabet="ipa" ph="x">gif</phoneme></sub> &amp; <break/>'
    [take] = takes(speak(context, item("gif &", "ja-jp", markup=markup)))
    assert (take.voice, take.provider, take.model) == ("alloy", "provider", "speaks")
    assert provider.asked[0].json["input"] == "jiff & "
    ability = OperatorGenerator().ability(context.environment)
    assert ability.locales == set(LOCALES)


def test_what_a_provider_refuses_is_not_spoken_by_another(tmp_path: Path, provider: ProviderServer) -> None:
    provider.answer = reply(429, b"", Retry_After="7")
    with pytest.raises(RateLimited) as refusal:
        speak(StepContext(tmp_path, Environment(provider=provider.settings())), item("Hello."))
    assert refusal.value.retry_after == 7


@needs_neural
def test_the_neural_voice_speaks_american_english_by_itself(context: StepContext) -> None:
    given = [item("The quick brown fox jumps over the lazy dog."), item("---", line=1), item("Two.", line=2)]
    out = speak(context, *given)
    first, second = takes(out)
    samples, rate = samples_of(context, first)
    assert (first.voice, first.provider, rate) == ("Heart", "hibari", 24_000)
    assert 1_500 < first.duration_ms < 6_000
    assert np.abs(samples).max() > 0.1
    assert second.duration_ms < first.duration_ms
    assert out.result["unspoken_lines"] == 1
    assert speak(context, *given).items == out.items


@needs_neural
def test_a_cancelled_step_ends_the_neural_voice(context: StepContext) -> None:
    context.is_cancelled = lambda: bool(context.progressed)
    with pytest.raises(Cancelled):
        speak(context, *(item(f"Line number {n}.", line=n) for n in range(200)))
    assert len(context.progressed) == 1
