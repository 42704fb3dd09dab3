"""PORTAL_PROVIDER_VOICES: what it gives, and what the portal does not start with."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from portal.input.setting_values import BadSetting
from portal.speech.catalog import catalog_of
from portal.speech.configured import read_file
from tests.provider_voices import VOICES, voices_file


def test_a_file_gives_its_providers_models_and_voices(tmp_path: Path) -> None:
    catalog = catalog_of(*read_file(voices_file(tmp_path)))
    assert list(catalog.providers) == ["espeak-ng", "acme"]
    assert [model.display_name for model in catalog.provider("acme").models.values()] == ["Large", "small"]
    anna, bob = (voice for voice in catalog.voices.values() if voice.provider == "acme")
    assert (anna.models, anna.languages) == (("org/large", "small"), ("de-de", "en-us"))
    assert (bob.models, bob.samples, bob.is_active) == (("small",), (), True)


def test_the_id_of_a_voice_depends_on_nothing_but_the_names(tmp_path: Path) -> None:
    changed = copy.deepcopy(VOICES)
    changed["providers"][0]["voices"][0] |= {"name": "Anne", "tags": []}
    before, after = (
        set(catalog_of(*read_file(voices_file(tmp_path, content))).voices) for content in (VOICES, changed)
    )
    assert before == after


def _provider(**changes: Any) -> dict[str, Any]:
    return {"providers": [VOICES["providers"][0] | changes]}


def _voice(**changes: Any) -> dict[str, Any]:
    return _provider(voices=[{"voice_id": "a", "name": "A", "languages": ["de-de"]} | changes])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "must name a file with a JSON object"),
        ({}, "providers: is required"),
        ({"providers": [{}]}, "providers.0.voices: is required"),
        (_provider(provider="Acme"), "providers.0.provider: must be"),
        (_provider(provider="espeak-ng"), "provider espeak-ng is there already"),
        ({"providers": VOICES["providers"] * 2}, "provider acme is there already"),
        (_provider(models=[], voices=[]), "providers.0.models: must name a model"),
        (_provider(models=[{"model": "a/voices"}], voices=[]), "cannot be part of an address"),
        (_provider(models=[{"model": "../x"}], voices=[]), "cannot be part of an address"),
        (_voice(langauges=["de-de"]), "providers.0.voices.0.langauges: "),
        (_voice(languages=["de"]), "providers.0.voices.0.languages: must be"),
        (_voice(languages=[]), "providers.0.voices.0.languages: must be"),
        (_voice(gender="woman"), "providers.0.voices.0.gender: must be one of male"),
        (_voice(models=["huge"]), "names huge, which is no model of its provider"),
        (_voice(models=[]), "or be left out for all"),
        (
            _voice(samples=[{"language": "de-de", "model": "small", "url": "javascript:x"}]),
            "providers.0.voices.0.samples.0.url: must be an address",
        ),
    ],
)
def test_a_file_that_says_nonsense_is_refused_with_the_place(content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as refusal:
        read_file(voices_file(tmp_path, content))
    assert str(refusal.value).startswith("PORTAL_PROVIDER_VOICES")
    assert said in str(refusal.value)


def test_a_voice_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    [voice, _] = VOICES["providers"][0]["voices"]
    with pytest.raises(BadSetting, match="voice_id anna is there already"):
        read_file(voices_file(tmp_path, _provider(voices=[voice, voice])))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="cannot be read"):
        read_file(tmp_path / "absent.json")
    file = tmp_path / "broken.json"
    for content in (b"{", b"\xff", json.dumps([]).encode()):
        file.write_bytes(content)
        with pytest.raises(BadSetting, match="JSON object"):
            read_file(file)
