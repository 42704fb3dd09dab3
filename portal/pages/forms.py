"""Plain forms: from their fields to parameters of the services, and back to fields with errors.

A form without script repeats `status`, sends dates without a time and leaves fields empty.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from werkzeug.datastructures import MultiDict

from portal.errors import FieldError, InvalidQuery, NotFound
from portal.input import parameters
from portal.input.parameters import Reader, Refused, single
from portal.moments import DAY_PATTERN
from portal.paging import Slice
from portal.runs.filters.duration import DURATION
from portal.runs.filters.registry import further_filters
from portal.runs.query import RunQuery

_DAY = re.compile(DAY_PATTERN)
_FEW_DIGITS = re.compile(r"[0-9]{1,9}")
_BEGINS, _ENDS = "T00:00:00Z", "T23:59:59.999999Z"
_EDGES = {"from": _BEGINS, "to": _ENDS, "last_run_after": _BEGINS, "last_run_before": _ENDS}


@dataclass(frozen=True)
class Form:
    """The values and errors of the fields of a form."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def statuses(self) -> Sequence[str]:
        return self.values.get("status", "").split(",")

    def error(self, name: str) -> str:
        return self.errors.get(name, "")


def plain_form(args: MultiDict[str, str]) -> dict[str, str]:
    """A form's fields as parameters: statuses joined, what is empty left out, dates as whole days."""
    plain = single(args)
    if "status" in plain:
        plain["status"] = ",".join(args.getlist("status"))
    for each in (DURATION, *further_filters()):
        for name in each.labels:
            if not plain.get(name, "?"):
                del plain[name]
    for name, edge in _EDGES.items():
        if not plain.get(name, "?"):
            del plain[name]
        elif _DAY.fullmatch(plain.get(name, "")):
            plain[name] += edge
    return plain


def filled(plain: Mapping[str, str], errors: Sequence[FieldError] = ()) -> Form:
    """The form with these parameters in its fields, whole days as dates again."""
    days = {name: plain[name].removesuffix(edge) for name, edge in _EDGES.items() if name in plain}
    return Form({**plain, **days}, {error.field: error.message for error in errors})


def parse_run_list(plain: Mapping[str, str], workflow_id: UUID) -> RunQuery:
    """The query of the run list; `page` counts pages where the service counts rows. Raises InvalidQuery."""
    reader = Reader(plain)
    number = reader.read("page", parameters.page_number, 0)
    try:
        query = RunQuery.parse(plain, workflow_id=str(workflow_id))
    except InvalidQuery as refusal:
        raise InvalidQuery([*refusal.errors, *reader.errors]) from None
    reader.finish()
    return query.at(Slice.of_page(number, query.slice.limit)) if number else query


def without(plain: Mapping[str, str], errors: Sequence[FieldError]) -> dict[str, str]:
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
