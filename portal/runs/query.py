"""The parameters of List Runs (contract 3.1, 1.7, 1.8): read, checked and written back as a URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from portal.input import parameters
from portal.input.parameters import Args, Reader
from portal.paging import DEFAULT_LIMIT, Slice
from portal.runs.filters.created import CREATED
from portal.runs.filters.duration import DURATION
from portal.runs.filters.filter import AnyFilter
from portal.runs.filters.registry import FILTERS, WORKSPACE_FILTERS, further_filters
from portal.runs.filters.status import STATUS
from portal.runs.filters.triggered_by import TRIGGERED_BY
from portal.runs.filters.workflow import WORKFLOW

SORTS = ("created_at", "started_at", "completed_at", "status", "duration")
_COLUMNS = {"duration": "duration_ms"}
"""Of sorts that do not have the name of their column."""
ORDERS = ("asc", "desc")
SortValue = datetime | int | str | None
"""What a list is sorted by: a moment or the duration, which a run may lack, or the status."""
PAGING = ("offset", "limit")


@dataclass(frozen=True, kw_only=True)
class RunQuery:
    """What to list: a valid query, whatever it was made from."""

    workflow_id: UUID | None = None
    """None for a list over a whole workspace."""
    workflows: tuple[UUID, ...] = ()
    """Of a list over a whole workspace: those whose runs it has; none for all."""
    slice: Slice = Slice()
    status: tuple[str, ...] = ()
    search: str = ""
    sort: str = "created_at"
    order: str = "desc"
    created_from: datetime | None = None
    created_to: datetime | None = None
    within: str = ""
    """The window as a time until now, where it is one: `created_from` was the begin when it was read."""
    min_duration: int | None = None
    """In milliseconds."""
    max_duration: int | None = None
    others: tuple[tuple[AnyFilter, object], ...] = ()
    """The values of further filters, none of them empty."""
    named: frozenset[str] = frozenset()
    """Which parameters the request wrote, defaults included."""

    @classmethod
    def parse(cls, args: Mapping[str, str | Sequence[str]], *, workflow_id: str | None) -> Self:
        """Read a request's parameters; unknown ones are ignored. Without a workflow: over a whole workspace.

        Raises InvalidQuery with an error for each bad field.
        """
        reader = Reader(args if workflow_id is None else {**args, "workflow_id": workflow_id})
        created_from, created_to, within = CREATED.read(reader)
        min_duration, max_duration = DURATION.read(reader)
        query = cls(
            workflow_id=None if workflow_id is None else reader.read("workflow_id", parameters.uuid, None),
            workflows=WORKFLOW.read(reader) if workflow_id is None else (),
            slice=reader.slice(),
            status=STATUS.read(reader),
            search=TRIGGERED_BY.read(reader),
            sort=reader.read("sort", parameters.one_of(SORTS), "created_at"),
            order=reader.read("order", parameters.one_of(ORDERS), "desc"),
            created_from=created_from,
            created_to=created_to,
            within=within,
            min_duration=min_duration,
            max_duration=max_duration,
            named=frozenset(args),
        )
        for each in further_filters():
            query = each.put(query, each.read(reader))
        reader.finish()
        return query

    @property
    def filters(self) -> Sequence[AnyFilter]:
        """The filters that the list may have."""
        return WORKSPACE_FILTERS if self.workflow_id is None else FILTERS

    @property
    def sort_column(self) -> str:
        return _COLUMNS.get(self.sort, self.sort)

    @property
    def by_duration(self) -> bool:
        """Whether it has only runs that took some time, not more or not less."""
        return self.min_duration is not None or self.max_duration is not None

    @property
    def filtered(self) -> bool:
        """Whether anything narrows the list down."""
        return any(each.value_in(self) != each.empty for each in self.filters)

    @property
    def moving(self) -> datetime | None:
        """The minute at which the window begins, if that moves with the time."""
        return self.created_from if self.within else None

    def at(self, slice_: Slice) -> Self:
        """The same list, another page."""
        return replace(self, slice=slice_)

    def to_args(self) -> Args:
        """The shortest parameters that give this list, in fixed order."""
        defaults = {"limit": str(DEFAULT_LIMIT), "offset": "0", "sort": "created_at", "order": "desc"}
        return {name: text for name, text in self._texts().items() if text and text != defaults.get(name)}

    def to_export_args(self) -> Args:
        """The same without those of a page: an export is of all pages."""
        return {name: text for name, text in self.to_args().items() if name not in PAGING}

    def to_api_args(self) -> Args:
        """The parameters of a `next` or `prev` link: offset and limit, then what the request named (1.7)."""
        texts = self._texts()
        rest = {name: text for name, text in texts.items() if text or name == "search"}
        paging: Args = {name: texts[name] for name in PAGING}
        return paging | {name: text for name, text in rest.items() if name in self.named - paging.keys()}

    def _texts(self) -> Args:
        filters: Args = {}
        for each in self.filters:
            filters |= each.write(each.value_in(self))
        return filters | {
            "sort": self.sort,
            "order": self.order,
            "limit": str(self.slice.limit),
            "offset": str(self.slice.offset),
        }
