"""Live updates of an open run list: which runs a browser watches, and the fragment with their changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.input import parameters
from portal.input.bounds import MAX_BIGINT
from portal.input.parameters import Args, Reader, Refused, single
from portal.pages import bp, conditional_get
from portal.pages.forms import id_in_path, parse_run_list, plain_form
from portal.pages.overview import Figures, read_figures
from portal.pages.run_lines import RunLine, run_lines
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
    """The version of the workflow when the list was read: runs that came later are new."""
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

    workflow: SeenWorkflow
    workflow_id: UUID
    query: RunQuery
    lines: Sequence[RunLine]
    """The watched runs that changed."""
    counts: Mapping[str, int]
    new: int
    """Runs that came after the list was read."""
    watch: Watch
    overview: Figures
    may_steer: bool


def watch(
    workflow: SeenWorkflow,
    query: RunQuery,
    lines: Sequence[RunLine],
    counts: Mapping[str, int],
    since: int | None = None,
) -> Watch:
    """What to poll for after this answer: nothing, where neither a row nor a count is active."""
    rows = [line.run.id for line in lines if line.active]
    moving = bool(rows) or any(count and is_active(status) for status, count in counts.items())
    return Watch(query, rows, workflow.version if since is None else since, moving)


@bp.get("/workflows/<workflow_id>/runs/live")
def runs_live(workflow_id: str) -> str | Response:
    found_id = id_in_path(workflow_id)
    query = parse_run_list(plain_form(request.args), found_id)
    if not htmx.wants_fragment():
        return redirect(url_for(".runs", workflow_id=found_id, **query.to_args()), code=303)  # type: ignore[arg-type]
    watched, since = _watched(single(request.args))
    workflow = get_workflow(current_principal(), found_id)
    conditional_get.answer_304_if_unchanged(workflow, query.moving)  # durations go on in the browser
    runs = read_changes(workflow, query, watched, since)
    lines = run_lines(runs.rows, moments.now())
    changes = RunListChanges(
        workflow=workflow,
        workflow_id=found_id,
        query=query,
        lines=lines,
        counts=runs.counts,
        new=runs.new,
        watch=watch(workflow, query, lines, runs.counts, since),
        overview=read_figures(workflow, runs.in_all),
        may_steer=may_steer(workflow.workspace_id),
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
