"""Reads files of other systems in tests, without a database."""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from portal.history.parsing.readers import BadField
from portal.history.sources.reading.lines import lines_of
from portal.history.sources.reading.reader import Input, Reading, without_none
from portal.history.sources.reading.registry import reader
from tests.factories import NOON

HERE = Path(__file__).parent


def reading(system: str, **options: Any) -> Reading:
    zone = ZoneInfo(options.pop("zone", "UTC"))
    return Reading(reader(system), NOON, zone=zone, **options)


def read_files(system: str, *files: Path, **options: Any) -> list[dict[str, Any]]:
    """The lines of files that one command names; fails where a record makes none."""
    how = reading(system, **options)
    lines = [line for file in files for line in lines_of(file, how)]
    assert [(line.number, line.fault) for line in lines if line.fault] == []
    return [json.loads(line.text or b"") for line in lines]


def read_text(system: str, text: str | bytes, name: str = "file", **options: Any) -> list[Any]:
    """The lines and faults that a reader makes of a text."""
    stream = io.BufferedReader(io.BytesIO(text if isinstance(text, bytes) else text.encode()))  # type: ignore[arg-type]
    how = reading(system, **options)
    made = how.reader.read(Input(name, stream, how))
    return [each if isinstance(each, BadField) else without_none(each) for each in made]


def read_json(system: str, *values: Any, **options: Any) -> list[Any]:
    """The lines and faults that a reader makes of JSON values, one a line."""
    return read_text(system, "\n".join(map(json.dumps, values)), **options)


def faults(made: Iterable[Any]) -> list[tuple[str, str]]:
    return [(each.field, str(each)) for each in made if isinstance(each, BadField)]
