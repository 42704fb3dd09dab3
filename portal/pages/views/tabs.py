"""Tabs of saved views, above a run list and on the home page, and the fragments with their counts.

The tabs are part of the page, their counts are not: a page shows those that are known already, and asks for
the others after it is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import redirect, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow, get_workspace
from portal.auth.gate import current_principal
from portal.auth.principals import Principal
from portal.pages import all_runs_url, bp, conditional_get, workflows_url
from portal.pages.forms import id_in_path
from portal.pages.run_place import Place
from portal.pages.views.saving import save_address
from portal.pages.views.words import list_address
from portal.runs.query import RunQuery
from portal.runs.scope import Listed
from portal.runs.views.counting import count_runs, remembered_count
from portal.runs.views.definition import Definition
from portal.runs.views.reading import ListOf, View, first_views, get_listed, list_of, views_of_list
from portal.web import formats, htmx
from portal.web.formats import with_args
from portal.web.rendering import render
from portal.workflows.listing import state_of
from portal.workspaces.workspaces import workspace_id_of

MAX_LINK = 400
"""Characters of an address that a tab leads to directly; to a longer one the address of the view leads."""
MAX_ON_HOME = 8
"""Tabs of the team, and of one's own, on the home page; the settings have all."""
WHOLE = Definition({})
"""The list without any filter."""


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A saved view, or the whole list."""

    key: str
    """Its id, or `all`."""
    name: str
    url: str
    count: int | None
    """None where it is not known yet, or another one in a minute."""
    fragment_url: str | None = None
    """The address of the list's fragment that shows it; None: only its page does."""
    of: str | None = None
    """The name of its workflow, where tabs of several are beside each other."""
    is_current: bool = False


@dataclass(frozen=True, kw_only=True)
class Tabs:
    """What `views/_tabs.html` shows."""

    whole: Tab | None
    team: Sequence[Tab]
    own: Sequence[Tab]
    counts_url: str
    version: str
    """Another one whenever a count may be another one."""
    save_url: str | None = None
    in_all: int = 0
    """How many views there are, where tabs of some are left out."""
    unknown: Sequence[str] = ()
    """Filters of the view on show that this release does not know."""

    @property
    def any(self) -> bool:
        return bool(self.team or self.own)

    @property
    def due(self) -> bool:
        """Whether a count is to be asked for."""
        return any(tab.count is None for tab in (*self.team, *self.own))

    @property
    def more(self) -> bool:
        return self.in_all > len(self.team) + len(self.own)


@dataclass(frozen=True)
class Count:
    """What `views/_counts.html` shows of a tab."""

    key: str
    runs: int | None


@dataclass(frozen=True)
class Counts:
    """What `views/_counts.html` shows."""

    counts: Sequence[Count]


def tabs_of_list(
    place: Place, seen: Listed, query: RunQuery, in_all: int, written: MultiDict[str, str]
) -> Tabs:
    """The tabs above a list, whose parameters are `written` in the address; it has `in_all` runs."""
    of, shown = list_of(seen), Definition.of(query, formats.zone_on_show())
    views = views_of_list(current_principal(), of)
    current = [
        view
        for view in views.all
        if view.definition.current(of.workflow_id, formats.zone_on_show()) == shown
        and _stand_in(view.definition.unknown, written)
    ]
    return Tabs(
        whole=Tab(
            key="all",
            name="All runs",
            url=place.runs_url,
            count=in_all,
            fragment_url=place.table_url,
            is_current=shown == WHOLE and not current,
        ),
        team=[_tab_of_list(view, place, seen, view in current) for view in views.team],
        own=[_tab_of_list(view, place, seen, view in current) for view in views.own],
        counts_url=_counts_url(of),
        version=_version(seen),
        save_url=save_address(of, query),
        unknown=list(dict.fromkeys(name for view in current for name in view.definition.unknown)),
    )


