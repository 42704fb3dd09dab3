"""Thresholds so small that a few runs are dealt with as a million are."""

from functools import partial

import pytest

from portal.runs import counts
from portal.runs.counts import grains
from portal.runs.counts.thresholds import Thresholds

SMALL = Thresholds(split=2, near=0, sorted=-1, sorted_of_people=-1, sorted_of_window=-1)


def divide_small_buckets(patch: pytest.MonkeyPatch) -> None:
    """Let all writers divide buckets of few runs; read them with SMALL too."""
    for name in ("apply", "count_out", "count_in"):
        patch.setattr(counts, name, partial(getattr(counts, name), thresholds=SMALL))
    patch.setattr(grains, "PERIOD_DAYS", 1)
