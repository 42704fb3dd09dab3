"""The summary of an import: counts, bad lines and errors, as JSON and as text."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

MAX_BAD_LINES = 1000
"""Bad lines that are listed; all of them are counted."""

Progress = Callable[[int, int, int], None]
"""Called with the bytes read so far, the bytes of all files, and the lines done."""


def no_progress(_bytes_read: int, _total_bytes: int, _lines: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class BadLine:
    """A line that was not imported; `field` is empty if the whole line is wrong."""

    file: str
    line_number: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line_number}: {self.field + ': ' if self.field else ''}{self.reason}"


@dataclass
class Counts:
    lines: int = 0
    bad_lines: int = 0
    workflows_new: int = 0
    workflows_changed: int = 0
    workflows_unchanged: int = 0
    runs_new: int = 0
    runs_updated: int = 0
    runs_unchanged: int = 0
    uploads_new: int = 0
    uploads_changed: int = 0
    uploads_unchanged: int = 0
    steps: int = 0
    results: int = 0
    """Rows of lines, takes, scores and files."""
    people: int = 0

    @property
    def rows_new(self) -> int:
        """Rows stored of runs, their steps and their results."""
        return self.runs_new + self.steps + self.results

    def add(self, other: "Counts") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def to_json(self) -> dict[str, object]:
        return {
            "lines": self.lines,
            "bad_lines": self.bad_lines,
            "workflows": {
                "new": self.workflows_new,
                "changed": self.workflows_changed,
                "unchanged": self.workflows_unchanged,
            },
            "uploads": {
                "new": self.uploads_new,
                "changed": self.uploads_changed,
                "unchanged": self.uploads_unchanged,
            },
            "runs": {"new": self.runs_new, "updated": self.runs_updated, "unchanged": self.runs_unchanged},
            "steps": self.steps,
            "people": self.people,
        }


@dataclass
class FileSummary:
    file: Path
    counts: Counts = field(default_factory=Counts)
    error: str | None = None
    """Why the file could not be read to the end."""


@dataclass
class ImportSummary:
    files: list[FileSummary] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    seconds: float = 0.0
    committed: tuple[int, tuple[Counts, ...]] = (0, ())
    """The number of bad lines and the counts of each file at the last commit."""
    check: bool = False
    """A dry run: the counts say what an import would do. Steps and people are not counted."""

    @property
    def total(self) -> Counts:
        total = Counts()
        for each in self.files:
            total.add(each.counts)
        return total

    @property
    def ok(self) -> bool:
        """Whether every line of every file was imported, or would be."""
        return not self.total.bad_lines and not any(each.error for each in self.files)

    @property
    def runs_per_second(self) -> int:
        total = self.total
        return round((total.runs_new + total.runs_updated + total.runs_unchanged) / max(self.seconds, 1e-6))

    def mark_committed(self) -> None:
        """Remember the present counts as committed."""
        self.committed = (len(self.bad), tuple(replace(each.counts) for each in self.files))

    def roll_back(self) -> None:
        """Return to the counts at the last commit."""
        bad, counts = self.committed
        del self.bad[bad:], self.files[len(counts) :]
        for each, before in zip(self.files, counts, strict=True):
            each.counts = before

    def report(self, summary: FileSummary, bad: BadLine) -> None:
        """Count a bad line, and list it if there is room."""
        summary.counts.bad_lines += 1
        if len(self.bad) < MAX_BAD_LINES:
            self.bad.append(bad)

    def to_json(self) -> dict[str, object]:
        return {
            "ok": self.ok,
            "check": self.check,
            **self.total.to_json(),
            "files": [
                {"file": str(each.file), **each.counts.to_json(), "error": each.error} for each in self.files
            ],
            "errors": [{"file": str(each.file), "reason": each.error} for each in self.files if each.error],
            "bad": [vars(bad) for bad in self.bad],
            "seconds": round(self.seconds, 3),
            "runs_per_second": self.runs_per_second,
        }

    def to_text(self) -> str:
        total = self.total
        lines = [str(bad) for bad in self.bad]
        if total.bad_lines > len(self.bad):
            lines.append(f"… and {total.bad_lines - len(self.bad):,} more bad lines")
        lines += [f"{each.file}: {each.error}" for each in self.files if each.error]
        lines += [
            f"Runs: {total.runs_new:,} new, {total.runs_updated:,} updated, "
            f"{total.runs_unchanged:,} unchanged",
            f"Workflows: {total.workflows_new:,} new, {total.workflows_changed:,} changed, "
            f"{total.workflows_unchanged:,} unchanged",
            f"Uploads: {total.uploads_new:,} new, {total.uploads_changed:,} changed, "
            f"{total.uploads_unchanged:,} unchanged",
        ]
        if self.check:
            lines.append("This was a check: nothing was written.")
        else:
            lines.append(f"Steps: {total.steps:,} written; people: {total.people:,} new")
        lines.append(
            f"{total.lines:,} lines in {self.seconds:.1f} s ({self.runs_per_second:,} runs/s), "
            f"{total.bad_lines:,} bad"
        )
        return "\n".join(lines)
