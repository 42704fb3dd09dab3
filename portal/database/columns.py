"""Custom column types and the declarative base."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, SafeUUID

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator, TypeEngine

from portal.moments import EPOCH

_MICROSECOND = timedelta(microseconds=1)

# Any: what a driver stores and returns differs between the databases.
_Storage = TypeEngine[Any]
_Value = TypeVar("_Value")
_Decoder = Callable[[Any], _Value | None]


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC: `timestamptz` on PostgreSQL, microseconds since the epoch on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> _Storage:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.BigInteger())
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime needs a time zone")
        if dialect.name == "sqlite":
            return (value - EPOCH) // _MICROSECOND
        return value.astimezone(UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> _Decoder[datetime]:
        if dialect.name == "sqlite":
            return _from_microseconds
        return _in_utc


def _from_microseconds(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(microseconds=value)


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


class Id(TypeDecorator[UUID]):
    """A UUID: native on PostgreSQL, 16 bytes on SQLite. Both sort like the lower-case text."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> _Storage:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.LargeBinary(16))
        return dialect.type_descriptor(sa.Uuid())

    def process_bind_param(self, value: UUID | None, dialect: sa.Dialect) -> bytes | UUID | None:
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> _Decoder[UUID] | None:
        return _from_bytes if dialect.name == "sqlite" else None


def _from_bytes(value: bytes | None) -> UUID | None:
    """UUID(bytes=value) without the argument checks of its constructor: lists decode many."""
    if value is None:
        return None
    found = UUID.__new__(UUID)
    object.__setattr__(found, "int", int.from_bytes(value))
    object.__setattr__(found, "is_safe", SafeUUID.unknown)
    return found


class Base(DeclarativeBase):
    type_annotation_map = {UUID: Id, datetime: UTCDateTime}  # noqa: RUF012
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


JsonObject = dict[str, Any]
"""A JSON column's object, whose members are of any type."""

FoldedText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that both databases sort by code point, whatever the locale."""
