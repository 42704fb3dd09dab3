"""The summary of a pass: what was found, as JSON and as one line."""

from collections import Counter
from dataclasses import dataclass, field

from portal.database.columns import JsonObject

MAX_REASONS = 20
"""Different reasons of refusals that are listed."""


@dataclass
class PassSummary:
    name: str
    workflows: int = 0
    new: int = 0
    updated: int = 0
    gone: int = 0
    returned: int = 0
    deleted: int = 0
    details: int = 0
    requests: int = 0
    seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    """How many workflows and runs could not be copied, by the reason."""
    unfinished: bool = False
    """Whether the pass ended before its end, to go on later."""
    error: str | None = None

    def to_json(self) -> JsonObject:
        return {
            "name": self.name,
            "ok": self.error is None,
            "workflows": self.workflows,
            "runs": {
                "new": self.new,
                "updated": self.updated,
                "gone": self.gone,
                "returned": self.returned,
                "deleted": self.deleted,
                "refused": self.refused.total(),
            },
            "refused": dict(self.refused.most_common(MAX_REASONS)),
            "details": self.details,
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
            "unfinished": self.unfinished,
            "error": self.error,
        }

    def to_text(self) -> str:
        """One line, then one for each reason of a refusal and for the error."""
        more = [
            f"{number:,} {what}"
            for number, what in (
                (self.gone, "gone"),
                (self.returned, "there again"),
                (self.deleted, "deleted"),
                (self.refused.total(), "not copied"),
            )
            if number
        ]
        counts = [f"{self.new:,} new", f"{self.updated:,} updated", *more, f"details of {self.details:,}"]
        line = (
            f"{self.name}: {self.workflows:,} workflows; runs: {', '.join(counts)}; "
            f"{self.requests:,} requests in {self.seconds:.1f} s"
        )
        reasons = [f"  {number:,} not copied: {why}" for why, number in self.refused.most_common(MAX_REASONS)]
        return "\n".join([line, *reasons, *([f"  {self.error}"] if self.error else [])])
