"""A provider with the API of OpenAI: it speaks, transcribes and writes (`PORTAL_PROVIDER_URL`).

What it answers is not trusted: it is bounded, checked, and put in words where it is wrong. Its key appears in
no text that leaves this module.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from portal import moments
from portal.engine.contract import Billing, Context, Json, Outage, RateLimited, Refused, StepError
from portal.engine.environment import ProviderSettings
from portal.engine.media.providers.http import Answer, NoAnswer, Request, ask
from portal.engine.media.sound import NotSound, Sound, decode
from portal.input.text import is_storable

MAX_MESSAGE = 300
"""Characters of a provider's own words in an error."""
MAX_RETRY_AFTER = 86_400
MAX_INSTRUCTIONS = 4_096
SPEED = (0.25, 4.0)
UNPAID = ("insufficient_quota", "billing_hard_limit_reached")
"""Codes of a 429 that waiting does not help."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long a provider may take, and how much it may answer."""

    speech_seconds: float = 60
    transcription_seconds: float = 120
    chat_seconds: float = 60
    models_seconds: float = 5
    audio_bytes: int = 64 * 2**20
    json_bytes: int = 2 * 2**20


@dataclass(frozen=True)
class Controls:
    """What an assignment may say of how its voice speaks. Everything else in it stays here."""

    speed: float | None = None
    instructions: str | None = None
    seed: int | None = None

    @classmethod
    def of(cls, assignment: Json) -> "Controls":
        """Those of an assignment in a voice map; `provider_config` wins. Raises Refused."""
        found: dict[str, Any] = {}
        for key in ("canonical_controls", "provider_config"):
            found |= {name: value for name, value in (assignment.get(key) or {}).items() if value is not None}
        speed, instructions, seed = (found.get(name) for name in ("speed", "instructions", "seed"))
        if speed is not None and not (type(speed) in (int, float) and SPEED[0] <= speed <= SPEED[1]):
            raise Refused(f"The speed of a voice must be a number from {SPEED[0]:g} to {SPEED[1]:g}.")
        if seed is not None and not (type(seed) is int and abs(seed) < 2**63):
            raise Refused("The seed of a voice must be a whole number.")
        if instructions is not None and not (
            isinstance(instructions, str) and len(instructions) <= MAX_INSTRUCTIONS
        ):
            raise Refused(
                f"The instructions of a voice must be text of at most {MAX_INSTRUCTIONS} characters."
            )
        return cls(speed, instructions or None, seed)


@dataclass(frozen=True)
class Message:
    role: str
    """`system` or `user`."""
    content: str


