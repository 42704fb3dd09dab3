"""Chunked IN lists: both databases limit the parameters of a statement."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

CHUNK = 5000
"""Values in one IN list."""

Value = TypeVar("Value")


def chunks(values: Sequence[Value]) -> Iterable[Sequence[Value]]:
    """Split the values into chunks that fit an IN list."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
