"""What an installation allows its people and workspaces; it sells no plans and meters no credits."""

from dataclasses import dataclass
from typing import Literal

NO_LIMIT = 2**31 - 1
"""Clients need a whole number where there is no limit."""
TIER: Literal["free", "paid", "custom"] = "custom"
"""Of the three tiers that clients know, the one whose limits are agreed outside of the product."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a plan, as far as the portal has them."""

    storage_bytes_per_workspace: int
    monthly_credits: int = 0
    """None are given, as none are charged."""
    workspaces_per_owner: int = NO_LIMIT
    concurrent_runs_per_user: int = NO_LIMIT


def limits(storage_bytes_per_workspace: int) -> Limits:
    """The limits that these settings make; a setting of 0 is no limit."""
    return Limits(storage_bytes_per_workspace=storage_bytes_per_workspace or NO_LIMIT)


def balance() -> int:
    """The credits that somebody may spend. Without metering there are none, and none are asked for."""
    return 0
