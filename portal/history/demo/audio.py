"""Output of the sample's runs: lines with scores, and short synthetic sounds. Deterministic."""

import io
import math
import random
import wave
from collections.abc import Mapping, Sequence
from functools import cache

RATE = 8000
"""Samples a second: enough to tell the sounds apart in small files."""
LINES = (
    "Good morning, and welcome back.",
    "Here is what changed since yesterday.",
    "Your order is on its way.",
    "Press one to speak to somebody.",
    "Thank you for listening.",
)
_VOICES = ("Lena", "Kenji", "Marie", "Noah")
_SECONDS = 0.5
LINE_MS = round(_SECONDS * 1000)


def path_of(locale: str, line: int) -> str:
    return f"audio/{locale}/{line + 1:02d}.wav"


def sounds(locales: Sequence[str]) -> Mapping[str, bytes]:
    """The audio files of all lines in these languages, by path."""
    return {path_of(locale, line): _sound(locale, line) for locale in locales for line in range(len(LINES))}


@cache
def _sound(locale: str, line: int) -> bytes:
    """Three syllables of a voice-like tone; the language sets the pitch, the line the melody."""
    pitch = 110 + sum(map(ord, locale)) % 90
    samples = bytearray()
    for syllable in range(3):
        frequency = pitch * (1 + 0.12 * ((line + syllable) % 4))
        length = int(RATE * _SECONDS / 3)
        for n in range(length):
            phase = 2 * math.pi * frequency * n / RATE
            voice = math.sin(phase) + 0.5 * math.sin(2 * phase) + 0.25 * math.sin(5 * phase)
            samples.append(int(128 + 45 * voice * math.sin(math.pi * n / length)))
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(RATE)
        file.writeframes(bytes(samples))
    return content.getvalue()


def output_lines(
    chance: random.Random, locales: Sequence[str], validators: Sequence[str]
) -> list[dict[str, object]]:
    """Every line in every language; sometimes with a refused take before the delivered one."""
    lines: list[dict[str, object]] = []
    for number, script in enumerate(LINES):
        takes: list[dict[str, object]] = []
        for locale in locales:
            if validators and chance.random() < 0.15:
                takes.append(_take(chance, locale, number, validators, passed=False, retry=0))
            retry = int(bool(takes) and takes[-1]["locale"] == locale)
            takes.append(_take(chance, locale, number, validators, passed=True, retry=retry))
        lines.append({"line_id": f"line-{number + 1}", "script": script, "takes": takes})
    return lines


def _take(
    chance: random.Random, locale: str, line: int, validators: Sequence[str], *, passed: bool, retry: int
) -> dict[str, object]:
    take: dict[str, object] = {
        "locale": locale,
        "status": "delivered" if passed else "not_delivered",
        "retry_count": retry,
        "voice": _VOICES[sum(map(ord, locale)) % len(_VOICES)],
        "provider": "acme",
        "model": "voice-2",
        "duration_ms": LINE_MS,
        "validations": [_validation(chance, node, passed) for node in validators],
    }
    return take | ({"audio": {"path": path_of(locale, line)}} if passed else {})


def _validation(chance: random.Random, node_type: str, passed: bool) -> dict[str, object]:
    kind = "wer" if node_type == "validator_error_rate" else node_type.removeprefix("validator_")
    score = round(chance.uniform(0.9, 1.0) if passed else chance.uniform(0.4, 0.85), 3)
    rates = {"wer": round(1 - score, 3), "cer": round((1 - score) / 2, 3)} if kind == "wer" else {}
    return {"node_id": node_type, "kind": kind, "score": score, "threshold": 0.9, "passed": passed} | rates
