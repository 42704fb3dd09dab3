"""The plan of a run, read from its snapshot, and how far the run is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import EngineClaim, RunDetail
from portal.engine.flow import Plan, ReadyStep, StepKey
from portal.runs.statistics.lru import Lru

_plans: Lru[UUID, Plan] = Lru(64)


@dataclass(frozen=True)
class Progress:
    """What the claims of a run say."""

    claims: Mapping[StepKey, EngineClaim]

    @property
    def open(self) -> list[EngineClaim]:
        """Claims that have not ended, those included that wait for another attempt."""
        return [claim for claim in self.claims.values() if claim.ended_at is None]

    @property
    def running(self) -> list[EngineClaim]:
        """Claims that a worker has."""
        return [claim for claim in self.open if claim.worker]

    def ready(self, plan: Plan) -> list[ReadyStep]:
        """The steps that may run and have not ended, those that have begun included."""
        ended = {key: claim.counts or {} for key, claim in self.claims.items() if claim.ended_at is not None}
        return plan.ready(ended)

    def waiting(self, plan: Plan) -> list[ReadyStep]:
        """The steps that may run and that no worker has."""
        return [
            step
            for step in self.ready(plan)
            if step.key not in self.claims or not self.claims[step.key].worker
        ]


def plan_of(session: Session, run_id: UUID) -> Plan:
    """The plan of a run. Its snapshot never changes, so the last ones are remembered (LRU cache)."""
    known = _plans.find([run_id])
    if run_id in known:
        return known[run_id]
    snapshot = session.scalar(sa.select(RunDetail.definition_snapshot).where(RunDetail.run_id == run_id))
    plan = Plan.of(
        snapshot or {"graph": {"nodes": [], "edges": []}, "execution": {"steps": [], "params": {}}}
    )
    _plans.add({run_id: plan})
    return plan


def progress_of(session: Session, run_id: UUID) -> Progress:
    """The claims of a locked run."""
    claims: Sequence[EngineClaim] = session.scalars(
        sa.select(EngineClaim).where(EngineClaim.run_id == run_id)
    ).all()
    return Progress({StepKey(claim.node_id, claim.iteration): claim for claim in claims})
