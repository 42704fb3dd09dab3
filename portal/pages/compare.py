"""The comparison of a run with another: the last successful one, or the one that `with` names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.database.sql.excerpts import TextBudget
from portal.errors import FieldError, InvalidQuery, NotFound, PortalError
from portal.input import parameters
from portal.input.parameters import Reader, Refused, single
from portal.input.text import is_storable
from portal.pages import bp, conditional_get
from portal.pages.charts import Scale
from portal.pages.forms import Form, filled, id_in_path
from portal.pages.pager import Pager
from portal.paging import Page, Slice
from portal.runs.comparison.comparison import (
    NAMES_A_RUN,
    Comparison,
    LastGood,
    TimedRun,
    compare_runs,
    find_runs,
    last_good_run,
)
from portal.runs.comparison.differences import ABSENT
from portal.runs.comparison.step_pairs import StepOutcome, StepPair, StepPairs
from portal.runs.detail.run import RunExcerpt, find_run, get_run_excerpt
from portal.runs.detail.step_excerpts import MAX_STEPS
from portal.runs.listing.lookup import MAX_TEXT, Hit
from portal.runs.statistics.run_timing import timing_of
from portal.web.rendering import render

PARAMETERS = ("with", "all_steps", "page")
PAIRS_A_PAGE = 50


@dataclass(frozen=True, kw_only=True)
class CompareQuery:
    """The run to compare with, and the steps to list."""

    wanted: str = ""
    """A run by number, id or pasted address; empty for the last successful one."""
    every_step: bool = False
    page: int = 1

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Raises InvalidQuery."""
        reader = Reader(args)
        query = cls(
            wanted=reader.read("with", _reference, ""),
            every_step=reader.read("all_steps", parameters.boolean, False),
            page=reader.read("page", parameters.page_number, 1),
        )
        reader.finish()
        return query

    def at(self, slice_: Slice) -> Self:
        """The same steps, another page."""
        return replace(self, page=slice_.number)

    def listing(self, every_step: bool) -> Self:
        return replace(self, every_step=every_step, page=1)

    def to_args(self) -> dict[str, str]:
        texts = {"with": self.wanted, "all_steps": "true" if self.every_step else ""}
        texts["page"] = str(self.page) if self.page > 1 else ""
        return {name: text for name, text in texts.items() if text}


class NoSuchRun(NotFound):
    """There is no such run that you may see."""


class Ambiguous(InvalidQuery):
    """Several runs may be meant."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        super().__init__([FieldError("with", "matches several runs: choose one.")])
        self.hits = hits


@dataclass(frozen=True)
class BarPair:
    """A step's durations in both runs, as percent of a bar."""

    pair: StepPair
    here: float
    there: float


@dataclass(frozen=True)
class WholeBar:
    """A run's waiting and running time, as percent of a bar."""

    waited: float
    took: float


@dataclass(frozen=True, kw_only=True)
class CompareForm:
    """What `runs/compare.html` shows where there is no run to compare with."""

    workflow: SeenWorkflow
    run: RunExcerpt
    form: Form
    choices: Sequence[Hit] = ()
    """The runs that may be meant, where the text in the form fits several."""
    other: None = None


@dataclass(frozen=True, kw_only=True)
class ComparePage:
    """What `runs/compare.html` shows of two runs: `run`, and `other` of `other_workflow`."""

    workflow: SeenWorkflow
    run: RunExcerpt
    other_workflow: SeenWorkflow
    other: RunExcerpt
    form: Form
    query: CompareQuery
    last_good: LastGood | None
    """Why `other` was chosen, where nobody named it."""
    sides: Sequence[TimedRun]
    whole: Sequence[WholeBar]
    comparison: Comparison
    steps: Page[BarPair]
    pager: Pager
    room: TextBudget
    """Shared by all texts of the page, so that together they stay short."""
    absent: object = ABSENT
    most_steps: int = MAX_STEPS


@bp.get("/workflows/<workflow_id>/runs/<run_id>/compare")
def compare(workflow_id: str, run_id: str) -> Response | tuple[str, int]:
    ids = id_in_path(workflow_id), id_in_path(run_id)
    try:
        query = CompareQuery.parse(single(request.args))
    except InvalidQuery as refusal:
        if {error.field for error in refusal.errors} != {"with"}:
            raise
        workflow = get_workflow(current_principal(), ids[0])
        return _refused(workflow, get_run_excerpt(workflow, ids[1]), refusal)
    workflow = get_workflow(current_principal(), ids[0])
    run = get_run_excerpt(workflow, ids[1])
    try:
        other, last_good = _other(workflow, run, query.wanted)
    except (NoSuchRun, InvalidQuery) as problem:
        return _refused(workflow, run, problem)
    if other is None:
        return make_response(
            render("runs/compare.html", CompareForm(workflow=workflow, run=run, form=Form({})))
        )
    conditional_get.answer_304_if_unchanged(
        workflow,
        other[0],
        conditional_get.second_of_active_run(workflow),
        conditional_get.second_of_active_run(other[0]),
    )
    return make_response(_page(workflow, run, other, last_good, query))