class Provider:
    """The configured provider, as one step uses it."""

    def __init__(
        self, settings: ProviderSettings, context: Context | None = None, bounds: Bounds | None = None
    ) -> None:
        self._settings = settings
        self._context = context
        self._bounds = bounds or Bounds()

    def speak(
        self, text: str, *, voice: str, model: str, key: str, controls: Controls | None = None
    ) -> Sound:
        """A text in a voice. `key` names the line and take, for the provider's idempotency."""
        given = {
            "model": model,
            "input": text,
            "voice": voice,
            "response_format": "wav",
            **{name: value for name, value in vars(controls or Controls()).items() if value is not None},
        }
        answer = self._ask(
            *("POST", "/audio/speech", key, self._bounds.speech_seconds, self._bounds.audio_bytes), json=given
        )
        try:
            return decode(answer.body)
        except NotSound as error:
            raise Outage(f"What the provider answered {error}.") from None

    def transcribe(self, audio: bytes, content_type: str, *, language: str, model: str, key: str) -> str:
        """What is heard in a file of a language such as `en`; an empty text if nothing is."""
        suffix = {"audio/flac": "flac", "audio/ogg": "ogg", "audio/mpeg": "mp3"}.get(content_type, "wav")
        answer = self._ask(
            *("POST", "/audio/transcriptions", key),
            *(self._bounds.transcription_seconds, self._bounds.json_bytes),
            form={"model": model, "language": language, "response_format": "json", "temperature": "0"},
            files={"file": (f"audio.{suffix}", audio, content_type)},
        )
        return self._text(answer, "a transcript", lambda found: found["text"]).strip()

    def chat(self, messages: Sequence[Message], *, model: str, key: str) -> str:
        """What a model writes after these messages, at temperature 0."""
        answer = self._ask(
            *("POST", "/chat/completions", key, self._bounds.chat_seconds, self._bounds.json_bytes),
            json={"model": model, "messages": [vars(message) for message in messages], "temperature": 0},
        )
        return self._text(answer, "a message", lambda found: found["choices"][0]["message"]["content"])

    def models(self) -> list[str]:
        """The names of its models, sorted: shows that the provider can be reached and takes the key."""
        answer = self._ask("GET", "/models", None, self._bounds.models_seconds, self._bounds.json_bytes)
        found = self._read(answer, "a list of models", lambda found: [each["id"] for each in found["data"]])
        return sorted(self._clean(name) for name in found if isinstance(name, str))

    def _ask(
        self, method: str, path: str, key: str | None, seconds: float, max_bytes: int, **body: Any
    ) -> Answer:
        headers = {"User-Agent": "run-portal"}
        if self._settings.key:
            headers["Authorization"] = f"Bearer {self._settings.key}"
        if self._context is not None and key is not None:
            headers["Idempotency-Key"] = quote(self._context.key(key), safe=":-._~")
        request = Request(
            method=method, url=self._settings.url + path, headers=headers, max_bytes=max_bytes, **body
        )
        try:
            answer = ask(request, seconds, self._context.check if self._context is not None else lambda: None)
        except NoAnswer as error:
            raise Outage(f"The provider {error}.") from None
        if not 200 <= answer.status < 300:
            raise self._error(answer)
        return answer

    def _error(self, answer: Answer) -> StepError:
        status, found = answer.status, _error_of(answer.body)
        said = self._clean(str(found.get("message") or ""))[:MAX_MESSAGE]
        words = f"({status}): {said}" if said else f"({status})."
        retry_after = _retry_after(answer.headers.get("Retry-After"))
        if status == 402 or (status == 429 and not {found.get("code"), found.get("type")}.isdisjoint(UNPAID)):
            return Billing(f"The provider wants to be paid {words}", retry_after)
        if status == 429:
            return RateLimited(f"The provider wants fewer requests {words}", retry_after)
        if status == 408 or status >= 500:
            return Outage(f"The provider does not work at the moment {words}", retry_after)
        if 300 <= status < 400:
            return Refused(
                f"The provider redirects to another address ({status}), which is not followed: "
                "PORTAL_PROVIDER_URL must be the address itself."
            )
        return Refused(f"The provider refused the request {words}")

    def _text(self, answer: Answer, what: str, find: Callable[[Any], Any]) -> str:
        found = self._read(answer, what, find)
        if not isinstance(found, str):
            raise Outage(f"The provider answered without {what}.")
        return self._clean(found, lines=True)

    def _read(self, answer: Answer, what: str, find: Callable[[Any], Any]) -> Any:
        try:
            return find(json.loads(answer.body))
        except (ValueError, RecursionError):
            raise Outage("The provider's answer is not JSON: is PORTAL_PROVIDER_URL right?") from None
        except (KeyError, IndexError, TypeError):
            raise Outage(f"The provider answered without {what}.") from None

    def _clean(self, text: str, lines: bool = False) -> str:
        """A provider's text without the key and without what cannot be stored; on one line, or on several."""
        if self._settings.key:
            text = text.replace(self._settings.key, "[redacted]")
        kept = "".join(
            character if character.isprintable() or (lines and character in "\n\t") else " "
            for character in text
            if is_storable(character)
        )
        return kept if lines else " ".join(kept.split())


def _error_of(body: bytes) -> Mapping[str, object]:
    """The error that an answer describes, of `message`, `code` and `type`; its text, if it is no JSON."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        text = body[:10_000].decode(errors="replace")
        return {} if text.lstrip().startswith("<") else {"message": text}
    error = found.get("error", found) if isinstance(found, dict) else found
    return error if isinstance(error, dict) else {"message": error if isinstance(error, str) else ""}


def _retry_after(text: str | None) -> float | None:
    """Seconds from now, of a header that has seconds or a moment."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), MAX_RETRY_AFTER))
    try:
        moment = parsedate_to_datetime(text)
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - moments.now()).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), float(MAX_RETRY_AFTER))
