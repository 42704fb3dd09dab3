"""Two runs held against each other: only what differs, and the run that another is best held against."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from portal.auth.principals import Principal
from portal.errors import FieldError, InvalidQuery
from portal.models import RunStatus
from portal.runs.audio import run_audio
from portal.runs.detail import RunDetailView
from portal.runs.differences import Difference, compared, json_differences
from portal.runs.finding import MIN_PREFIX, Hit, find
from portal.runs.neighbours import Neighbour, find_neighbours
from portal.runs.outputs import count_outputs
from portal.runs.pace import Pace
from portal.runs.query import RunQuery
from portal.runs.scores import validator_scores
from portal.runs.step_pairs import StepPairs, read_pairs
from portal.workflows.access import SeenWorkflow

MAX_SHOWN = 100
"""Differences of one group that are listed; how many there are is told."""

NAMES_A_RUN = f"must be a run number, an id, its first {MIN_PREFIX} digits or more, or the address of a run."

_LAYOUT = "position"
"""Where an editor drew a node: no part of what ran."""

_ITS_OWN = frozenset({"source_id", "ordinal", "created_at_from"})


@dataclass(frozen=True)
class Group:
    title: str
    rows: Sequence[Difference]
    keys: bool = False
    """Whether the names are keys that a source gave, such as `api_calls`."""
    more: bool = False
    """Whether there are more than are listed."""


@dataclass(frozen=True)
class RunAtPace:
    """A run with how long it waited and took."""

    run: RunDetailView
    pace: Pace


@dataclass(frozen=True)
class Comparison:
    groups: Sequence[Group]
    """Groups without a difference are left out."""
    steps: StepPairs
    definitions: int
    """How many of the two runs have their definition recorded: only two can be compared."""

    @property
    def nothing_differs(self) -> bool:
        return not self.groups and not self.steps.differing


@dataclass(frozen=True)
class LastGood:
    run: Neighbour
    before: bool
    """Whether it ran before the one that it is for; else it is the first one after."""


def last_good_run(workflow: SeenWorkflow, run: RunDetailView) -> LastGood | None:
    """The last completed run before this one, else the first one after it."""
    good = RunQuery(workflow_id=workflow.id, status=(RunStatus.COMPLETED,))
    beside = find_neighbours(workflow, good, run.id)  # the list is newest first
    if beside.next:
        return LastGood(beside.next, before=True)
    return LastGood(beside.previous, before=False) if beside.previous else None


def find_runs(principal: Principal, text: str, workflow: SeenWorkflow) -> Sequence[Hit]:
    """The runs that a text may mean, among those that the principal may see; of this workflow if any is.

    Raises InvalidQuery for a text that names nothing that could be one.
    """
    finding = find(principal, text, workflow.id)
    if not finding.tried:
        raise InvalidQuery([FieldError("with", NAMES_A_RUN)])
    hits = [hit for hit in finding.hits if hit.run_id is not None]
    return [hit for hit in hits if hit.workflow_id == workflow.id] or hits


def compare_runs(here: RunAtPace, there: RunAtPace) -> Comparison:
    """What differs between two runs that the caller may see, in the same number of queries for any two."""
    a, b = here.run, there.run
    definitions = [run.definition_snapshot for run in (a, b) if run.definition_snapshot is not None]
    whole = len(definitions) == 2
    groups = [
        _group("Run", _facts(here, there)),
        _group("What it was about", json_differences(_source(a), _source(b)), keys=True),
        _group("Definition", _definition(*definitions) if whole else iter(())),
        _group("Usage", json_differences(a.usage_summary or {}, b.usage_summary or {}), keys=True),
        _group("Outputs", _outputs(a, b)),
        _group("Scores", _scores(a, b)),
    ]
    steps = read_pairs(a.id, b.id)
    return Comparison([group for group in groups if group.rows], steps, len(definitions))


def _group(title: str, differences: Iterator[Difference], keys: bool = False) -> Group:
    rows = list(islice(differences, MAX_SHOWN + 1))
    return Group(title, rows[:MAX_SHOWN], keys, more=len(rows) > MAX_SHOWN)


def _facts(here: RunAtPace, there: RunAtPace) -> Iterator[Difference]:
    a, b = here.run, there.run
    yield from compared("Status", a.status, b.status, "status")
    yield from compared("Waited", here.pace.queued_ms, there.pace.queued_ms, "duration")
    yield from compared("Took", here.pace.took_ms, there.pace.took_ms, "duration")
    yield from compared("Paused for", a.paused_ms or 0, b.paused_ms or 0, "duration")
    yield from compared("Triggered by", _who(a), _who(b))
    yield from compared("Error", a.error or "No error", b.error or "No error")
    yield from compared("Nodes", a.total_nodes, b.total_nodes, "number")
    yield from compared("Steps planned", a.total_steps, b.total_steps, "number")
    yield from compared("Steps finished", a.finished_steps, b.finished_steps, "number")
    yield from compared("Credits", a.credits, b.credits, "number")


def _who(run: RunDetailView) -> str | None:
    return run.triggered_by.user_name if run.triggered_by else None


def _source(run: RunDetailView) -> Mapping[str, Any]:
    """What its source says: title, labels and more; without what is another for every run."""
    source = {name: value for name, value in (run.source or {}).items() if name not in _ITS_OWN}
    labels = source.get("labels")
    return source | source.pop("labels") if isinstance(labels, dict) else source


def _definition(here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[Difference]:
    for difference in json_differences(here, there):
        if _LAYOUT not in difference.name.split("."):
            yield difference


def _outputs(here: RunDetailView, there: RunDetailView) -> Iterator[Difference]:
    yield from compared("Output lines", here.output_line_count, there.output_line_count, "number")
    yield from compared("Delivered audio", here.delivered_audio_ms, there.delivered_audio_ms, "duration")
    left, right = ({each.node.id: each for each in count_outputs(run)} for run in (here, there))
    for node_id in dict.fromkeys([*left, *right]):
        a, b = left.get(node_id), right.get(node_id)
        known = a or b
        if known is not None:
            name = f"{known.node.display_name}: lines"
            yield from compared(name, a and a.line_count, b and b.line_count, "number")
    languages = [{each.locale_code: each for each in run_audio(run.id).locales} for run in (here, there)]
    for language in sorted({*languages[0], *languages[1]}):
        pair = [each.get(language) for each in languages]
        name = language or "No language"
        lines = [each.delivered_lines if each else 0 for each in pair]
        yield from compared(f"{name}: delivered lines", lines[0], lines[1], "number")
        audio = [each.delivered_ms if each else 0 for each in pair]
        yield from compared(f"{name}: delivered audio", audio[0], audio[1], "duration")


def _scores(here: RunDetailView, there: RunDetailView) -> Iterator[Difference]:
    left, right = (
        {each.node_id: each for each in validator_scores(run.id, run.definition_snapshot)}
        for run in (here, there)
    )
    for node_id in dict.fromkeys([*left, *right]):
        a, b = left.get(node_id), right.get(node_id)
        if a and b and a.locales and b.locales:
            for name, field, kind in _SCORES:
                yield from compared(f"{a.label}: {name}", getattr(a, field), getattr(b, field), kind)
        elif known := a or b:
            scored = [sum(each.line_count for each in side.locales) if side else 0 for side in (a, b)]
            yield from compared(f"{known.label}: lines scored", scored[0], scored[1], "number")


_SCORES = (
    ("average score", "avg_score", "score"),
    ("passed", "pass_count", "number"),
    ("refused", "fail_count", "number"),
    ("refused attempts", "retry_count", "number"),
    ("threshold", "threshold", "score"),
)