@bp.get("/runs/<run_id>/compare")
def permanent_comparison(run_id: str) -> BaseResponse:
    """A comparison by the run alone, to be linked to from elsewhere."""
    workflow_id, found_id = find_run(current_principal(), id_in_path(run_id))
    args: dict[str, Any] = {name: text for name, text in single(request.args).items() if name in PARAMETERS}
    return redirect(url_for(".compare", workflow_id=workflow_id, run_id=found_id, **args), code=302)


def _other(
    workflow: SeenWorkflow, run: RunExcerpt, wanted: str
) -> tuple[tuple[SeenWorkflow, RunExcerpt] | None, LastGood | None]:
    """The run to compare with, and why it was chosen. Raises NoSuchRun, InvalidQuery."""
    if not wanted:
        good = last_good_run(workflow, run)
        return ((workflow, get_run_excerpt(workflow, good.run.id)) if good else None), good
    hits = find_runs(current_principal(), wanted, workflow)
    if not hits:
        raise NoSuchRun("names no run that you may see.")
    if len(hits) > 1:
        raise Ambiguous(hits)
    if hits[0].run_id is None or hits[0].run_id == run.id:
        raise InvalidQuery([FieldError("with", "must name another run than this one.")])
    its_workflow = get_workflow(current_principal(), hits[0].workflow_id)
    return (its_workflow, get_run_excerpt(its_workflow, hits[0].run_id)), None


def _refused(workflow: SeenWorkflow, run: RunExcerpt, problem: PortalError) -> tuple[str, int]:
    """The form with its errors."""
    errors = problem.errors if isinstance(problem, InvalidQuery) else [FieldError("with", problem.message)]
    page = CompareForm(
        workflow=workflow,
        run=run,
        form=filled({"with": request.args.getlist("with")[-1]}, errors),
        choices=problem.hits if isinstance(problem, Ambiguous) else (),
    )
    return render("runs/compare.html", page), problem.status


def _page(
    workflow: SeenWorkflow,
    run: RunExcerpt,
    other: tuple[SeenWorkflow, RunExcerpt],
    last_good: LastGood | None,
    query: CompareQuery,
) -> str:
    now = moments.now()
    sides = [TimedRun(each, timing_of(each, None, now)) for each in (run, other[1])]
    comparison = compare_runs(*sides)
    steps = _steps(comparison.steps, query)
    page = ComparePage(
        workflow=workflow,
        run=run,
        form=Form({"with": query.wanted}),
        query=query,
        other=other[1],
        other_workflow=other[0],
        last_good=last_good,
        sides=sides,
        whole=_whole_bars(sides),
        comparison=comparison,
        steps=steps,
        pager=Pager(steps),
        room=TextBudget(),
    )
    return render("runs/compare.html", page)


def _steps(pairs: StepPairs, query: CompareQuery) -> Page[BarPair]:
    """One page of the steps, drawn on the same scale."""
    listed = pairs.pairs if query.every_step else pairs.differing
    slice_ = Slice.of_page(query.page, PAIRS_A_PAGE)
    shown = listed[slice_.offset : slice_.offset + slice_.limit]
    scale = Scale(0, max((pair.longest_ms for pair in shown), default=0))
    bars = [BarPair(pair, *(scale.at(_took(side)) for side in (pair.here, pair.there))) for pair in shown]
    return Page(bars, len(listed), slice_)


def _took(side: StepOutcome | None) -> int:
    return side.took_ms or 0 if side else 0


def _whole_bars(sides: Sequence[TimedRun]) -> Sequence[WholeBar]:
    """Both runs on the same scale; empty where the times of neither are known."""
    spans = [(side.timing.queued_ms or 0, side.timing.took_ms or 0) for side in sides]
    scale = Scale(0, max(sum(span) for span in spans))
    return [WholeBar(scale.at(waited), scale.at(took)) for waited, took in spans] if scale.end else ()


def _reference(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_TEXT or not is_storable(text):
        raise Refused(NAMES_A_RUN)
    return text
