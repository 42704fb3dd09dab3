"""The fingerprint of a failure, its error or failed steps without what varies; and the id of its cause."""

from functools import lru_cache
from uuid import UUID, uuid5

from portal.runs.causes.lasting import LastingFailures
from portal.runs.causes.rules import without_what_varies
from portal.runs.causes.why import is_told

MOST_READ = 2_000
"""Characters of an error that are read."""
MOST_KEPT = 1_000
"""Characters of a fingerprint: fewer, so that it does not depend on where a long error was cut."""
STEPS = "Failed steps: "
"""How the fingerprint of a run without an error text begins."""

_REMEMBERED = 4096


def fingerprint(error: str | None, failures: LastingFailures) -> str:
    """That of a failed run; empty where nothing says why it failed."""
    if is_told(error):
        return _of_error(str(error)[:MOST_READ])
    parts = sorted({_of_step(failure.name, failure.error) for failure in failures.first})
    return (STEPS + "; ".join(parts))[:MOST_KEPT] if parts else ""


@lru_cache(maxsize=_REMEMBERED)
def _of_error(error: str) -> str:
    return without_what_varies(error)[:MOST_KEPT]


@lru_cache(maxsize=_REMEMBERED)
def _of_step(name: str, error: str) -> str:
    return without_what_varies(f"{name}: {error}" if is_told(error) else name)


@lru_cache(maxsize=_REMEMBERED)
def cause_id(workspace_id: UUID, found: str) -> UUID:
    """The id of a fingerprint's cause: always the same, so that whoever writes a run need not look it up."""
    return uuid5(workspace_id, found)
