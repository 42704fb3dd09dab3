"""What changes in history when more events of a tree of runs are known. Pure.

Lines of history merge by their moments, so most events only add lines. What they cannot say is that a run was
not one, or that a step was another attempt: that is taken back.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from portal.ingest.lineage.folding.airflow import StepKey
from portal.ingest.lineage.folding.fields import Fields, Line
from portal.ingest.lineage.folding.fold import FoldedRun
from portal.ingest.lineage.folding.identity import RunIdentity


@dataclass
class Difference:
    """What to take back, and what to import after that."""

    gone_runs: list[RunIdentity] = field(default_factory=list)
    """Runs that turned out to be other runs, or steps."""
    gone_steps: list[tuple[RunIdentity, list[StepKey]]] = field(default_factory=list)
    """Steps that turned out to be others, or of which less is true than was said."""
    lines: list[Line] = field(default_factory=list)


def difference(before: Collection[FoldedRun], after: Collection[FoldedRun]) -> Difference:
    """From the runs that some events fold into, which are stored, to those of more events."""
    now = {run.identity: run for run in after}
    gone = [run.identity for run in before if not run.identity.lasting and not _follows(run, now)]
    stored = {run.identity: run for run in before if run.identity not in gone}
    found = Difference(gone)
    for run in after:
        known = stored.get(run.identity, FoldedRun(run.identity))
        wrong = [key for key, step in known.steps.items() if not _step_follows(step, run.steps.get(key))]
        if wrong:
            found.gone_steps.append((run.identity, sorted(wrong, key=_order)))
        had = [each for each in lines_of(known) if each[0] not in wrong]
        found.lines += [line for key, line in lines_of(run) if (key, line) not in had]
    return found


def lines_of(run: FoldedRun) -> Iterator[tuple[StepKey | None, Line]]:
    """The lines of history of a run and of its steps, with the key of the step."""
    if run.fields.last_at is None:
        return
    identity = run.identity
    names: Line = {
        "source": identity.source,
        "external_id": identity.external_id,
        "workflow": {"name": identity.workflow_name, "external_id": identity.workflow_id},
    }
    for line in run.fields.lines():
        yield None, {"type": "run", **names, **line}
    for key in sorted(run.steps, key=lambda key: (run.steps[key].first_at, _order(key))):
        node_id, map_index, attempt = key
        place: Line = {"node_id": node_id, "iteration": attempt}
        place |= {} if map_index is None else {"map_index": map_index}
        for line in run.steps[key].lines():
            yield key, {"type": "step", **names, **place, **line}


def _follows(run: FoldedRun, now: Mapping[RunIdentity, FoldedRun]) -> bool:
    """Whether a stored run is still one with all its steps, and merging lines makes it what it is now."""
    found = now.get(run.identity)
    if found is None or run.steps.keys() - found.steps.keys():
        return False
    return found.fields.overrides(run.fields)


def _step_follows(step: Fields, now: Fields | None) -> bool:
    return now is not None and now.overrides(step)


def _order(key: StepKey) -> tuple[str, int, int]:
    node_id, map_index, attempt = key
    return node_id, -1 if map_index is None else map_index, attempt
