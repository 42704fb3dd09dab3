"""Lists of runs: pages in any order under any filters, their totals, neighbours, and what changed since."""

from portal.runs.listing.run_list import RunPage, list_runs

__all__ = ["RunPage", "list_runs"]
