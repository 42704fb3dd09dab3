"""The page that starts a run of a workflow, and the one that runs again what a run was."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import SeenWorkflow
from portal.definitions.catalog import MAX_SCRIPT
from portal.definitions.graph import Node, nodes_of
from portal.definitions.locales import DEFAULT_SOURCE, LOCALE_NAMES, display_name
from portal.engine.control import starting
from portal.engine.preparing import SCRIPT, Overrides
from portal.engine.pricing.quotes import Quote, quote_again, quote_workflow
from portal.errors import Conflict, FieldError, InvalidQuery, NotFound, PaymentRequired
from portal.input.parameters import single
from portal.pages import bp
from portal.pages.forms import Form
from portal.pages.run_rights import to_run, to_steer
from portal.runs.detail.run import RunView
from portal.runs.listing.rows import RunRow
from portal.web import htmx
from portal.web.rendering import render
from portal.workflows.listing import describe_workflow

Answer = Response | str | tuple[str, int]

FIELDS = ("script_text", "source_language")


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What `runs/_estimate.html` shows: what a run would cost, or what keeps it from running."""

    quote: Quote | None
    obstacles: Sequence[str] = ()
    """Sentences that begin with the node they are about."""
    occupied: RunRow | None
    """The run that has to end first."""
    invalid: bool = False
    """Whether a field of the form is not valid."""
    tried: bool = False
    """Whether it should have been started."""
    refusal: str = ""
    """What else kept it from being started."""


@dataclass(frozen=True, kw_only=True)
class NewRunPage:
    """What `runs/new.html` shows; the fragment shows the offer alone."""

    workflow: SeenWorkflow
    form: Form
    script: Node | None
    """The only Script Input; None where there is none or several, so that nothing can be overridden."""
    own_language: str
    """The language of the script, in words."""
    offer: Offer
    languages: Mapping[str, str] = field(default_factory=lambda: LOCALE_NAMES)
    most_script: int = MAX_SCRIPT


@dataclass(frozen=True, kw_only=True)
class RunAgainPage:
    """What `runs/again.html` shows."""

    workflow: SeenWorkflow
    run: RunView
    recorded: bool
    """Whether it is known what the run ran."""
    offer: Offer


@bp.get("/workflows/<workflow_id>/run")
def new_run(workflow_id: str) -> Answer:
    _, workflow = to_run(workflow_id)
    return _new("runs/new.html", workflow)


@bp.post("/workflows/<workflow_id>/run")
def start_run(workflow_id: str) -> Answer:
    principal, workflow = to_run(workflow_id)
    try:
        run = starting.start(principal, workflow.id, _overrides(), moments.now())
    except (InvalidQuery, Conflict, PaymentRequired) as refusal:
        return _new("runs/new.html", workflow, refusal)
    return _to_run(workflow, run.id)


@bp.get("/workflows/<workflow_id>/run/estimate")
def estimate_of_form(workflow_id: str) -> Response:
    _, workflow = to_run(workflow_id)
    return redirect(url_for(".new_run", workflow_id=workflow.id), code=303)


@bp.post("/workflows/<workflow_id>/run/estimate")
def estimate_run(workflow_id: str) -> Answer:
    """The estimate of the form as it is filled in."""
    _, workflow = to_run(workflow_id)
    return _new("runs/_estimate.html" if htmx.wants_fragment() else "runs/new.html", workflow)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/again")
def confirm_run_again(workflow_id: str, run_id: str) -> Answer:
    _, workflow, run = to_steer(workflow_id, run_id)
    return _again(workflow, run)


@bp.post("/workflows/<workflow_id>/runs/<run_id>/again")
def run_again(workflow_id: str, run_id: str) -> Answer:
    """Start a run with the definition that this one had."""
    principal, workflow, earlier = to_steer(workflow_id, run_id)
    try:
        run = starting.start_again(principal, workflow.id, earlier.id, moments.now())
    except (InvalidQuery, Conflict, PaymentRequired) as refusal:
        return _again(workflow, earlier, refusal)
    return _to_run(workflow, run.id)


Refusal = InvalidQuery | Conflict | PaymentRequired


def _new(template: str, workflow: SeenWorkflow, refusal: Refusal | None = None) -> Answer:
    scripts = [node for node in nodes_of(describe_workflow(workflow).definition) if node.type == SCRIPT]
    offer, errors = _offer(
        workflow, lambda: quote_workflow(workflow.id, Overrides.read(_overrides())), refusal
    )
    language = scripts[0].config.get("source_language") if len(scripts) == 1 else None
    page = NewRunPage(
        workflow=workflow,
        form=Form(single(request.form), errors),
        script=scripts[0] if len(scripts) == 1 else None,
        own_language=display_name(language if isinstance(language, str) and language else DEFAULT_SOURCE),
        offer=offer,
    )
    status = refusal.status if refusal else 422 if errors else 200
    return render(template, page), status


def _again(workflow: SeenWorkflow, run: RunView, refusal: Refusal | None = None) -> Answer:
    try:
        offer, _ = _offer(workflow, lambda: quote_again(workflow.id, run.id), refusal)
        recorded = True
    except NotFound:
        offer, recorded = Offer(quote=None, occupied=None), False
    page = RunAgainPage(workflow=workflow, run=run, recorded=recorded, offer=offer)
    return render("runs/again.html", page), refusal.status if refusal else 200


def _offer(
    workflow: SeenWorkflow, ask: Callable[[], Quote], refusal: Refusal | None
) -> tuple[Offer, dict[str, str]]:
    """The offer, and the errors of the form's fields."""
    quote, errors, obstacles = None, {}, []
    try:
        quote = ask()
    except InvalidQuery as invalid:
        errors = {each.field: each.message for each in invalid.errors if each.field in FIELDS}
        obstacles = [_sentence(each) for each in invalid.errors if each.field not in FIELDS]
    said = "" if refusal is None or isinstance(refusal, InvalidQuery) else refusal.message
    occupied = starting.occupying_run(workflow)
    offer = Offer(
        quote=quote,
        obstacles=obstacles,
        occupied=occupied,
        invalid=bool(errors),
        tried=refusal is not None,
        refusal=said,
    )
    return offer, errors


def _sentence(error: FieldError) -> str:
    """Rules of definitions say themselves what they are about; a faulty shape says only what is wrong."""
    return error.message if error.rule else f"{error.field} {error.message}"


def _overrides() -> dict[str, object]:
    """The form's fields as the service takes them; what is empty is left to the workflow."""
    text = request.form.get("script_text", "").replace("\r\n", "\n")
    language = request.form.get("source_language", "")
    fields: dict[str, object] = {"script_text": text} if text.strip() else {}
    return fields | ({"source_language": language} if language else {})


def _to_run(workflow: SeenWorkflow, run_id: UUID) -> Response:
    return redirect(url_for(".run", workflow_id=workflow.id, run_id=run_id), code=303)
