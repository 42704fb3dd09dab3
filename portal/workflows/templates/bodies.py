"""What requests say of templates: which ones they want, and what a template is to be."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import ConfigDict, Field
from pydantic_core import CoreSchema, core_schema

from portal.database.columns import JsonObject
from portal.database.models import TemplateCategory
from portal.definitions.shape import DefinitionField
from portal.input import parameters
from portal.input.bodies import Body, OneOf, Rule, SomeChanges, absent
from portal.input.parameters import Reader, Refused
from portal.input.repeated import any_of
from portal.paging import Slice
from portal.workflows import names

ID_PATTERN = "[0-9A-Za-z]{8}"
CATEGORIES = tuple(category.value for category in TemplateCategory)
SORTS = ("popular", "recent", "name")
MAX_DESCRIPTION = 2000


def template_id(text: str) -> str:
    """The id of a template: base62, case-sensitive."""
    if not re.fullmatch(ID_PATTERN, text):
        raise Refused("must be 8 letters and digits.")
    return text


@dataclass(frozen=True)
class _DescriptionField(Rule):
    allowed = f"must be text of at most {MAX_DESCRIPTION:,} characters, without control characters."

    def schema(self) -> CoreSchema:
        pattern = names.DESCRIPTION_PATTERN
        return core_schema.str_schema(strict=True, max_length=MAX_DESCRIPTION, pattern=pattern)


_Name = Annotated[str, names.Name()]
_Description = Annotated[str, _DescriptionField()]
_Category = Annotated[str, OneOf(CATEGORIES)]
_Definition = Annotated[JsonObject, DefinitionField()]


class NewTemplate(Body):
    """A template to make."""

    model_config = ConfigDict(title="NewTemplate")

    name: _Name
    description: _Description | None = None
    category: _Category | None = None
    definition: Annotated[_Definition | None, Field(description="An empty graph, unless given.")] = None


class TemplateChanges(SomeChanges):
    """What to change: at least one of these."""

    name: _Name = absent()
    description: _Description | None = absent()
    category: _Category | None = absent()
    definition: _Definition = absent()


class Clone(Body):
    """The workflow to make from a template."""

    model_config = ConfigDict(title="TemplateClone")

    name: Annotated[_Name | None, Field(description="That of the template unless given.")] = None


@dataclass(frozen=True, kw_only=True)
class TemplateQuery:
    """Validated query parameters."""

    slice: Slice = Slice()
    search: str = ""
    categories: Sequence[str] = ()
    """Of which a template has one; empty means any."""
    sort: str = "recent"
    favorites_only: bool = False

    @classmethod
    def parse(cls, args: Mapping[str, Sequence[str]]) -> Self:
        """Parse query parameters, each with all its values. Raises InvalidQuery."""
        reader = Reader({name: values[-1] for name, values in args.items()})
        query = cls(
            slice=reader.slice(),
            search=reader.read("search", parameters.search, ""),
            categories=any_of(reader, "category", args.get("category", ()), parameters.one_of(CATEGORIES)),
            sort=reader.read("sort", parameters.one_of(SORTS), "recent"),
            favorites_only=reader.read("favorites_only", parameters.boolean, False),
        )
        reader.finish()
        return query
