"""The comparison of two runs: their differences by group, and the run to compare with by default."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from portal.auth.access import SeenWorkflow
from portal.auth.principals import Principal
from portal.database.models import RunStatus
from portal.errors import FieldError, InvalidQuery
from portal.runs.comparison.differences import Difference, compared, json_differences
from portal.runs.comparison.step_pairs import StepPairs, read_step_pairs
from portal.runs.detail.run import RunExcerpt, RunJson, read_run_json
from portal.runs.listing.lookup import MIN_PREFIX, Hit, find
from portal.runs.listing.neighbours import Neighbour, find_neighbours
from portal.runs.query import RunQuery
from portal.runs.results.audio import run_audio
from portal.runs.results.output_summaries import summarize_outputs
from portal.runs.results.score_summaries import summarize_scores
from portal.runs.statistics.run_timing import RunTiming

MAX_DIFFERENCES = 100
"""Differences listed for each group."""

MAX_LISTED = 200
"""Output nodes, languages and validators of a run that the comparison reads."""

NAMES_A_RUN = f"must be a run number, an id, its first {MIN_PREFIX} digits or more, or the address of a run."

_LAYOUT = "position"
"""The editor's coordinates of a node, which do not affect a run."""

_UNIQUE_TO_RUN = frozenset({"source_id", "ordinal", "created_at_from"})


@dataclass(frozen=True)
class DifferenceGroup:
    """The differences of one kind."""

    title: str
    rows: Sequence[Difference]
    keys: bool = False
    """Whether the names are keys of the source, such as `api_calls`."""
    more: bool = False
    """Whether there are more differences than are listed."""
    text_name: str = ""
    """Name of the complete text that was compared (`portal.runs.results.full_texts`)."""
    recorded: tuple[bool, bool] = (True, True)
    """Whether each of the two runs has that text."""


@dataclass(frozen=True)
class TimedRun:
    """A run with its timing."""

    run: RunExcerpt
    timing: RunTiming


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs."""

    groups: Sequence[DifferenceGroup]
    """Groups that have a difference."""
    steps: StepPairs
    definitions: int
    """The number of recorded definitions; definitions are compared only if there are two."""

    @property
    def nothing_differs(self) -> bool:
        return not self.groups and not self.steps.differing


@dataclass(frozen=True)
class LastGood:
    """The completed run to compare a run with."""

    run: Neighbour
    before: bool
    """Whether it is older than the run it is for; otherwise it is the first newer one."""


def last_good_run(workflow: SeenWorkflow, run: RunExcerpt) -> LastGood | None:
    """The last completed run before this one, or else the first one after it."""
    good = RunQuery(workflow_id=workflow.id, status=(RunStatus.COMPLETED,))
    beside = find_neighbours(workflow, good, run.id)  # the list is newest first
    if beside.next:
        return LastGood(beside.next, before=True)
    return LastGood(beside.previous, before=False) if beside.previous else None


def find_runs(principal: Principal, text: str, workflow: SeenWorkflow) -> Sequence[Hit]:
    """The runs that a text may name and the principal may see; preferably of this workflow.

    Raises InvalidQuery if the text cannot name a run.
    """
    finding = find(principal, text, workflow.id)
    if not finding.tried:
        raise InvalidQuery([FieldError("with", NAMES_A_RUN)])
    hits = [hit for hit in finding.hits if hit.run_id is not None]
    return [hit for hit in hits if hit.workflow_id == workflow.id] or hits


def compare_runs(here: TimedRun, there: TimedRun) -> Comparison:
    """What differs between two runs, in a fixed number of queries. The caller has checked access to both."""
    a, b = here.run, there.run
    left, right = read_run_json(a.id), read_run_json(b.id)
    definitions = [each.definition for each in (left, right) if each.definition is not None]
    changes = _definition(*definitions) if len(definitions) == 2 else iter(())
    groups = [
        _group("Run", _facts(here, there), False, "error", (a.error, b.error)),
        _group(
            "What it was about",
            json_differences(_source(left), _source(right)),
            True,
            "source",
            (left.source, right.source),
        ),
        _group("Definition", changes, text_name="definition"),
        _group("Usage", json_differences(left.usage, right.usage), True, "usage", (left.usage, right.usage)),
        _group("Outputs", _outputs(a, b), text_name="outputs"),
        _group("Scores", _scores(a, b), text_name="validators"),
    ]
    steps = read_step_pairs(a.id, b.id)
    return Comparison([group for group in groups if group.rows], steps, len(definitions))


def _group(
    title: str,
    differences: Iterator[Difference],
    keys: bool = False,
    text_name: str = "",
    texts: tuple[object, object] = (True, True),
) -> DifferenceGroup:
    rows = list(islice(differences, MAX_DIFFERENCES + 1))
    recorded = bool(texts[0]), bool(texts[1])
    return DifferenceGroup(
        title, rows[:MAX_DIFFERENCES], keys, len(rows) > MAX_DIFFERENCES, text_name, recorded
    )


def _facts(here: TimedRun, there: TimedRun) -> Iterator[Difference]:
    a, b = here.run, there.run
    yield from compared("Status", a.status, b.status, "status")
    yield from compared("Waited", here.timing.queued_ms, there.timing.queued_ms, "duration")
    yield from compared("Took", here.timing.took_ms, there.timing.took_ms, "duration")
    yield from compared("Paused for", a.paused_ms or 0, b.paused_ms or 0, "duration")
    yield from compared("Triggered by", _who(a), _who(b))
    yield from compared("Error", a.error or "No error", b.error or "No error")
    yield from compared("Nodes", a.total_nodes, b.total_nodes, "number")
    yield from compared("Steps planned", a.total_steps, b.total_steps, "number")
    yield from compared("Steps finished", a.finished_steps, b.finished_steps, "number")
    yield from compared("Credits", a.credits, b.credits, "number")


def _who(run: RunExcerpt) -> str | None:
    return run.triggered_by.user_name if run.triggered_by else None


def _source(document: RunJson) -> Mapping[str, object]:
    """The source's data with its labels as members, without what is unique to each run."""
    source = {name: value for name, value in document.source.items() if name not in _UNIQUE_TO_RUN}
    labels = source.get("labels")
    if isinstance(labels, dict):
        del source["labels"]
        return source | labels
    return source


