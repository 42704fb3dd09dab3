"""The parameters of the list of voices and of its facets (contract part 2, 10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from portal.definitions.locales import LOCALES, canonical
from portal.input import parameters, sentences
from portal.input.folding import fold
from portal.input.parameters import Parser, Reader, Refused
from portal.input.repeated import Sorts, any_of, sorts
from portal.paging import Slice
from portal.speech.catalog import ACCENTS, AGES, CATEGORIES, GENDERS, Voice

NATURAL_ORDERS = {"name": "asc", "created_at": "desc", "uses_count": "desc"}
"""Every sort key with its default direction."""
SOURCES = ("platform", "recorded", "uploaded", "workspace")
"""Where a voice may come from. Here all come from the installation: platform."""


def locale(text: str) -> str:
    """A locale in any case, with `-` or `_`."""
    found = canonical(text)
    if found is None:
        raise Refused(sentences.one_of(LOCALES))
    return found


_FILTERS: Mapping[str, Parser[str]] = {
    "source": parameters.one_of(SOURCES),
    "gender": parameters.one_of(GENDERS),
    "age": parameters.one_of(AGES),
    "category": parameters.one_of(CATEGORIES),
    "accent": parameters.one_of(ACCENTS),
    "provider": parameters.text,
    "model": parameters.text,
    "language": locale,
}


@dataclass(frozen=True, kw_only=True)
class VoiceQuery:
    """Validated query parameters."""

    slice: Slice = Slice()
    search: str = ""
    favorites_only: bool = False
    sorts: Sorts = ()
    """Pairs of sort key and direction; empty means newest first."""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values by filter, of which a voice has one: those filters that the request has."""

    @classmethod
    def parse(cls, args: Mapping[str, Sequence[str]]) -> Self:
        """Parse query parameters, each with all its values. Raises InvalidQuery."""
        reader = Reader({name: values[-1] for name, values in args.items()})
        query = cls(
            slice=reader.slice(),
            search=reader.read("search", parameters.search, ""),
            favorites_only=reader.read("favorites_only", parameters.boolean, False),
            sorts=sorts(reader, args.get("sort", ()), args.get("order", ()), NATURAL_ORDERS),
            filters={
                name: any_of(reader, name, args[name], parse)
                for name, parse in _FILTERS.items()
                if name in args
            },
        )
        reader.finish()
        return query

    def matches(self, voice: Voice, *, but: str | None = None) -> bool:
        """Whether a voice passes the search and every filter, `but` for one."""
        return self._is_found(voice) and all(
            any(value in values for value in values_of(voice, name))
            for name, values in self.filters.items()
            if name != but
        )

    def _is_found(self, voice: Voice) -> bool:
        text = fold(self.search)
        return any(text in fold(part) for part in (voice.name, voice.description or "", *voice.tags))


def values_of(voice: Voice, name: str) -> Sequence[str]:
    """What a voice has for a filter of this name."""
    if name == "source":
        return ("platform",)
    if name == "language":
        return voice.languages
    if name == "model":
        return voice.models
    value: str | None = getattr(voice, name)
    return () if value is None else (value,)
