"""A store of merged lines as docs/import.md describes merging, in memory: what folding is held against."""

import json
from typing import Any

from portal.history.merging.entries import ENDING
from portal.ingest.lineage.folding.difference import Difference

Entity = dict[str, Any]
ENDS = ("completed", "failed", "cancelled")


class MergedStore:
    def __init__(self) -> None:
        self.runs: dict[tuple[str, str], Entity] = {}
        self.steps: dict[tuple[str, str], dict[tuple[Any, ...], Entity]] = {}

    def apply(self, difference: Difference) -> None:
        for gone in difference.gone_runs:
            del self.runs[gone.source, gone.external_id], self.steps[gone.source, gone.external_id]
        for identity, keys in difference.gone_steps:
            for key in keys:
                del self.steps[identity.source, identity.external_id][key]
        for line in json.loads(json.dumps(difference.lines)):
            self._take(line)

    def view(self) -> dict[str, Any]:
        """Every field of every run and step, without its moment."""
        return {
            "\n".join(run_id): (
                _values(run),
                {str(key): _values(step) for key, step in sorted(self.steps[run_id].items(), key=str)},
            )
            for run_id, run in sorted(self.runs.items())
        }

    def _take(self, line: Entity) -> None:
        run_id = line.pop("source"), line.pop("external_id")
        kind, at, workflow = line.pop("type"), line.pop("at"), line.pop("workflow")
        steps = self.steps.setdefault(run_id, {})
        if kind == "run":
            run = self.runs.setdefault(run_id, {})
            assert run.setdefault("workflow", (0, 0, workflow))[2] == workflow
            _merge(run, line, at)
        else:
            assert run_id in self.runs, "a step came before its run"
            key = line.pop("node_id"), line.pop("map_index", None), line.pop("iteration")
            _merge(steps.setdefault(key, {}), line, at)


def _merge(entity: Entity, line: Entity, at: str) -> None:
    assert line["status"] in (*ENDS, "running", "pending")
    for name, value in line.items():
        text = json.dumps(value, sort_keys=True)
        of_end = line["status"] in ENDS
        rank: tuple[Any, ...] = (_comparable(at), of_end, text)
        if name in ENDING:
            rank = (of_end, _comparable(at), text)
        if name == "started_at":
            rank = (_reversed(_comparable(value)), "")
        if name not in entity or rank >= entity[name][0]:
            entity[name] = (rank, at, value)


def _comparable(moment: str) -> str:
    return moment.removesuffix("Z").ljust(26, "0") if "." in moment else f"{moment[:-1]}.000000"


def _reversed(moment: str) -> list[int]:
    return [-ord(letter) for letter in moment]


def _values(entity: Entity) -> Entity:
    return {name: value for name, (*_, value) in sorted(entity.items()) if value is not None}
