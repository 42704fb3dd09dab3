"""Objects in a source's answer: reads their fields, checks them, and knows which nobody has read."""

import re
from collections.abc import Iterator, Mapping

from portal import moments
from portal.history.parsing.readers import BadField
from portal.input import sentences
from portal.input.bounds import MAX_NUMBER

_SECONDS_APART = re.compile(r"(\S+) (\S+?)(?: (UTC|[+-]\d\d:?\d\d))?")


class Record:
    """An object of an answer. Its path is where it stands in the file, for the errors about its fields."""

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise BadField(path, "must be an object.")
        self._values: Mapping[str, object] = value
        self._read: set[str] = set()
        self.path = path

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def value(self, name: str) -> object:
        """A field of any kind; None if it is absent."""
        self._read.add(name)
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        """A text; None for a blank one."""
        found = self.value(name)
        if found is None:
            return None
        if not isinstance(found, str):
            raise self.fault(name, "must be text.")
        return found if found.strip() else None

    def identifier(self, name: str) -> str | None:
        """An id, which may be text or a whole number."""
        found = self.value(name)
        return str(found) if type(found) is int else self.text(name)

    def need(self, name: str) -> str:
        """An id, or another text, that has to be there."""
        found = self.identifier(name)
        if found is None:
            raise self.fault(name, "is missing.")
        return found

    def whole(self, name: str, least: int = 0) -> int | None:
        found = self.value(name)
        if found is None:
            return None
        if type(found) is not int or not least <= found <= MAX_NUMBER:
            raise self.fault(name, sentences.whole_number(least, MAX_NUMBER))
        return found

    def number(self, name: str) -> float | None:
        found = self.value(name)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) <= MAX_NUMBER:
            raise self.fault(name, f"must be a number of at most {MAX_NUMBER}.")
        return float(found)

    def flag(self, name: str) -> bool | None:
        found = self.value(name)
        if found is None:
            return None
        if not isinstance(found, bool):
            raise self.fault(name, "must be true or false.")
        return found

    def moment(self, name: str) -> str | None:
        """A time with its zone, as RFC 3339 writes it or with blanks: `2016-08-12 15:23:28 UTC`."""
        said = self.text(name)
        if said is None:
            return None
        try:
            return moments.format_moment(moments.parse_moment(_as_rfc3339(said.strip())))
        except ValueError:
            raise self.fault(name, "must be a date and time with its zone.") from None

    def mapping(self, name: str) -> dict[str, object] | None:
        """An object as it is; None for an empty one."""
        found = self.value(name)
        if found is None or found == {}:
            return None
        if not isinstance(found, dict):
            raise self.fault(name, "must be an object.")
        return found

    def record(self, name: str) -> "Record | None":
        found = self.value(name)
        return None if found is None else Record(found, self.inner(name))

    def records(self, name: str) -> list["Record"]:
        """The objects of a list; none if the field is absent."""
        found = self.value(name)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self.fault(name, "must be a list.")
        return [Record(value, path) for value, path in flatten(found, self.inner(name))]

    def values(self, name: str) -> Iterator[tuple[object, str]]:
        """What a list holds, unchecked, and where each stands in the file."""
        return flatten(self.value(name), self.inner(name))

    def items(self) -> Iterator[tuple[str, object]]:
        """All fields with a value."""
        return ((name, value) for name, value in self._values.items() if value is not None)

    def rest(self, *left_out: str, endings: tuple[str, ...] = ()) -> dict[str, object] | None:
        """What has not been read, except fields of these names and endings; None where nothing is left."""
        kept = {
            name: value
            for name, value in self.items()
            if name not in self._read
            and name not in left_out
            and not name.endswith(endings)
            and value not in ("", [], {})
        }
        return kept or None

    def inner(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path and not self.path.endswith(": ") else self.path + name

    def fault(self, name: str, reason: str) -> BadField:
        return BadField(self.inner(name), reason)


def flatten(value: object, path: str) -> Iterator[tuple[object, str]]:
    """The values of a list and where each stands; lists inside it, such as pages, are opened too."""
    if not isinstance(value, list):
        yield value, path
        return
    for position, inner in enumerate(value):
        yield from flatten(inner, f"{path}[{position}]")


def _as_rfc3339(said: str) -> str:
    apart = _SECONDS_APART.fullmatch(said)
    if not apart:
        return said
    date, time, zone = apart.groups()
    if zone is None:
        return f"{date}T{time}"
    return f"{date}T{time}{'Z' if zone == 'UTC' else zone if ':' in zone else f'{zone[:3]}:{zone[3:]}'}"
