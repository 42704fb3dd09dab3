"""The people who triggered runs."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, FoldedText, Id


class Person(Base):
    """Somebody who triggered runs in a workspace: a member, or a person named by imported history.

    `user_id` is the id in the API, and may occur in several workspaces.
    """

    __tablename__ = "people"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(Id)
    source_id: Mapped[str | None] = mapped_column(sa.String(200))
    """The id in the source of the imported history, unchanged."""
    kind: Mapped[str | None] = mapped_column(sa.String(10))
    """A `PersonKind`, where history says it."""
    name: Mapped[str | None] = mapped_column(sa.String(200))
    email: Mapped[str | None] = mapped_column(sa.String(254))
    display_name: Mapped[str] = mapped_column(sa.String(254))
    """Name, else e-mail, else the source's id; never empty."""
    display_name_folded: Mapped[str] = mapped_column(FoldedText)
    email_folded: Mapped[str] = mapped_column(FoldedText)