def _definition(here: Mapping[str, object], there: Mapping[str, object]) -> Iterator[Difference]:
    for difference in json_differences(here, there):
        if _LAYOUT not in difference.name.split("."):
            yield difference


def _outputs(here: RunExcerpt, there: RunExcerpt) -> Iterator[Difference]:
    yield from compared("Output lines", here.output_line_count, there.output_line_count, "number")
    yield from compared("Delivered audio", here.delivered_audio_ms, there.delivered_audio_ms, "duration")
    sides = [summarize_outputs(run.id, run.definition_snapshot, MAX_LISTED) for run in (here, there)]
    left, right = ({each.node_id: each for each in side.rows} for side in sides)
    for node_id in _comparable(left, right, any(side.more for side in sides)):
        a, b = left.get(node_id), right.get(node_id)
        known = a or b
        if known is not None:
            yield from compared(f"{known.name}: lines", a and a.line_count, b and b.line_count, "number")
    languages = [run_audio(run.id, MAX_LISTED + 1) for run in (here, there)]
    cut = any(len(audio.locales) > MAX_LISTED for audio in languages)
    delivered = [{each.locale_code: each for each in audio.locales[:MAX_LISTED]} for audio in languages]
    for language in sorted(_comparable(delivered[0], delivered[1], cut)):
        pair = [each.get(language) for each in delivered]
        name = language or "No language"
        lines = [each.delivered_lines if each else 0 for each in pair]
        yield from compared(f"{name}: delivered lines", lines[0], lines[1], "number")
        audio = [each.delivered_ms if each else 0 for each in pair]
        yield from compared(f"{name}: delivered audio", audio[0], audio[1], "duration")


def _comparable(left: Mapping[str, object], right: Mapping[str, object], cut: bool) -> list[str]:
    """The keys of both sides; if a list was cut, only common keys: the rest may have been cut off."""
    both = dict.fromkeys([*left, *right])
    return [key for key in both if key in left and key in right] if cut else list(both)


def _scores(here: RunExcerpt, there: RunExcerpt) -> Iterator[Difference]:
    sides = [summarize_scores(run.id, run.definition_snapshot, MAX_LISTED) for run in (here, there)]
    left, right = ({each.node_id: each for each in side.rows} for side in sides)
    for node_id in _comparable(left, right, any(side.more for side in sides)):
        a, b = left.get(node_id), right.get(node_id)
        if a and b and a.scored and b.scored:
            for name, field, kind in _SCORES:
                yield from compared(f"{a.label}: {name}", getattr(a, field), getattr(b, field), kind)
        elif known := a or b:
            scored = [side.scored if side else 0 for side in (a, b)]
            yield from compared(f"{known.label}: lines scored", scored[0], scored[1], "number")


_SCORES = (
    ("average score", "avg_score", "score"),
    ("passed", "pass_count", "number"),
    ("refused", "fail_count", "number"),
    ("refused attempts", "retry_count", "number"),
    ("threshold", "threshold", "score"),
)
