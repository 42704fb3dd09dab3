"""What the page of a run says of its meaning: its origin, its subject, and the runs that belong to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.pages.key_values import KeyValues, first_key_values
from portal.pages.run_lines import trigger_words
from portal.runs.detail.run import RunExcerpt
from portal.runs.facts.facts import ArtifactLink, NamedRun, Ref, RunFacts, silent_since
from portal.runs.facts.outcomes import KIND_WORDS, outcome_word
from portal.runs.facts.relations import RelatedRun, Relations
from portal.runs.statuses import is_active

SHORT_COMMIT = 10
"""Characters of a commit that are shown; the whole is a pointer away."""
MAX_ARTIFACTS = 50
MAX_LISTED = 20
"""Children that are named."""


@dataclass(frozen=True, kw_only=True)
class RelatedLine:
    """A run that belongs to this one."""

    run: RelatedRun
    outcome: str
    elsewhere: bool
    """Whether it is of another workflow."""


@dataclass(frozen=True, kw_only=True)
class RunAbout:
    """What `runs/_about.html` shows."""

    outcome: str
    """What became of it, where that says more than its status."""
    kind: str
    """Who triggered it, where that is no person."""
    source: str | None
    facts: RunFacts
    ref: Ref | None
    commit: str | None
    """Its first characters."""
    trigger: str
    attempts: Sequence[RelatedLine]
    """The runs that it repeats and those that repeat it, in order."""
    before: int
    """How many of these it repeats."""
    rerun_of: str
    """The run that it repeats, as its source names it, where that has not come."""
    parent: RelatedLine | None
    parent_named: str
    """The same of its parent."""
    children: Sequence[RelatedLine]
    more_children: int
    parameters: KeyValues | None
    labels: KeyValues
    artifacts: Sequence[ArtifactLink]
    more_artifacts: int
    silent_since: datetime | None
    """Since when nothing was heard of an active run, if that is too long."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        shown = (self.source, self.facts.external_id, self.facts.source_status, self.facts.url, self.ref)
        more = (self.facts.log_url, self.facts.attempt, self.trigger, self.attempts, self.rerun_of)
        related = (self.parent, self.parent_named, self.children, self.parameters, self.labels.rows)
        times = (self.facts.scheduled_for, self.facts.last_heard_at, self.facts.waiting_for)
        return not any(
            (*shown, *more, *related, *times, self.facts.environment, self.artifacts, self.silent_since)
        )


def about(run: RunExcerpt, facts: RunFacts, relations: Relations, now: datetime) -> RunAbout:
    active = is_active(run.status)
    parent_here = relations.parent is not None
    commit = facts.ref.commit if facts.ref else None
    return RunAbout(
        outcome=outcome_word(run.status, run.outcome),
        kind=KIND_WORDS.get(run.triggered_by.kind or "", "") if run.triggered_by else "",
        source=run.source_system,
        facts=facts,
        ref=facts.ref,
        commit=commit[:SHORT_COMMIT] if commit else None,
        trigger=trigger_words(run.trigger, facts.trigger_name or ""),
        attempts=_lines(run, [*reversed(relations.earlier), *relations.later]),
        before=len(relations.earlier),
        rerun_of="" if relations.earlier else _named(facts.rerun_of),
        parent=next(iter(_lines(run, [relations.parent] if relations.parent else [])), None),
        parent_named="" if parent_here else _named(facts.parent),
        children=_lines(run, relations.children[:MAX_LISTED]),
        more_children=max(0, relations.children_total - MAX_LISTED),
        parameters=first_key_values(facts.parameters) if facts.parameters else None,
        labels=first_key_values(facts.labels),
        artifacts=facts.artifacts[:MAX_ARTIFACTS],
        more_artifacts=max(0, len(facts.artifacts) - MAX_ARTIFACTS),
        silent_since=silent_since(facts, run.as_of, now) if active and not run.by_engine else None,
    )


def _lines(run: RunExcerpt, related: Iterable[RelatedRun]) -> list[RelatedLine]:
    return [
        RelatedLine(
            run=each,
            outcome=outcome_word(each.status, each.outcome),
            elsewhere=each.workflow_id != run.workflow_id,
        )
        for each in related
    ]


def _named(named: NamedRun | None) -> str:
    """A run by its name in its source; without one there is only its id, which says nothing to people."""
    return " ".join(filter(None, (named.source, named.external_id))) if named and named.external_id else ""
