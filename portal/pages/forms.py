"""Plain forms: from their fields to parameters of the services, and back to fields with errors.

A form without script repeats `status`, sends dates without a time and leaves fields empty.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from werkzeug.datastructures import MultiDict

from portal import moments
from portal.errors import FieldError, InvalidQuery, NotFound
from portal.input import parameters
from portal.input.parameters import Args, Reader, Refused, flat, single
from portal.input.time_zones import PERIODS
from portal.pages import days
from portal.paging import Slice
from portal.runs.filters.duration import DURATION
from portal.runs.filters.registry import further_filters, repeating
from portal.runs.query import RunQuery

Value = TypeVar("Value")

_FEW_DIGITS = re.compile(r"[0-9]{1,9}")
_IS_LAST = {"from": False, "to": True, "last_run_after": False, "last_run_before": True}
"""Fields for a day: whether its last moment is meant, or its first."""


@dataclass(frozen=True)
class Form:
    """The values and errors of the fields of a form."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The values of the fields that may repeat."""

    @property
    def statuses(self) -> Sequence[str]:
        return self.values.get("status", "").split(",")

    def error(self, name: str) -> str:
        return self.errors.get(name, "")


def plain_form(args: MultiDict[str, str]) -> Args:
    """A form's fields as parameters: statuses joined, empty fields left out, days as moments."""
    plain = flat(args, repeating())
    if "status" in plain:
        plain["status"] = ",".join(args.getlist("status"))
    if not plain.get("workflow", "?"):
        del plain["workflow"]
    for each in (DURATION, *further_filters()):
        for name in each.labels:
            if each.repeats:
                plain[name] = [value for value in args.getlist(name) if value]
            if not plain.get(name, "?"):
                del plain[name]
    if plain.get("within") == "":
        del plain["within"]
    plain = {**{name: value for name, value in plain.items() if name not in _IS_LAST}, **dates(args)}
    if names_period(args):
        plain |= days.window_of_period(str(plain.pop("within")), moments.now())
    return plain


def names_period(args: MultiDict[str, str]) -> bool:
    """Whether a form's fields name a period that means other moments to other readers, or at another time."""
    return single(args).get("within") in PERIODS


def dates(args: MultiDict[str, str]) -> dict[str, str]:
    """The fields that are dates: empty ones left out, days as moments."""
    found = {name: value for name, value in single(args).items() if name in _IS_LAST and value}
    return {name: days.moment_of_day(value, last=_IS_LAST[name]) for name, value in found.items()}


def filled(plain: Mapping[str, str | Sequence[str]], errors: Sequence[FieldError] = ()) -> Form:
    """The form with these parameters in its fields, whole days as dates again."""
    texts = {name: value for name, value in plain.items() if isinstance(value, str)}
    lists = {name: value for name, value in plain.items() if not isinstance(value, str)}
    for name, last in _IS_LAST.items():
        if name in texts:
            texts[name] = days.day_of_moment(texts[name], last=last)
    return Form(texts, {error.field: error.message for error in errors}, lists)


def parse_run_list(plain: Mapping[str, str | Sequence[str]], workflow_id: UUID | None) -> RunQuery:
    """The query of the run list of a workflow, or of a workspace. Raises InvalidQuery.

    `page` counts pages where the service counts rows.
    """
    reader = Reader(plain)
    number = reader.read("page", parameters.page_number, 0)
    try:
        query = RunQuery.parse(plain, workflow_id=None if workflow_id is None else str(workflow_id))
    except InvalidQuery as refusal:
        raise InvalidQuery([*refusal.errors, *reader.errors]) from None
    reader.finish()
    return query.at(Slice.of_page(number, query.slice.limit)) if number else query


def without(plain: Mapping[str, Value], errors: Sequence[FieldError]) -> dict[str, Value]:
    """The valid parameters."""
    bad = {error.field for error in errors}
    return {name: value for name, value in plain.items() if name not in bad}


def id_in_path(text: str) -> UUID:
    """The id in a page's path. Raises NotFound where the text is not a UUID."""
    try:
        return parameters.uuid(text)
    except Refused:
        raise NotFound from None


def whole_or_text(text: str) -> int | str | None:
    """The value of a number field: None if empty, a whole number, or a text that is none."""
    text = text.strip()
    if not text:
        return None
    return int(text) if _FEW_DIGITS.fullmatch(text) else text
