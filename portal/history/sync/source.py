"""The mirrored workspace, read through the published SDK: what is asked, and what becomes of failures."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Literal, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from onepin import ApiCountedListResponseWorkflowListItem, OnePinClient
from onepin.core.api_error import ApiError
from onepin.core.parse_error import ParsingError
from pydantic import BaseModel

from portal.errors import SourceFailed
from portal.history.parsing.readers import Values
from portal.history.sync.http_client import BUSY, MAX_WAIT, Requests, open_client, whole_seconds
from portal.moments import parse_moment

PAGE = 100
"""Rows a page: the most that the contract allows."""
ATTEMPTS = 3
"""Calls of the SDK for one answer; each makes up to three requests."""
MOMENTS = ("created_at", "started_at", "completed_at", "paused_at", "updated_at")
_MAX_SAID = 200

Order = Literal["asc", "desc"]
Sort = Literal["created_at", "completed_at"]
Answer = TypeVar("Answer")
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Item:
    """An object of the API, as JSON, and when the server said so."""

    values: Values
    at: datetime

    @property
    def id(self) -> UUID:
        return UUID(self.values["id"])

    @property
    def created_at(self) -> datetime:
        return parse_moment(self.values["created_at"])

    @property
    def changed_at(self) -> datetime:
        """The latest of its moments."""
        return max(found for name in MOMENTS if (found := self.moment(name)))

    def moment(self, name: str) -> datetime | None:
        text = self.values.get(name)
        return None if text is None else parse_moment(text)


@dataclass(frozen=True)
class RunPage:
    """A page of a run list."""

    rows: list[Item]
    total: int
    is_last: bool


@dataclass(frozen=True)
class Account:
    """Whose key it is."""

    workspace_id: UUID
    scopes: tuple[str, ...]


class Source:
    """A workspace elsewhere. Every method may raise SourceFailed, and None means that there is no such thing.

    Each request names the workspace, so that a key of another one is refused there.
    """

    def __init__(
        self, base_url: str, key: str, workspace_id: UUID | None = None, *, sleep: Sleep = time.sleep
    ) -> None:
        self._requests = Requests()
        self._http = open_client(self._requests)
        self._client = OnePinClient(base_url=base_url, token=key, httpx_client=self._http)
        self._workspace_id = None if workspace_id is None else str(workspace_id)
        self._host = urlsplit(base_url).netloc
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._requests.number

    def account(self) -> Account:
        found = self._ask(self._client.auth.whoami).data
        try:
            workspace_id = UUID(found.workspace_id)
        except (ValueError, TypeError):
            raise SourceFailed(f"{self._host} does not say whose workspace the key is for.") from None
        return Account(workspace_id, tuple(str(scope) for scope in found.scopes))

    def workflows(self) -> Iterator[Item]:
        """All workflows, without their definitions."""
        offset = 0
        while True:
            page = self._ask(partial(self._list_workflows, offset))
            yield from (_item(each, page.meta.timestamp) for each in page.data)
            offset += len(page.data)
            if not page.data or page.pagination.next is None:
                return

    def _list_workflows(self, offset: int) -> ApiCountedListResponseWorkflowListItem:
        page: ApiCountedListResponseWorkflowListItem = self._client.workflows.list(
            sort=["name"], offset=offset, limit=PAGE, workspace_id=self._workspace_id
        )
        return page

    def workflow(self, workflow_id: UUID) -> Item | None:
        """A workflow with its definition."""
        found = self._find(
            lambda: self._client.workflows.get(str(workflow_id), workspace_id=self._workspace_id)
        )
        return None if found is None else _item(found.data, found.meta.timestamp)

    def runs(self, workflow_id: UUID, offset: int, order: Order, sort: Sort = "created_at") -> RunPage | None:
        """A page of the runs of a workflow."""
        page = self._find(
            lambda: self._client.workflows.runs.list(
                str(workflow_id),
                offset=offset,
                limit=PAGE,
                sort=sort,
                order=order,
                workspace_id=self._workspace_id,
            )
        )
        if page is None:
            return None
        rows = [_item(each, page.meta.timestamp) for each in page.data]
        return RunPage(rows, page.pagination.total, not rows or page.pagination.next is None)

    def run(self, workflow_id: UUID, run_id: UUID) -> Item | None:
        """A run with the definition that it ran."""
        ids = (str(workflow_id), str(run_id))
        found = self._find(lambda: self._client.workflows.runs.get(*ids, workspace_id=self._workspace_id))
        return None if found is None else _item(found.data, found.meta.timestamp)

    def steps(self, workflow_id: UUID, run_id: UUID) -> list[Values] | None:
        """The steps of a run with their results."""
        ids = (str(workflow_id), str(run_id))
        found = self._find(
            lambda: self._client.workflows.runs.steps(
                *ids, include_result=True, workspace_id=self._workspace_id
            )
        )
        return None if found is None else [_json(each) for each in found.data]

    def _find(self, ask: Callable[[], Answer]) -> Answer | None:
        def find() -> Answer | None:
            try:
                return ask()
            except ApiError as error:
                if error.status_code == 404:
                    return None
                raise

        return self._ask(find)

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        """Ask, and again after failures that may pass. Raises SourceFailed."""
        attempt = 0
        while True:
            attempt += 1
            failure, may_pass = self._attempt(ask)
            if not isinstance(failure, SourceFailed):
                return failure
            if not may_pass or attempt == ATTEMPTS:
                raise failure
            self._sleep(min(failure.retry_after or 2.0**attempt, MAX_WAIT))

    def _attempt(self, ask: Callable[[], Answer]) -> tuple[Answer | SourceFailed, bool]:
        """An answer, or why there is none and whether asking again may help."""
        try:
            return ask(), False
        except ApiError as error:
            return self._refusal(error)
        except ParsingError:
            said = f"{self._host} answers in an unexpected format."
            return SourceFailed(said, about_one=True), False
        except (ValueError, RecursionError):  # neither JSON nor text, or too deep
            return SourceFailed(f"{self._host} answers something that is not JSON.", about_one=True), True
        except httpx.TransportError as error:
            return SourceFailed(f"{self._host} cannot be reached: {type(error).__name__}."), True

    def _refusal(self, error: ApiError) -> tuple[SourceFailed, bool]:
        status = error.status_code or 0
        said = f"{self._host} answers {status}{_said(error.body)}."
        if status in (401, 403):
            return SourceFailed(f"{said} The key is refused: it needs the scope workflows:read."), False
        may_pass = status in (200, 408, 409, 429) or status >= 500  # 200: cut off, so that it is not JSON
        wait = whole_seconds((error.headers or {}).get("retry-after", ""))
        return SourceFailed(said, retry_after=wait, about_one=may_pass and status not in BUSY), may_pass


def _json(model: BaseModel) -> Values:
    """An object of the SDK as JSON: only what the answer had, with what the SDK does not know."""
    return model.model_dump(mode="json", exclude_unset=True)


def _item(model: BaseModel, at: datetime) -> Item:
    """An object with an id and moments that can be stored. Raises SourceFailed."""
    item = Item(_json(model), at if at.tzinfo else at.replace(tzinfo=UTC))
    try:
        _ = item.id, [item.moment(name) for name in MOMENTS]
    except (ValueError, TypeError):
        raise SourceFailed("An answer has an id that is no UUID, or a time without a zone.") from None
    return item


def _said(body: object) -> str:
    """Code and message of an answer's error, as far as it is the API's."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return ""
    text = f" {error.get('code')}: {error.get('message')}"
    return "".join(each for each in text if each.isprintable())[:_MAX_SAID].removesuffix(".")
