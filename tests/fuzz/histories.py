"""Histories that are as extreme as an import accepts, made from a seed.

`make_history` gives workflows of which each has something odd, and runs of every kind of `KINDS`.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from portal.history.parsing.readers import MAX_NUMBER
from tests.fuzz import structures
from tests.fuzz.edges import (
    FIRST_MOMENT,
    LAST_MOMENT,
    MEASURES,
    PAUSE_REASONS,
    STATUSES,
    UNITS,
    Edges,
)

Line = dict[str, Any]
Make = Callable[[Edges], Line]

FILES: Mapping[str, bytes] = {
    "a.wav": b"RIFF",
    "deep/er/b.mp3": b"\xff" * 3000,
    "script.txt": "<b>\U0001f3a7\n".encode() * 100,
    "no ending": b"\0",
}
"""What lies beside the history."""
AUDIO_RUNS = 1100
"""More than fit 63 bits, where each has as much audio as one run may have."""
MIXED = ("mixed", "other", "third")
"""Workflows with runs of every kind."""
ALIKE = ("one moment", "outliers", "times", "active", "numbers used twice", "long errors", "audio")
PLAIN_WORKFLOWS = 105
"""More than fit the longest page of a list."""
_COUNTS = (
    *("total_steps", "finished_steps", "total_nodes", "finished_nodes", "credits", "paused_ms", "token_cost"),
    *("output_line_count", "delivered_audio_ms"),
)
_NAMESPACE = UUID("3c4a3c2e-7d0a-4c0e-9d6f-0f8b5b2f6a11")


def _every_measure(measures: Sequence[Any]) -> Line:
    return {f"m{number} {unit}": each for unit in UNITS for number, each in enumerate(measures)}


KINDS: Mapping[str, Make] = {
    "nothing but what is needed": lambda edges: {},
    "numbers": lambda edges: (
        {name: edges.count() for name in _COUNTS}
        | {"credits_absorbed": edges.score(), "usage_summary": edges.usage()}
    ),
    "usage": lambda edges: {"usage_summary": edges.usage(30)},
    "one measure": lambda edges: {"usage_summary": {edges.usage_key(): edges.measure(0)}},
    "times": lambda edges: _times(edges) | {"updated_at": edges.moment(), "paused_at": edges.moment()},
    "ended before it began": lambda edges: (
        {"started_at": "2026-03-01T12:00:00Z", "completed_at": LAST_MOMENT}
        | {"created_at": LAST_MOMENT, "paused_ms": MAX_NUMBER}
    ),
    "as long as the calendar": lambda edges: {
        "created_at": "0002-01-01T00:00:00Z",
        "started_at": "0001-01-02T00:00:00Z",
        "completed_at": LAST_MOMENT,
    },
    "not yet": lambda edges: {"status": edges.one(STATUSES), "completed_at": FIRST_MOMENT},
    "pending with an end": lambda edges: {"status": "pending", "started_at": None},
    "active for decades": lambda edges: {
        "status": edges.one(STATUSES[:3]),
        "created_at": "1900-01-01T00:00:00Z",
        "started_at": "1900-01-01T00:00:00Z",
        "completed_at": None,
        "steps": [{"node_id": "n", "status": "running", "started_at": "1582-10-10T12:00:00Z"}],
    },
    "texts": lambda edges: {"status": "failed", "error": edges.text(3000)} | structures.unknown_fields(edges),
    "steps": structures.few_steps,
    "files": structures.files,
    "odd graph": structures.odd_graph,
}
"""Runs of some hundred bytes, seldom more."""

FULL_KINDS: Mapping[str, Make] = {
    "every measure in every unit": lambda edges: {"usage_summary": _every_measure(MEASURES)},
    "every measure the other way round": lambda edges: {"usage_summary": _every_measure(MEASURES[::-1])},
    "paused": lambda edges: {
        "status": "paused",
        "pause_requested_at": edges.moment(),
        "paused_at": edges.moment(),
        "paused_ms": edges.count(),
        "pause_reason": edges.one(PAUSE_REASONS),
        "pause_error": edges.text(5000),
        "held_nodes": [
            {"node_id": edges.node_id(), "locales": [edges.text(300) for _ in range(3)]} for _ in range(40)
        ],
    },
    "steps at every moment": structures.steps_at_every_moment,
    "lengths of steps": structures.lengths_of_steps,
    "attempts in one lane": structures.attempts_in_one_lane,
    "steps without length": structures.steps_without_length,
    "results of steps": structures.results_of_steps,
    "output": structures.output,
    "scores": structures.scores,
    "configurations": structures.configurations,
}
"""Runs of tens of kilobytes."""

WIDE_KINDS: Mapping[str, Make] = {
    "an error of 1 MB": lambda edges: {"status": "failed", "error": edges.long_text(1_000_000)},
    "long texts everywhere": structures.long_texts_everywhere,
    "wide usage": lambda edges: {"usage_summary": {f"{n}_ms": edges.measure(0) for n in range(3000)}},
    "deep": structures.deep,
    "6,000 steps": structures.many_steps,
    "steps with long names": structures.steps_with_long_names,
    "2,000 takes of a line": structures.many_takes,
    "many lines": structures.many_lines,
    "many languages": structures.many_languages,
    "many validators": structures.many_validators,
    "many outputs": structures.many_outputs,
    "many files": structures.many_files,
    "3,000 nodes": lambda edges: {"definition_snapshot": structures.big_graph(edges, 3000)},
    "a complete graph": lambda edges: {"definition_snapshot": structures.complete_graph(150)},
    "a graph of long names": structures.graph_of_long_names,
}
"""Runs of up to some megabytes, of which a history has few."""

_EVERY_KIND = {**KINDS, **FULL_KINDS, **WIDE_KINDS}


@dataclass
class History:
    """Lines that every import accepts, the files beside them, and what they are examples of."""

    lines: list[Line] = field(default_factory=list)
    kinds: dict[str, list[Line]] = field(default_factory=dict)
    """Lines of runs by their kind; the last line of a run that comes again."""

    def write(self, folder: Path, parts: int = 1) -> list[Path]:
        """These files, the history cut into so many."""
        for name, content in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        size = -(-len(self.lines) // parts)
        files = [folder / f"{number}-of-{parts}.jsonl" for number in range(parts)]
        for number, file in enumerate(files):
            with file.open("wb") as out:
                for line in self.lines[number * size : (number + 1) * size]:
                    out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        return files


def make_history(seed: int, runs: int, now: datetime) -> History:
    """Some `runs` runs and more than a thousand others, of every kind at least one."""
    maker = _Maker(Edges(random.Random(seed), now), seed)
    for name in (*MIXED, *ALIKE):
        maker.workflow(name)
    for number in range(PLAIN_WORKFLOWS):
        maker.workflow(f"plain {number}", description="&" * 5000 if number % 2 else "\U0001f3a7" * 5000)
    maker.uploads(250)
    maker.audio()
    maker.alike(min(max(24, runs // 50), 100))
    maker.mixture(runs)
    return maker.history


class _Maker:
    def __init__(self, edges: Edges, seed: int) -> None:
        self.edges, self.history, self._seed = edges, History(), seed
        self._made = 0

    def workflow(self, name: str, **fields: Any) -> None:
        """A workflow that is as odd as others; its name in the history is another one."""
        self.history.lines.append(
            {
                "type": "workflow",
                "id": self._id_of(name),
                "name": self.edges.name(),
                "description": self.edges.text(5000),
                "definition": self.edges.one([None, structures.odd_definition(self.edges)]),
                "created_at": self.edges.moment(),
                **structures.unknown_fields(self.edges),
                **fields,
            }
        )

    def run(self, kind: str, workflow: str, **fields: Any) -> None:
        """A run of this kind; fields that are given win."""
        line = {"type": "run", "id": self._next_id(), "workflow_id": self._id_of(workflow)}
        line |= {"status": "completed", "triggered_by": self.edges.person()} | _plain_times(self.edges)
        line |= _EVERY_KIND[kind](self.edges) | fields
        if not _has_a_moment(line):
            line["created_at"] = self.edges.safe_moment()
        line = {name: value for name, value in line.items() if value is not None}
        self.history.lines.append(line)
        again = kind not in WIDE_KINDS and kind in self.history.kinds
        if again and self.edges.often(0.05):  # the same run again, as it went on
            line = {**line, "status": self.edges.one(STATUSES), "error": self.edges.text()}
            self.history.lines.append(line)
        label = kind if workflow in MIXED else f"{kind} ({workflow})"
        self.history.kinds.setdefault(label, []).append(line)

    def _id_of(self, name: str) -> str:
        return str(uuid5(_NAMESPACE, f"{self._seed} {name}"))

    def _next_id(self) -> str:
        """Ids from one end of their range to the other, some with the same beginning."""
        self._made += 1
        if self._made == 1:
            return str(UUID(int=2**128 - 1))
        made = uuid5(_NAMESPACE, f"{self._seed} run {self._made}")
        return str(UUID(int=made.int >> 64)) if self._made % 9 == 0 else str(made).upper()

    def audio(self) -> None:
        """As much audio on one day as there may be."""
        moments = {"created_at": "2026-03-01T23:59:59.999999Z", "completed_at": LAST_MOMENT}
        for _ in range(AUDIO_RUNS):
            most = {"delivered_audio_ms": MAX_NUMBER, "credits": MAX_NUMBER}
            self.run("nothing but what is needed", "audio", **most, **moments)

    def alike(self, size: int) -> None:
        """Workflows whose runs are alike in what may be wrong with all of them."""
        edges = self.edges
        for number in range(size):
            self.run("nothing but what is needed", "one moment", **_at("2026-03-01T12:00:00Z"))
            far = {0: "0002-01-01T00:00:00Z", 1: LAST_MOMENT}.get(number)
            self.run("nothing but what is needed", "outliers", **_at(far or edges.recent()))
            self.run("active for decades", "active")
            numbers = {"run_number": edges.one([None, 1, MAX_NUMBER]), "ordinal": edges.one([1, MAX_NUMBER])}
            self.run("numbers", "numbers used twice", **numbers)
            self.run("times", "times")
            self.run("steps", "long errors", status="failed", error=edges.long_text(100_000))

    def mixture(self, runs: int) -> None:
        """Every kind by turns, the wide ones once and then seldom."""
        for number in range(max(1, runs // 5000)):
            for kind in WIDE_KINDS:
                self.run(kind, MIXED[number % len(MIXED)])
        kinds = [*KINDS] * max(3, runs // 20 // len(KINDS)) + [*FULL_KINDS] * 2
        for number in range(runs):
            kind = kinds[number % len(kinds)]
            plain = kind not in self.history.kinds  # once, each kind is as it is meant to be
            fields: Line = {} if plain or self.edges.often(0.5) else _times(self.edges)
            if not plain and self.edges.often(0.5):
                fields |= {"status": self.edges.one(STATUSES)}
            if not plain and self.edges.often(0.1):
                fields |= {"run_number": self.edges.count(1), "ordinal": self.edges.count(1)}
            self.run(kind, self.edges.one(MIXED), **fields)

    def uploads(self, how_many: int) -> None:
        edges = self.edges
        for number in range(how_many):
            self.history.lines.append(
                {
                    "type": "upload",
                    "id": self._id_of(f"upload {number}"),
                    "workflow_id": self._id_of(MIXED[0]),
                    "category": edges.one(["script", "dictionary"]),
                    "path": edges.one([None, "script.txt", "no ending"]),
                    "filename": edges.text(255),
                    "content_type": edges.text(100),
                    "format": edges.text(20),
                    "size_bytes": edges.count(),
                    "char_count": edges.count(),
                    "line_count": edges.count(),
                    "detected_language": edges.text(35),
                    "uploaded_by": edges.person(),
                    "created_at": edges.safe_moment(),
                    "updated_at": edges.one([None, edges.moment()]),
                }
            )


def node_ids(line: Line) -> Iterator[str]:
    """A node that runs may have, and the first that this one names."""
    yield "out"
    yield from [step["node_id"] for step in line.get("steps", ())][:1]


def _plain_times(edges: Edges) -> Line:
    created = edges.now - timedelta(seconds=edges.chance.randint(60, 60 * 86_400))
    moments = (created + timedelta(seconds=seconds) for seconds in (0, 1, 31))
    return dict(
        zip(("created_at", "started_at", "completed_at"), (each.isoformat() for each in moments), strict=True)
    )


def _times(edges: Edges) -> Line:
    """Each absent or anything."""
    found = {name: edges.one([None, edges.moment()]) for name in ("created_at", "started_at", "completed_at")}
    return found | {edges.one(list(found)): edges.safe_moment()}


def _at(moment: str) -> Line:
    return {"created_at": moment, "started_at": moment, "completed_at": moment}


def _has_a_moment(line: Line) -> bool:
    found = [line.get(name) for name in ("created_at", "started_at", "completed_at")]
    return any(each is not None and not each.startswith("0001") for each in found)
