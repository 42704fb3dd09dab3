"""Live updates of an open run list: which runs a browser watches, and the fragment with their changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from flask import redirect, request
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import SeenWorkflow, SeenWorkspace
from portal.input import parameters
from portal.input.bounds import MAX_BIGINT
from portal.input.parameters import Args, Reader, Refused, single
from portal.pages import bp, conditional_get
from portal.pages.forms import parse_run_list, plain_form
from portal.pages.overview import Figures, read_figures
from portal.pages.run_lines import RunLine, run_lines
from portal.pages.run_place import Place, place_of_workflow, place_of_workspace, seen_in
from portal.pages.run_rights import may_steer
from portal.paging import MAX_LIMIT, Slice
from portal.runs.listing.changes_since import read_changes
from portal.runs.query import RunQuery
from portal.runs.statuses import is_active
from portal.web import htmx
from portal.web.rendering import render


@dataclass(frozen=True)
class Watch:
    """What a browser polls for."""

    query: RunQuery
    rows: Sequence[UUID]
    """The active runs that it shows."""
    since: int
    """The version of the workflow when the list was read, or the last arrival in the workspace."""
    moving: bool
    """Whether anything is active, and so may change by itself."""

    @property
    def newest(self) -> RunQuery:
        """The list on which new runs come first."""
        return replace(self.query, slice=Slice(0, self.query.slice.limit), sort="created_at", order="desc")

    @property
    def args(self) -> Args:
        rows = ",".join(str(run_id) for run_id in self.rows)
        return {**self.query.to_args(), "since": str(self.since), **({"rows": rows} if rows else {})}


@dataclass(frozen=True, kw_only=True)
class RunListChanges:
    """What `runs/_live.html` shows: the parts of an open list that change while runs are active."""

    place: Place
    query: RunQuery
    lines: Sequence[RunLine]
    """The watched runs that changed."""
    counts: Mapping[str, int]
    new: int
    """Runs that came after the list was read."""
    watch: Watch
    workflow_names: Mapping[UUID, str]
    """Of a workspace's list: the names of the workflows of its rows."""
    overview: Figures | None
    """None of a workspace's list, which has none."""
    may_steer: bool


def watch(
    seen: SeenWorkflow | SeenWorkspace,
    query: RunQuery,
    lines: Sequence[RunLine],
    counts: Mapping[str, int],
    since: int | None = None,
) -> Watch:
    """What to poll for after this answer: nothing, where neither a row nor a count is active."""
    rows = [line.run.id for line in lines if line.active]
    moving = bool(rows) or any(count and is_active(status) for status, count in counts.items())
    if since is None:
        since = seen.version if isinstance(seen, SeenWorkflow) else seen.arrived_in
    return Watch(query, rows, since, moving)


@bp.get("/workflows/<workflow_id>/runs/live")
def runs_live(workflow_id: str) -> str | Response:
    return _changes(place_of_workflow(workflow_id))


@bp.get("/runs/live")
@bp.get("/workspaces/<workspace_id>/runs/live")
def workspace_runs_live(workspace_id: str | None = None) -> str | Response:
    return _changes(place_of_workspace())


def _changes(place: Place) -> str | Response:
    query = parse_run_list(plain_form(request.args), place.workflow_id)
    if not htmx.wants_fragment():
        return redirect(place.url("runs", **query.to_args()), code=303)
    watched, since = _watched(single(request.args))
    seen = seen_in(place)
    conditional_get.answer_304_if_unchanged(seen, query.moving)  # durations go on in the browser
    runs = read_changes(seen, query, watched, since)
    lines = run_lines(runs.rows, seen, runs.workflows, moments.now())
    workflow = seen if isinstance(seen, SeenWorkflow) else None
    changes = RunListChanges(
        place=place,
        query=query,
        lines=lines,
        counts=runs.counts,
        new=runs.new,
        watch=watch(seen, query, lines, runs.counts, since),
        workflow_names={each: found.name for each, found in runs.workflows.items()},
        overview=read_figures(workflow, runs.in_all) if workflow else None,
        may_steer=may_steer(workflow.workspace_id if workflow else seen.id),
    )
    return render("runs/_live.html", changes)


def _watched(args: Mapping[str, str]) -> tuple[Sequence[UUID], int]:
    """The runs that are watched, and the version after which a run is new. Raises InvalidQuery."""
    reader = Reader(args)
    none: Sequence[UUID] = ()
    rows = reader.read("rows", _ids, none)
    since = reader.read("since", _version, 0)
    reader.finish()
    return rows, since


def _ids(text: str) -> Sequence[UUID]:
    texts = text.split(",")
    if len(texts) > MAX_LIMIT:
        raise Refused(f"must name at most {MAX_LIMIT} runs.")
    return [parameters.uuid(one) for one in texts]


def _version(text: str) -> int:
    return parameters.whole_number(text, 0, MAX_BIGINT, "must be the version of a workflow.")
