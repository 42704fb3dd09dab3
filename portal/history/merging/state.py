"""The state of a run: everything that lines have said of it and that may still count."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from portal.database.models import ACTIVE
from portal.history.merging.entries import REPLACES, Entries, Entry, merge_entries
from portal.history.parsing.fields.said import RUN_BITS, STEP_BITS, named_run_fields, named_step_fields
from portal.history.parsing.readers import Values
from portal.history.parsing.results import LISTS, File, RunResults
from portal.history.parsing.runs import FIRST_ATTEMPT, RUN_COLUMNS, ParsedRun, microseconds
from portal.history.parsing.steps import UNKNOWN_TYPE
from portal.workspaces.people import SourcePerson

ORDER = "order"
"""The field of a step that says where it stands in the list of its run."""
OF_RESULTS = ("token_cost", "credits_absorbed", "held_nodes")
OF_STEP_RESULTS = ("active_ports", "locales", "pause_reason", "pause_error", "result")
AS_GIVEN = "triggered_by_as_given"
"""The field with all that a line says of who triggered the run; `triggered_by` is who that is."""
_DERIVED = ("created_at_from",)

Fields = dict[str, Entries]


class StepKey(NamedTuple):
    """Which step lines mean: one attempt at a node, or at one of its mapped instances."""

    node_id: str
    map_index: int
    """-1 where it is not mapped."""
    iteration: int
    repeated: int
    """0, or how often the line names the same step before this one."""


@dataclass
class Outputs:
    """The rows of the lists of one line."""

    lines: list[Values] = field(default_factory=list)
    takes: list[Values] = field(default_factory=list)
    validations: list[Values] = field(default_factory=list)
    files: list[File] = field(default_factory=list)


@dataclass
class RunState:
    attempt: int = FIRST_ATTEMPT
    floor: int | None = None
    """The moment of the last line with `replace`: what was said earlier does not count."""
    fields: Fields = field(default_factory=dict)
    steps: dict[StepKey, Fields] = field(default_factory=dict)
    people: dict[str, SourcePerson | int] = field(default_factory=dict, compare=False)
    """Who is named, by user id: as a line has them, or their person id."""
    outputs: dict[tuple[str, str], Outputs] = field(default_factory=dict, compare=False)
    """The rows of lists that lines have brought, by field and digest; those that are stored are not here."""


def merge(one: RunState, other: RunState) -> RunState:
    """What both say together. Neither is changed; the order makes no difference."""
    if one.attempt != other.attempt:
        return one if one.attempt > other.attempt else other
    floors = [each.floor for each in (one, other) if each.floor is not None]
    floor = max(floors, default=None)
    steps = {
        key: _merge_fields(one.steps.get(key, {}), other.steps.get(key, {}), floor)
        for key in one.steps.keys() | other.steps.keys()
    }
    return RunState(
        one.attempt,
        floor,
        _merge_fields(one.fields, other.fields, floor),
        {key: fields for key, fields in steps.items() if fields},
        one.people | other.people,
        one.outputs | other.outputs,
    )


def _merge_fields(one: Fields, other: Fields, floor: int | None) -> Fields:
    merged: Fields = {}
    for name in one.keys() | other.keys():
        entries = [each for each in (*one.get(name, ()), *other.get(name, ())) if _counts(each, floor)]
        if entries:
            merged[name] = merge_entries(name, entries)
    return merged


def _counts(entry: Entry, floor: int | None) -> bool:
    """Whether no line has replaced what this one said."""
    return floor is None or entry.at > floor or (entry.at == floor and entry.rank >= REPLACES)


def rank_of(status: object, replaces: bool) -> int:
    """The rank of what a line with this status says; a line that names none counts as one of an end."""
    return int(status not in ACTIVE) + (REPLACES if replaces else 0)


def state_of_line(line: ParsedRun, results: RunResults | None) -> RunState:
    """What one line says; `results` are those of the line, with its files read."""
    at, said = microseconds(line.columns["as_of"]), line.columns["said"]
    is_run = bool(said & RUN_BITS["status"])
    provenance = line.provenance or {}
    replaces = "floor" in provenance
    rank = rank_of(line.columns["status"] if is_run else None, replaces)
    state = RunState(line.source.get("attempt", FIRST_ATTEMPT))
    values = {name: _said_value(name, line, results) for name in named_run_fields(said)}
    values |= kept_values(line.source, provenance)
    state.floor = provenance.get("floor")
    state.fields = _entries(values, at, rank)
    if line.identity is not None:
        state.people[str(line.identity.user_id)] = line.identity
    gave = {row["position"]: row for row in results.steps} if results else {}
    seen: Counter[tuple[str, int, int]] = Counter()
    for row in line.steps:
        key = step_key(row, seen)
        values = step_values(row, gave.get(row["position"]))
        if is_run:
            values[ORDER] = row["position"]
        state.steps[key] = _entries(values, at, rank_of(row["status"], replaces))
    if results:
        for name, digest in results.digests.items():
            state.outputs[name, digest] = outputs_of(name, results)
    return state


def kept_values(source: Mapping[str, object], provenance: Mapping[str, list[str]]) -> Values:
    """The fields without a column of their own, with those that are cleared."""
    values = {
        AS_GIVEN if name == "triggered_by" else name: each
        for name, each in source.items()
        if name not in _DERIVED
    }
    return values | dict.fromkeys(provenance.get("cleared", ()))


def step_key(row: Mapping[str, object], seen: Counter[tuple[str, int, int]]) -> StepKey:
    """The key of a step's row; `seen` counts those of the line before it."""
    source = row["source"]
    mapped = source.get("map_index", -1) if isinstance(source, dict) else -1
    named = (str(row["node_id"]), int(mapped), int(str(row["iteration"])))
    seen[named] += 1
    return StepKey(*named, seen[named] - 1)


def step_values(row: Mapping[str, object], gave: Mapping[str, object] | None) -> Values:
    """The values that a step's row has of the fields that were named."""
    said = row["said"]
    values: Values = {}
    for name in named_step_fields(said if isinstance(said, int) else _not_null(row, gave)):
        if name in OF_STEP_RESULTS:
            values[name] = gave[name] if gave else None
        else:
            values[name] = row[name]
    return values | kept_values(cast(Values, row["source"] or {}), cast(Values, row["provenance"] or {}))


def _not_null(row: Mapping[str, object], gave: Mapping[str, object] | None) -> int:
    """The fields of a step that was stored before it was kept which ones a line names."""
    values = {**row, **(gave or {})}
    return sum(bit for name, bit in STEP_BITS.items() if values.get(name) not in (None, UNKNOWN_TYPE))


def _said_value(name: str, line: ParsedRun, results: RunResults | None) -> object:
    if name in RUN_COLUMNS:
        found: object = line.columns["source_system" if name == "source" else name]
        return found
    if name in OF_RESULTS:
        return results.run[name] if results and results.run else None
    if name in LISTS:
        return results.digests.get(name) if results else None
    if name == "triggered_by":
        return str(line.identity.user_id) if line.identity else None
    return {"run_number": line.number, "definition_snapshot": line.definition_snapshot}[name]


def _entries(values: Mapping[str, object], at: int, rank: int) -> Fields:
    return {name: (Entry.of(at, rank, value),) for name, value in values.items()}


def outputs_of(name: str, results: RunResults) -> Outputs:
    """The rows of one of the lists of a line."""
    of_takes = [file for file in results.files if not file.field.startswith("files.")]
    if name == "output_lines":
        return Outputs(results.lines, results.takes, results.validations, of_takes)
    return Outputs(files=[file for file in results.files if file not in of_takes])
