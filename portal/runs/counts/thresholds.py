"""The sizes at which lists and their counts change how they work, each with the measurement behind it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Measured on SQLite at 1,000,000 runs, where an index scan passes about ten entries a microsecond."""

    split: int = 8192
    """A bucket with more runs is counted in narrower buckets too. A page is then at most this many index
    entries from a bucket's edge; smaller buckets save less than the rows that they cost each import."""
    near: int = 2048
    """Up to this many index entries are passed over (0.2 ms), which costs less than finding a bucket."""
    sorted: int = 1000
    """Up to this many runs are read and sorted, wherever they lie: a look-up each (1 ms in all)."""
    sorted_of_people: int = 20_000
    """The same where the index of people's runs has all that is needed, so that no row is looked up."""
    sorted_of_window: int = 8000
    """The same where the index of creation has all that is needed."""
    sorted_like: int = 10
    """Sorting one more run that an index has costs as much as passing over this many of its entries."""
    looked_up_like: int = 50
    """The same of a run that has to be looked up for its key."""
    search_gap: int = 16
    """A search is assumed to match one run in this many, before anything is known of it."""


THRESHOLDS = Thresholds()
