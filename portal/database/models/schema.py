"""The compatibility of the schema with releases."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base


class SchemaState(Base):
    """A single row, maintained by migrations."""

    __tablename__ = "schema_state"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    oldest_writer: Mapped[str] = mapped_column(sa.String(32))
    """The migration that a release must know to write here: the latest one of the previous release."""
