"""What an installation can use: the settings that handlers read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from portal.config import Settings
from portal.speech.catalog import Voice
from portal.speech.configured import read_file

AudioFormat = Literal["flac", "opus"]


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """An OpenAI-compatible provider; a model that is None means that it is not used for that."""

    url: str
    """Where its API begins, such as `https://provider.example/v1`."""
    key: str | None = None
    speech_model: str | None = None
    transcription_model: str | None = None
    chat_model: str | None = None


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What handlers may use on this machine."""

    provider: ProviderSettings | None = None
    voices: Sequence[Voice] = ()
    """Those that the provider may speak with, besides its own default; see `speech.configured`."""
    recogniser: Path | None = None
    """The folder of a speech recognition model."""
    audio_format: AudioFormat = "flac"
    """How takes are stored."""
    node_seconds: int = 600
    """How long a step may take."""
    normalize_with_provider: bool = False


def environment_of(settings: Settings) -> Environment:
    """What the settings of an installation allow. Raises BadSetting."""
    nodes = settings.nodes
    provider = nodes.provider_url and ProviderSettings(
        url=nodes.provider_url,
        key=nodes.provider_key,
        speech_model=nodes.speech_model,
        transcription_model=nodes.transcription_model,
        chat_model=nodes.chat_model,
    )
    return Environment(
        provider=provider or None,
        voices=read_file(settings.provider_voices)[1] if settings.provider_voices else (),
        recogniser=nodes.recogniser,
        audio_format=cast(AudioFormat, nodes.audio_format),
        node_seconds=nodes.seconds,
        normalize_with_provider=nodes.normalize_with_provider,
    )
