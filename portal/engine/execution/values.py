"""Items as the JSON that is stored between steps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import EngineValue
from portal.engine.contract import Item, Json, StoredFile, Take
from portal.engine.flow import Output, StepKey


def store_values(session: Session, run_id: UUID, step: StepKey, ports: Mapping[str, Sequence[Item]]) -> None:
    """Keep what left a step through each of these ports."""
    session.add_all(
        EngineValue(
            run_id=run_id,
            node_id=step.node_id,
            iteration=step.iteration,
            port=port,
            items=[asdict(item) for item in items],
        )
        for port, items in ports.items()
        if items
    )


def load_values(session: Session, run_id: UUID, output: Output) -> list[Item]:
    """What left a step through a port."""
    key = {"node_id": output.step.node_id, "iteration": output.step.iteration, "port": output.port}
    stored = session.scalar(sa.select(EngineValue.items).filter_by(run_id=run_id, **key))
    return [_item(each) for each in stored or ()]


def _item(value: Json) -> Item:
    take = value["take"]
    if take is None:
        return Item(**value)
    return Item(**{**value, "take": Take(**{**take, "audio": StoredFile(**take["audio"])})})
