"""The ways in by which history arrives, and what each may write."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from portal.history.parsing.readers import BadField
from portal.moments import format_moment

AHEAD = timedelta(hours=24)
"""How far the moments of live lines may be ahead of this clock."""


@dataclass(frozen=True)
class WayIn:
    """Who brings lines, and what of.

    A live way tells of the present: a line without any moment is of now, moments far ahead are refused, runs
    of another source are left alone, and recent changes are recorded as events.
    """

    key_id: UUID | None = None
    """The ingest key that brings them."""
    source_prefix: str | None = None
    """The beginning of the sources that it may write; None for all."""
    live: bool = False

    def check_source(self, source: str | None) -> None:
        """Raises BadField where this way may not write lines of this source."""
        if not self.may_add_to(source):
            raise BadField(
                "source", f"must begin with {self.source_prefix}: that is what this key may write."
            )

    def may_add_to(self, source: str | None) -> bool:
        """Whether this way may add runs to a workflow of this source."""
        return self.source_prefix is None or (source or "").startswith(self.source_prefix)

    def check_moment(self, as_of: datetime, now: datetime) -> None:
        """Raises BadField for a moment that is too far ahead."""
        if self.live and as_of > now + AHEAD:
            latest = format_moment((now + AHEAD).replace(microsecond=0))
            raise BadField(
                "at", f"must not be more than 24 hours ahead of this clock, so not after {latest}."
            )

    def may_touch(self, source: str | None, stored: str | None) -> bool:
        """Whether a line of this source may tell of a run that is stored with that one."""
        return not self.live or source == stored


BY_FILE = WayIn()
"""An operator who imports files: may write everything but runs made here."""
