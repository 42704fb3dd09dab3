"""The people who triggered runs."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, FoldedText, Id


class Person(Base):
    """Somebody who triggered runs, as one workspace knows them: a member, or named by imported history.

    `user_id` is what the API serves. The same one may stand in several workspaces.
    """

    __tablename__ = "people"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(Id)
    source_id: Mapped[str | None] = mapped_column(sa.String(200))
    """The id that the source of imported history gave, as it came."""
    name: Mapped[str | None] = mapped_column(sa.String(200))
    email: Mapped[str | None] = mapped_column(sa.String(254))
    display_name: Mapped[str] = mapped_column(sa.String(254))
    """Name, else e-mail, else the source's id: never empty."""
    display_name_folded: Mapped[str] = mapped_column(FoldedText)
    email_folded: Mapped[str] = mapped_column(FoldedText)
