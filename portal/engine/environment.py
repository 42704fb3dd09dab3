"""What an installation can use: the settings that handlers read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """An OpenAI-compatible provider; a model that is None means that it is not used for that."""

    url: str
    key: str | None = None
    speech_model: str | None = None
    transcription_model: str | None = None
    chat_model: str | None = None


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What handlers may use on this machine; `speech.catalog.Catalog` knows the voices."""

    provider: ProviderSettings | None = None
    recogniser: Path | None = None
    """The folder of a speech recognition model."""
    audio_format: Literal["flac", "opus"] = "flac"
    """How takes are stored."""
    node_seconds: int = 600
    """How long a step may take."""
    normalize_with_provider: bool = False
