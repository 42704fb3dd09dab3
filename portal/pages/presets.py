"""The windows of a run list that are one click away."""

from dataclasses import dataclass

from portal import moments
from portal.input.parameters import Args
from portal.input.time_zones import PERIODS
from portal.pages.days import window_of_period
from portal.runs.query import RunQuery

PRESETS = {
    "today": "Today",
    "24h": "Last 24 h",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "month": "This month",
}
"""Values of `within`, in words."""
_WINDOW = ("from", "to", "within")


@dataclass(frozen=True)
class Preset:
    """A link to the same list in another window, which is that of the moment when it is followed."""

    label: str
    args: Args
    current: bool

    def to_args(self) -> Args:
        return self.args


def presets(query: RunQuery) -> list[Preset]:
    """The same list, from the start, in each of the windows."""
    args, now = query.to_args(), moments.now()
    window = {name: args[name] for name in _WINDOW if name in args}
    rest = {name: value for name, value in args.items() if name not in (*_WINDOW, "offset")}
    found = []
    for within, label in PRESETS.items():
        same = window_of_period(within, now) if within in PERIODS else {"within": within}
        found.append(Preset(label, {**rest, "within": within}, current=window == same))
    return found
