"""The parameters of List Workflows (contract 3.13)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Self

from portal.input import parameters
from portal.input.parameters import Args, Reader
from portal.input.repeated import Sorts, sorts
from portal.moments import format_moment
from portal.paging import DEFAULT_LIMIT, Slice

NATURAL_ORDERS = {"name": "asc", "updated_at": "desc", "runs_count": "desc"}
"""Every sort key with its default direction."""
SORTS = tuple(NATURAL_ORDERS)
STATUSES = ("draft", "running", "completed", "failed", "paused")


@dataclass(frozen=True, kw_only=True)
class WorkflowQuery:
    """Validated query parameters."""

    slice: Slice = Slice()
    status: str | None = None
    search: str = ""
    sorts: Sorts = ()
    """Pairs of sort key and direction; empty means latest change first."""
    last_run_after: datetime | None = None
    last_run_before: datetime | None = None
    has_failed_run: bool | None = None
    include_definition: bool = False
    named: frozenset[str] = frozenset()
    """The parameters that the request contained, defaults included."""
    natural_orders: ClassVar[Mapping[str, str]] = NATURAL_ORDERS

    @classmethod
    def parse(cls, args: Mapping[str, Sequence[str]]) -> Self:
        """Parse query parameters, each with all its values. Raises InvalidQuery."""
        reader = Reader({name: values[-1] for name, values in args.items()})
        after, before = reader.window("last_run_after", "last_run_before")
        query = cls(
            slice=reader.slice(),
            status=reader.read("status", parameters.one_of(STATUSES), None),
            search=reader.read("search", parameters.search, ""),
            sorts=sorts(reader, args.get("sort", ()), args.get("order", ()), cls.natural_orders),
            last_run_after=after,
            last_run_before=before,
            has_failed_run=reader.read("has_failed_run", parameters.boolean, None),
            include_definition=reader.read("include_definition", parameters.boolean, False),
            named=frozenset(args),
            **cls._further(reader),
        )
        reader.finish()
        return query

    @classmethod
    def _further(cls, reader: Reader) -> Mapping[str, Any]:
        """The values of fields that a subclass adds."""
        return {}

    @property
    def filtered(self) -> bool:
        """Whether any filter is set."""
        window = self.last_run_after or self.last_run_before
        return bool(self.status or self.search or window) or self.has_failed_run is not None

    def at(self, slice_: Slice) -> Self:
        """The same list, another page."""
        return replace(self, slice=slice_)

    def to_args(self) -> Args:
        """The canonical query parameters, defaults left out."""
        defaults = {"limit": str(DEFAULT_LIMIT), "offset": "0", "include_definition": "false"}
        return {name: text for name, text in self._texts().items() if text and text != defaults.get(name)}

    def to_api_args(self) -> Args:
        """Parameters of a `next` or `prev` link: offset, limit, then those of the request (contract 1.7)."""
        texts = self._texts()
        paging: Args = {name: texts[name] for name in ("offset", "limit")}
        rest = {name: text for name, text in texts.items() if text or name == "search"}
        return paging | {name: text for name, text in rest.items() if name in self.named - paging.keys()}

    def _texts(self) -> Args:
        return {
            "status": self.status or "",
            "search": self.search,
            "sort": [key for key, _ in self.sorts],
            "order": [order for _, order in self.sorts],
            "last_run_after": format_moment(self.last_run_after) if self.last_run_after else "",
            "last_run_before": format_moment(self.last_run_before) if self.last_run_before else "",
            "has_failed_run": "" if self.has_failed_run is None else str(self.has_failed_run).lower(),
            "include_definition": str(self.include_definition).lower(),
            "limit": str(self.slice.limit),
            "offset": str(self.slice.offset),
        }
