"""Definitions as JSON text: whether two are the same, and line by line what differs."""

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_COMPARED = 2_000
"""Lines of either text, without those that both begin and end with, of which a comparison is made."""

MAX_LINES = 1_000
MAX_LINE = 300
AROUND = 3
"""Lines shown around each difference."""


@dataclass(frozen=True)
class JsonDiff:
    """A unified diff of two JSON texts, of bounded length."""

    lines: Sequence[str]
    """Each begins with `-`, `+`, `@` or a space, and is cut at MAX_LINE characters."""
    more: int = 0
    """Further lines."""
    too_different: bool = False
    """Whether the texts differ in more lines than are compared; then there are no lines."""


def text_of(value: object) -> str:
    """The JSON text by which definitions are compared, because to Python 1, 1.0 and true are equal."""
    return json.dumps(value, sort_keys=True)


def is_same(one: object, other: object) -> bool:
    """Whether two values are the same as JSON, whatever the order of keys."""
    return one is other or text_of(one) == text_of(other)


def json_diff(old: object, new: object) -> JsonDiff:
    """What differs between two values as indented JSON."""
    before, after = _lines(old), _lines(new)
    begin, end = _common(before, after)
    if max(len(before), len(after)) - begin - end > MAX_COMPARED:
        return JsonDiff((), too_different=True)
    first, last = max(0, begin - AROUND), max(0, end - AROUND)
    compared = (before[first : len(before) - last], after[first : len(after) - last])
    found = list(difflib.unified_diff(*compared, n=AROUND, lineterm=""))[2:]  # without the names of files
    lines = [_cut(_shifted(line, first)) for line in found[:MAX_LINES]]
    return JsonDiff(lines, len(found) - len(lines))


def _lines(value: object) -> list[str]:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).split("\n")


def _common(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """How many lines both begin with, and how many of the others both end with."""
    least = min(len(before), len(after))
    begin = next((n for n in range(least) if before[n] != after[n]), least)
    end = next((n for n in range(least - begin) if before[-1 - n] != after[-1 - n]), least - begin)
    return begin, end


def _shifted(line: str, by: int) -> str:
    """A line of the diff; in one that says where it is (`@@ -1,7 +1,7 @@`), the numbers grow."""
    return _WHERE.sub(lambda sign: f"{sign[1]}{int(sign[2]) + by}", line) if line.startswith("@@") else line


_WHERE = re.compile(r"([-+])([0-9]+)")


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "…"
