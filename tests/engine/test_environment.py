"""What the settings allow nodes to use."""

from pathlib import Path

import pytest

from portal.config import read_settings
from portal.engine.environment import Environment, ProviderSettings, environment_of
from portal.input.setting_values import BadSetting

SECRET = {"PORTAL_SECRET_KEY": "5f0c3e9a7b1d4862" * 4}


def environment(folder: Path, **settings: str) -> Environment:
    named = {f"PORTAL_{name}": value for name, value in settings.items()}
    return environment_of(read_settings(SECRET | named, folder))


def test_without_settings_nothing_is_asked_of_others(tmp_path: Path) -> None:
    found = environment(tmp_path)
    assert found == Environment()
    assert (found.provider, found.recogniser, found.audio_format, found.node_seconds) == (
        *(None, None),
        *("flac", 600),
    )


def test_every_setting_arrives(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-1\n")
    assert environment(
        tmp_path,
        PROVIDER_URL="https://Provider.example/openai/v1/",
        PROVIDER_KEY_FILE=str(key),
        PROVIDER_TTS_MODEL="speaks",
        PROVIDER_STT_MODEL="listens",
        PROVIDER_CHAT_MODEL="writes",
        ASR_MODEL="/models/base",
        AUDIO_FORMAT="Opus",
        NODE_SECONDS="60",
        NORMALIZE_WITH_PROVIDER="true",
    ) == Environment(
        provider=ProviderSettings(
            url="https://provider.example/openai/v1",
            key="sk-1",
            speech_model="speaks",
            transcription_model="listens",
            chat_model="writes",
        ),
        recogniser=Path("/models/base"),
        audio_format="opus",
        node_seconds=60,
        normalize_with_provider=True,
    )


def test_an_address_without_a_path_is_that_of_a_server_whose_api_begins_at_v1(tmp_path: Path) -> None:
    found = environment(tmp_path, PROVIDER_URL="http://localhost:8000/").provider
    assert found == ProviderSettings(url="http://localhost:8000/v1")


@pytest.mark.parametrize("key", ["two words", "line\nline", "schlüssel"])
def test_a_key_that_no_header_carries_is_refused_and_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadSetting, match="PORTAL_PROVIDER_KEY") as refusal:
        environment(tmp_path, PROVIDER_URL="http://localhost", PROVIDER_KEY=key)
    assert key not in str(refusal.value)
