"""What happened to runs, event by event."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, UTCDateTime
from portal.database.models.states import RunStatus, check_one_of


class RunEvent(Base):
    """One change of a run made here, written in the transaction of the change. Imported history has none.

    Ids are never reused, but transactions commit in another order than they take ids: a reader that must see
    every event cannot remember the last id alone.
    """

    __tablename__ = "run_events"
    __table_args__ = (
        check_one_of("from_status", RunStatus),
        check_one_of("to_status", RunStatus),
        sa.Index("ix_run_events_run_id", "run_id", "id"),
        sa.Index("ix_run_events_occurred_at", "occurred_at", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(sa.String(20))
    """A word of the state machine, without a check: workers and rules will add words."""
    from_status: Mapped[str | None] = mapped_column(sa.String(10))
    """None where the run was created. The same as `to_status` where a pause was requested."""
    to_status: Mapped[str] = mapped_column(sa.String(10))
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime)
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id", ondelete="SET NULL"))
    """Who did it; None for a worker."""
    api_key_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("api_keys.id", ondelete="SET NULL"))
    """The key with which they did it."""
