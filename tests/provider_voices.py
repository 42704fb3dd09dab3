"""A provider that an operator has configured, whose voices can speak whatever is installed here."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from portal import speech

VOICES: dict[str, Any] = {
    "providers": [
        {
            "provider": "acme",
            "display_name": "Acme Speech",
            "models": [{"model": "org/large", "display_name": "Large"}, {"model": "small"}],
            "voices": [
                {
                    "voice_id": "anna",
                    "name": "Anna",
                    "languages": ["de-de", "en-us"],
                    "description": "A warm voice.",
                    "gender": "female",
                    "age": "young",
                    "accent": "german",
                    "category": "narration",
                    "tags": ["warm"],
                    "samples": [
                        {"language": "de-de", "model": "small", "url": "https://acme.example/anna-small.mp3"},
                        {"language": "de-de", "model": "org/large", "url": "https://acme.example/anna.mp3"},
                    ],
                },
                {
                    "voice_id": "bob",
                    "name": "Bob",
                    "languages": ["en-us"],
                    "models": ["small"],
                    "gender": "male",
                },
            ],
        }
    ]
}


def voices_file(folder: Path, content: Any = VOICES) -> Path:
    """The file that PORTAL_PROVIDER_VOICES names."""
    file = folder / "voices.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def voice_with_clip() -> UUID:
    """The id of Anna, in the portal of this context."""
    return next(voice.id for voice in speech.catalog().voices.values() if voice.provider_voice_id == "anna")
