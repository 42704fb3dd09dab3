"""What an installation allows its people and workspaces; it sells no plans."""

from dataclasses import dataclass
from typing import Literal

from portal.config import Settings

NO_LIMIT = 2**31 - 1
"""Clients need a whole number where there is no limit."""
TIER: Literal["free", "paid", "custom"] = "custom"
"""Of the three tiers that clients know, the one whose limits are agreed outside of the product."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a plan, as far as the portal has them."""

    storage_bytes_per_workspace: int
    monthly_credits: int = 0
    """None: operators grant credits as they please."""
    workspaces_per_owner: int = NO_LIMIT
    concurrent_runs_per_user: int
    concurrent_runs_per_workspace: int


def limits(settings: Settings) -> Limits:
    """The limits that the settings make; a setting of 0 is no limit."""
    return Limits(
        storage_bytes_per_workspace=settings.storage_bytes_per_workspace or NO_LIMIT,
        concurrent_runs_per_user=settings.engine.runs_per_person or NO_LIMIT,
        concurrent_runs_per_workspace=settings.engine.runs_per_workspace or NO_LIMIT,
    )
