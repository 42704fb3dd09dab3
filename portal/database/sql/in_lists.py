"""Chunked IN lists: both databases limit the parameters of a statement."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

CHUNK = 5000
"""Values in one IN list."""

Value = TypeVar("Value")


def chunks(values: Sequence[Value], size: int = CHUNK) -> Iterable[Sequence[Value]]:
    """Split the values into chunks that fit an IN list."""
    return (values[start : start + size] for start in range(0, len(values), size))
