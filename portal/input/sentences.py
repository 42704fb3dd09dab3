"""The sentences that refuse a value, the same for parameters, bodies, commands and imported lines."""

from collections.abc import Iterable

REQUIRED = "is required."
STORABLE = "must be text without NUL or broken characters."


def one_of(words: Iterable[str]) -> str:
    return f"must be one of {', '.join(words)}."


def whole_number(least: int, most: int | None) -> str:
    if most is None:
        return f"must be a whole number, {least} or more."
    return f"must be a whole number from {least} to {most}."