def tabs_of_home(principal: Principal) -> Tabs | None:
    """The tabs on the home page of the principal's workspace; None without any view."""
    if principal.workspace is None:
        return None
    workspace_id = principal.workspace.id
    views, in_all = first_views(principal, workspace_id, MAX_ON_HOME)
    if not in_all:
        return None
    return Tabs(
        whole=None,
        team=[_tab_of_home(view) for view in views.team],
        own=[_tab_of_home(view) for view in views.own],
        counts_url=url_for(".home_view_counts", workspace_id=workspace_id),
        version="home",
        in_all=in_all,
    )


@bp.get("/workflows/<workflow_id>/views/counts")
def workflow_view_counts(workflow_id: str) -> str | Response:
    found_id = id_in_path(workflow_id)
    if not htmx.wants_fragment():
        return redirect(url_for(".runs", workflow_id=found_id), code=303)
    return _counts_of_list(get_workflow(current_principal(), found_id))


@bp.get("/workspaces/<workspace_id>/runs/views/counts")
def workspace_view_counts(workspace_id: str) -> str | Response:
    if not htmx.wants_fragment():
        return redirect(all_runs_url(current_principal().chosen), code=303)
    return _counts_of_list(get_workspace(current_principal()))


@bp.get("/workspaces/<workspace_id>/views/counts")
def home_view_counts(workspace_id: str) -> str | Response:
    principal = current_principal()
    found_id = workspace_id_of(principal)
    if not htmx.wants_fragment():
        return redirect(workflows_url(found_id), code=303)
    conditional_get.answer_304_if_unchanged(state_of(found_id), _minute())
    views, _ = first_views(principal, found_id, MAX_ON_HOME)
    seen = {of: get_listed(principal, of) for of in {view.of for view in views.all}}
    counts = [_count(seen[view.of], view) for view in views.all]
    return render("views/_counts.html", Counts(counts))


def _counts_of_list(seen: Listed) -> str:
    conditional_get.answer_304_if_unchanged(seen, _minute())
    views = views_of_list(current_principal(), list_of(seen))
    counts = [_count(seen, view) for view in views.all]
    return render("views/_counts.html", Counts([Count("all", count_runs(seen, WHOLE)), *counts]))


def _count(seen: Listed, view: View) -> Count:
    return Count(str(view.id), count_runs(seen, view.definition, formats.zone_on_show()))


def _counts_url(of: ListOf) -> str:
    if of.workflow_id is None:
        return url_for(".workspace_view_counts", workspace_id=of.workspace_id)
    return url_for(".workflow_view_counts", workflow_id=of.workflow_id)


def _version(seen: Listed) -> str:
    if isinstance(seen, SeenWorkflow):
        return str(seen.version)
    return "-".join(map(str, (seen.version, *seen.versions)))


def _tab_of_list(view: View, place: Place, seen: Listed, is_current: bool) -> Tab:
    shown = view.definition.current(view.of.workflow_id, formats.zone_on_show())
    address = list_address(view)
    direct = shown is not None and not view.definition.unknown and len(address) <= MAX_LINK
    return Tab(
        key=str(view.id),
        name=view.name,
        url=address if direct else url_for(".view", view_id=view.id),
        fragment_url=with_args(place.table_url, shown.parameters) if shown and direct else None,
        count=None if view.definition.moves else remembered_count(seen, view.definition),
        is_current=is_current,
    )


def _tab_of_home(view: View) -> Tab:
    address = url_for(".view", view_id=view.id)
    return Tab(key=str(view.id), name=view.name, url=address, count=None, of=view.workflow_name)


def _stand_in(unknown: Mapping[str, str | list[str]], written: MultiDict[str, str]) -> bool:
    """Whether an address has these parameters."""
    return all(
        written.getlist(name) == ([value] if isinstance(value, str) else value)
        for name, value in unknown.items()
    )


def _minute() -> int:
    return int(moments.now().timestamp()) // 60
