"""Why a run failed, in one line, where it has no error: "12 steps failed: TSan, No wallet, +10"."""

from portal.database.sql.excerpts import cut
from portal.runs.causes.lasting import LastingFailures

MOST_NAMES, MOST_NAME = 3, 32
"""Names that a line has, and the characters of each."""


def why(error: str | None, failures: LastingFailures) -> str | None:
    """The line for a failed run; None where its error speaks, or no step failed."""
    if is_told(error) or not failures.nodes:
        return None
    nodes_of: dict[str, set[str]] = {}
    for failure in failures.first:
        nodes_of.setdefault(cut(" ".join(failure.name.split()), MOST_NAME), set()).add(failure.node_id)
    shown = list(nodes_of)[:MOST_NAMES]
    if failures.nodes > len(set().union(*(nodes_of[name] for name in shown))):
        shown = shown[: MOST_NAMES - 1]
    others = failures.nodes - len(set().union(*(nodes_of[name] for name in shown)))
    rest = [f"+{others:,}"] if others else []
    steps = "1 step" if failures.nodes == 1 else f"{failures.nodes:,} steps"
    return f"{steps} failed: {', '.join([*shown, *rest])}"


def is_told(error: str | None) -> bool:
    """Whether there is an error text."""
    return bool(error) and not str(error).isspace()
