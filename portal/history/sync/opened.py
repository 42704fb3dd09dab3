"""What the page of a copied run says of its source, and that its details are wanted."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Mirror, MirroredRun
from portal.database.transactions import read, write_best_effort
from portal.history.sync.state import DetailRank

_COPY = (
    sa.select(Mirror.base_url, Mirror.name, MirroredRun.detail_rank, MirroredRun.gone_at)
    .join(Mirror, Mirror.id == MirroredRun.mirror_id)
    .where(
        MirroredRun.run_id == sa.bindparam("run_id", type_=MirroredRun.run_id.type),
        MirroredRun.refused.is_(None),
    )
    .limit(1)
)


@dataclass(frozen=True)
class CopiedRun:
    """A run that a mirror has copied."""

    mirror: str
    host: str
    is_waiting: bool
    """Whether its steps and results have not been fetched yet, and are next."""
    gone_at: datetime | None
    """When it was found to be deleted there."""


def open_run(run_id: UUID) -> CopiedRun | None:
    """Note that somebody looks at a run: missing details of a copy are fetched next. Never waits for them."""
    row = read(_COPY, run_id=run_id).first()
    if row is None:
        return None
    rank = row.detail_rank
    if rank is not None and rank != DetailRank.OPENED and row.gone_at is None:
        write_best_effort(
            sa.update(MirroredRun)
            .where(MirroredRun.run_id == run_id, MirroredRun.detail_rank > DetailRank.OPENED)
            .values(detail_rank=DetailRank.OPENED)
        )
    is_waiting = rank is not None and row.gone_at is None
    return CopiedRun(row.name, urlsplit(row.base_url).netloc, is_waiting, row.gone_at)
