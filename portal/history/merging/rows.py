"""A state as the row of a run with its steps, and back.

Where one line has said everything, the row, its `as_of` and its `said` are the whole state. What differs from
that stands in `provenance`: of each field that is of another moment or rank [[moment, rank], [moment, rank,
value], …], the entry that counts first, its value being in the row.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from portal.history.merging.entries import Entries, Entry
from portal.history.merging.state import (
    AS_GIVEN,
    OF_RESULTS,
    OF_STEP_RESULTS,
    ORDER,
    Fields,
    Outputs,
    RunState,
    StepKey,
    kept_values,
    rank_of,
    step_key,
    step_values,
)
from portal.history.parsing.fields.people import read_person
from portal.history.parsing.fields.said import RUN_BITS, STEP_BITS, named_run_fields
from portal.history.parsing.readers import Values
from portal.history.parsing.results import LISTS, RunResults
from portal.history.parsing.runs import FIRST_ATTEMPT, RUN_COLUMNS, ParsedRun, complete, microseconds
from portal.history.parsing.steps import STEP_COLUMNS, UNKNOWN_TYPE
from portal.moments import EPOCH
from portal.workspaces.people import SourcePerson

_LAST = 1 << 62
_UNKNOWN = ""
"""The digest of lists that were stored before it was kept."""
_MOMENTS = {name for name in (*RUN_COLUMNS, *STEP_COLUMNS) if name.endswith("_at")}


def line_of_state(state: RunState, line: ParsedRun, workspace_id: UUID) -> ParsedRun:
    """The run as all lines together describe it; `line` is the one that came last."""
    as_of = max(entry.at for entries in _entries(state) for entry in entries)
    best = {name: entries[0].value for name, entries in state.fields.items()}
    columns: Values = {name: best.get(name) for name in RUN_COLUMNS}
    columns["as_of"] = _moment(as_of)
    columns["said"] = sum(bit for name, bit in RUN_BITS.items() if name in best)
    if columns["updated_at"] is not None and state.fields["updated_at"][0].at < as_of:
        columns["updated_at"] = max(columns["updated_at"], columns["as_of"])
    source = {name: each for name, each in best.items() if name not in RUN_BITS and each is not None}
    given = source.pop(AS_GIVEN, None)
    person_id, hidden = best.get("triggered_by"), frozenset[str]()
    if given is not None and _names(given, person_id):
        source["triggered_by"] = given
    elif given is not None:  # of somebody else: kept, in case that person counts again
        hidden = frozenset({AS_GIVEN})
    results, steps = _results_of(state, best, line.id), []
    replaced = state.floor == as_of
    base = rank_of(best.get("status"), replaced)
    for position, key in enumerate(sorted(state.steps, key=lambda each: _place(each, state.steps[each]))):
        row, gave = _step_row(line.id, position, key, state.steps[key], as_of, replaced)
        steps.append(row)
        if gave is not None:
            results.steps.append(gave)
    complete(columns, source, steps, workspace_id)
    columns |= {"id": line.id, "workflow_id": line.workflow_id, "imported": True}
    provenance = _provenance(state.fields, as_of, base, RUN_BITS, hidden)
    provenance |= {"floor": state.floor} if state.floor is not None else {}
    outputs = {name: best[name] for name in LISTS if best.get(name) is not None}
    provenance |= {"outputs": outputs} if outputs else {}
    person = state.people.get(str(person_id))
    return line._replace(
        number=cast(int | None, best.get("run_number")),
        identity=person if isinstance(person, SourcePerson) else None,
        definition_snapshot=cast(Values | None, best.get("definition_snapshot")),
        source=source,
        steps=steps,
        provenance=provenance or None,
        results=results,
        columns=columns,
    )


def state_of_row(
    row: Mapping[str, object],
    detail: Mapping[str, object],
    result: Mapping[str, object] | None,
    steps: Sequence[Mapping[str, object]],
    gave: Mapping[int, Mapping[str, object]],
    person: tuple[str, int] | None,
) -> RunState:
    """The state of a stored run: its row, detail, results, steps with theirs, and who triggered it."""
    source, provenance = _object(detail.get("source")), _object(detail.get("provenance"))
    as_of, said = _stored_moment(row), _stored_said(row, result, detail)
    replaced = provenance.get("floor") == as_of
    base = rank_of(row["status"] if said & RUN_BITS["status"] else None, replaced)
    outputs = _object(provenance.get("outputs"))
    known: Values = {name: row["source_system" if name == "source" else name] for name in RUN_COLUMNS}
    known |= {name: result[name] if result else None for name in OF_RESULTS}
    unknown = _UNKNOWN if row["said"] is None else None
    known |= {name: outputs.get(name, unknown) for name in LISTS}
    known["run_number"] = source.pop("run_number", row["run_number"])
    known["triggered_by"] = person[0] if person else None
    known["definition_snapshot"] = detail.get("definition_snapshot")
    values = {name: known[name] for name in named_run_fields(said)}
    values |= kept_values(source, provenance)
    state = RunState(source.get("attempt", FIRST_ATTEMPT), provenance.get("floor"))
    state.fields = _with_provenance(values, provenance, as_of, base)
    if person:
        state.people[person[0]] = person[1]
    seen: Counter[tuple[str, int, int]] = Counter()
    for step in steps:
        key = step_key(step, seen)
        position = cast(int, step["position"])
        values = step_values(step, gave.get(position))
        of_step = _object(step["provenance"])
        if not of_step.get("unordered"):
            values[ORDER] = of_step.get(ORDER, position)
        state.steps[key] = _with_provenance(values, of_step, as_of, rank_of(step["status"], replaced))
    return state


def _stored_moment(row: Mapping[str, object]) -> int:
    """The moment of the line; for a run that was stored before it was kept, its latest update."""
    return microseconds(cast(datetime, row["as_of"] or row["updated_at"]))


def _stored_said(
    row: Mapping[str, object], result: Mapping[str, object] | None, detail: Mapping[str, object]
) -> int:
    """The fields that lines named; of a run that was stored before that was kept, those with a value."""
    if isinstance(row["said"], int):
        return row["said"]
    values = {**row, **(result or {}), **detail, "source": None, "run_number": None}
    values |= {"triggered_by": row["person_id"], **dict.fromkeys(LISTS, _UNKNOWN)}
    return sum(bit for name, bit in RUN_BITS.items() if values.get(name) is not None)


def _with_provenance(values: Values, provenance: Mapping[str, object], as_of: int, base: int) -> Fields:
    told = _object(provenance.get("fields"))
    fields: Fields = {}
    for name in values.keys() | told.keys():
        (at, rank, *given), *more = told.get(name, [[as_of, base]])
        best = Entry.of(at, rank, _decode(name, given[0]) if given else values.get(name))
        others = (Entry.of(at, rank, _decode(name, value)) for at, rank, value in more)
        fields[name] = (best, *others)
    return fields


def _provenance(
    fields: Fields, as_of: int, base: int, bits: Mapping[str, int], hidden: frozenset[str] = frozenset()
) -> Values:
    """What of these entries the row does not say; of the `hidden` fields it says nothing."""
    with_value = hidden | {"updated_at"}  # of which the row may have a later moment
    told: Values = {
        name: [_told(entries[0], name in with_value), *(_told(entry, True) for entry in entries[1:])]
        for name, entries in sorted(fields.items())
        if name != ORDER and (name in hidden or not _plain(entries, as_of, base))
    }
    cleared = sorted(
        name
        for name, entries in fields.items()
        if name not in bits and name not in told and entries[0].value is None
    )
    return ({"fields": told} if told else {}) | ({"cleared": cleared} if cleared else {})


def _told(entry: Entry, with_value: bool) -> list[object]:
    return [entry.at, entry.rank, *([_encode(entry.value)] if with_value else [])]


def _names(given: object, person_id: object) -> bool:
    """Whether what a line said of a person is about the one with this id."""
    person = read_person(given)
    return person_id == (None if person is None else str(person.user_id))


def _plain(entries: Entries, as_of: int, base: int) -> bool:
    return len(entries) == 1 and (entries[0].at, entries[0].rank) == (as_of, base)


def _encode(value: object) -> object:
    return microseconds(value) if isinstance(value, datetime) else value


def _decode(name: str, value: object) -> object:
    return _moment(value) if name in _MOMENTS and isinstance(value, int) else value


def _moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def _object(value: object) -> Values:
    return dict(value) if isinstance(value, dict) else {}


def _place(key: StepKey, fields: Fields) -> tuple[object, ...]:
    """Where a step stands in its run: as its list has it, else by its moments."""
    best = {name: entries[0].value for name, entries in fields.items()}
    moments = [each for name in ("started_at", "created_at", "completed_at") if (each := best.get(name))]
    first = microseconds(moments[0]) if moments and isinstance(moments[0], datetime) else _LAST
    return best.get(ORDER, _LAST), first, *key


def _step_row(
    run_id: UUID, position: int, key: StepKey, fields: Fields, as_of: int, replaced: bool
) -> tuple[Values, Values | None]:
    """The row of a step, and that of its result if it has one."""
    best = {name: entries[0].value for name, entries in fields.items()}
    row: Values = {"run_id": run_id, "position": position, **{name: best.get(name) for name in STEP_COLUMNS}}
    row |= {"node_id": key.node_id, "iteration": key.iteration}
    row["node_type"] = row["node_type"] or UNKNOWN_TYPE
    gave = {name: best.get(name) for name in OF_STEP_RESULTS}
    bits = STEP_BITS
    if not isinstance(gave["result"], dict | None):
        gave["result"] = None
        bits = {name: bit for name, bit in STEP_BITS.items() if name != "result"}
    row["said"] = sum(bit for name, bit in bits.items() if name in best)
    apart = (*bits, ORDER)
    row["source"] = {
        name: each for name, each in best.items() if name not in apart and each is not None
    } or None
    base = rank_of(best["status"], replaced)
    provenance = _provenance(fields, as_of, base, bits)
    if ORDER not in fields:
        provenance["unordered"] = True
    elif best[ORDER] != position or not _plain(fields[ORDER], as_of, base):
        provenance[ORDER] = best[ORDER]
        at, rank = fields[ORDER][0].at, fields[ORDER][0].rank
        provenance["fields"] = provenance.get("fields", {}) | {ORDER: [[at, rank]]}
    row["provenance"] = provenance or None
    has_result = any(name in best for name in OF_STEP_RESULTS)
    return row, {"run_id": run_id, "position": position, **gave} if has_result else None


def _results_of(state: RunState, best: Mapping[str, object], run_id: UUID) -> RunResults:
    """The results of the run as a whole; lists whose rows no line has brought stay as they are stored."""
    results = RunResults()
    own = {name: best.get(name) for name in OF_RESULTS}
    if any(value is not None for value in own.values()):
        results.run = {"run_id": run_id, **own}
    kept = set()
    for name in LISTS:
        digest = best.get(name)
        brought = state.outputs.get((name, str(digest))) if digest is not None else Outputs()
        if brought is None:
            kept.add(name)
            continue
        results.lines += brought.lines
        results.takes += brought.takes
        results.validations += brought.validations
        results.files += brought.files
    results.kept = frozenset(kept)
    return results


def _entries(state: RunState) -> Iterable[Entries]:
    yield from state.fields.values()
    for step in state.steps.values():
        yield from step.values()
