"""What a step gave, as rows: lines, takes, verdicts, files, and the items that go on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, cast
from uuid import UUID, uuid4

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import JsonObject
from portal.database.models import (
    Artifact,
    OutputLine,
    Run,
    RunLanguage,
    RunStatus,
    StepResult,
    Take,
    TakeStatus,
    Validation,
)
from portal.database.sql import bulk
from portal.definitions.catalog import FAIL, LINES
from portal.engine.contract import MAX_RESULT_BYTES, Item, Json, OutputFile, StepOutput, StoredFile
from portal.engine.contract import Take as ItemTake
from portal.engine.execution.claimed_step import ClaimedStep
from portal.engine.flow import Plan
from portal.engine.flow.routing import Refusals, route
from portal.input.folding import fold
from portal.runs.counts import Counted
from portal.runs.recording.languages import language_rows
from portal.runs.results.scores import kind_of

_EXTENSIONS = {"audio/flac": "flac", "audio/ogg": "ogg", "audio/wav": "wav", "audio/mpeg": "mp3"}


@dataclass(frozen=True)
class Outcome:
    """What left a step through each port, and what its validator has refused so far."""

    ports: Mapping[str, Sequence[Item]]
    refusals: Refusals


def store_outcome(session: Session, run: Run, step: ClaimedStep, plan: Plan, output: StepOutput) -> Outcome:
    """Write the rows of a step's output."""
    category = step.node.type.category
    lines = _Lines(session, run.id)
    outcome = Outcome({}, {})
    if category == "source":
        lines.add(output.items)
        outcome = Outcome({LINES: list(output.items)}, {})
    elif category == "operator":
        outcome = Outcome({LINES: _store_takes(session, run, step, lines, output.items)}, {})
    elif category == "validation":
        outcome = _store_verdicts(session, run, step, plan, lines, output)
    else:
        _deliver(session, run, step, lines, output.delivered)
    _store_files(session, run, step, output.files)
    _store_result(session, run, step, outcome, output.result)
    return outcome


class _Lines:
    """The positions of a run's lines."""

    def __init__(self, session: Session, run_id: UUID) -> None:
        self._session, self._run_id = session, run_id
        self._known: dict[str, int] | None = None

    def add(self, items: Sequence[Item]) -> None:
        """Write the lines that a source has read, after those that are there."""
        last = self._session.scalar(
            sa.select(sa.func.max(OutputLine.position)).where(OutputLine.run_id == self._run_id)
        )
        first = 0 if last is None else last + 1
        rows = [
            {
                "run_id": self._run_id,
                "position": first + number,
                "line_id": _line_id(item),
                "source_line_id": _line_id(item),
                "script": item.text,
                "script_folded": fold(item.text),
                "auto_corrected": None,
            }
            for number, item in enumerate(items)
        ]
        bulk.insert_rows(self._session.connection(), cast(sa.Table, OutputLine.__table__), rows)

    def __getitem__(self, item: Item) -> int:
        if self._known is None:
            found = sa.select(OutputLine.line_id, OutputLine.position)
            rows = self._session.execute(found.where(OutputLine.run_id == self._run_id))
            self._known = {row.line_id: row.position for row in rows}
        return self._known[_line_id(item)]


def _line_id(item: Item) -> str:
    return f"{item.source}:{item.line + 1}"


def _store_takes(
    session: Session, run: Run, step: ClaimedStep, lines: _Lines, items: Sequence[Item]
) -> list[Item]:
    """Write the takes that a step has made; the items with the numbers of their takes."""
    if all(item.take is None or item.take.position is not None for item in items):
        return list(items)
    last, spoken = _counted_takes(session, run.id)
    given: list[Item] = []
    for item in items:
        if item.take is None or item.take.position is not None:
            given.append(item)
            continue
        line = lines[item]
        last[line] = position = last.get(line, -1) + 1
        repeated = spoken.get((line, item.locale), 0)
        spoken[line, item.locale] = repeated + 1
        session.add(_take_row(session, run, step, item, item.take, line, position, repeated))
        given.append(replace(item, take=replace(item.take, position=position)))
    return given


def _counted_takes(session: Session, run_id: UUID) -> tuple[dict[int, int], dict[tuple[int, str], int]]:
    """The last take of each line, and the number of takes of each line in each locale."""
    takes = sa.select(
        Take.line, Take.locale_code, sa.func.max(Take.position).label("last"), sa.func.count().label("number")
    )
    last: dict[int, int] = {}
    spoken: dict[tuple[int, str], int] = {}
    for row in session.execute(takes.where(Take.run_id == run_id).group_by(Take.line, Take.locale_code)):
        last[row.line] = max(last.get(row.line, -1), row.last)
        spoken[row.line, row.locale_code or ""] = row.number
    return last, spoken


def _take_row(
    session: Session,
    run: Run,
    step: ClaimedStep,
    item: Item,
    take: ItemTake,
    line: int,
    position: int,
    repeated: int,
) -> Take:
    name = f"{line + 1:04}-{item.locale}-{repeated + 1}.{_EXTENSIONS.get(take.audio.content_type, 'bin')}"
    artifact = _artifact(run, step, name, take.audio, None)
    session.add(artifact)
    session.flush()
    audio_id = blake2b(f"{run.id} {line} {position}".encode(), digest_size=8).hexdigest()
    return Take(
        run_id=run.id,
        line=line,
        position=position,
        audio_id=audio_id,
        locale_code=item.locale,
        script=item.text,
        status=TakeStatus.GENERATED,
        retry_count=repeated,
        normalized=item.normalized,
        voice=take.voice,
        provider=take.provider,
        model=take.model,
        duration_ms=take.duration_ms,
        artifact_id=artifact.id,
    )


def _store_verdicts(
    session: Session, run: Run, step: ClaimedStep, plan: Plan, lines: _Lines, output: StepOutput
) -> Outcome:
    """Write verdicts, and send each item on through the port that they say."""
    node = step.node
    judged = list(zip(step.items, output.verdicts, strict=True))
    positions: dict[tuple[int, int], int] = {}
    for row in session.execute(
        sa.select(Validation.line, Validation.take, sa.func.max(Validation.position))
        .where(Validation.run_id == run.id)
        .group_by(Validation.line, Validation.take)
    ):
        positions[row[0], row[1]] = row[2]
    for item, verdict in judged:
        if item.take is None or item.take.position is None:
            continue
        place = lines[item], item.take.position
        positions[place] = positions.get(place, -1) + 1
        session.add(
            Validation(
                run_id=run.id,
                line=place[0],
                take=place[1],
                position=positions[place],
                node_id=node.id,
                kind=kind_of(node.type.slug),
                label=node.json.get("name") or node.type.display_name,
                score=verdict.score,
                threshold=node.setting("threshold") if "threshold" in node.type.settings else None,
                passed=verdict.passed,
                reason=verdict.reason,
                wer=verdict.wer,
                cer=verdict.cer,
                transcript=verdict.transcript,
                scored_on=verdict.scored_on,
                segments=None if verdict.segments is None else [dict(each) for each in verdict.segments],
                error_counts=None if verdict.error_counts is None else dict(verdict.error_counts),
            )
        )
    retries = node.setting("max_retries") if "max_retries" in node.type.settings else 0
    routed = route(((item, verdict.passed) for item, verdict in judged), step.refusals, retries)
    if not plan.is_wired(node.id, FAIL):
        _drop(session, run, lines, routed.ports[FAIL])
    return Outcome(routed.ports, routed.refusals)


def _deliver(session: Session, run: Run, step: ClaimedStep, lines: _Lines, items: Sequence[Item]) -> None:
    """Mark what a sink delivers; a take that two sinks deliver belongs to none of them alone."""
    for item in items:
        if item.take is not None and item.take.position is not None:
            take = session.get_one(Take, (run.id, lines[item], item.take.position))
            again = take.status == TakeStatus.DELIVERED and take.output_node_id != step.node.id
            take.status = TakeStatus.DELIVERED
            take.output_node_id = None if again else step.node.id


def _drop(session: Session, run: Run, lines: _Lines, items: Iterable[Item]) -> None:
    """Mark the takes of lines that end here; a take that a sink has delivered stays delivered."""
    for item in items:
        if item.take is not None and item.take.position is not None:
            take = session.get_one(Take, (run.id, lines[item], item.take.position))
            if take.status != TakeStatus.DELIVERED:
                take.status = TakeStatus.DROPPED


def _store_files(session: Session, run: Run, step: ClaimedStep, files: Sequence[OutputFile]) -> None:
    node_id = step.node.id if step.node.type.category == "output" else None
    session.add_all(_artifact(run, step, each.name, each.file, node_id) for each in files)


def _artifact(run: Run, step: ClaimedStep, name: str, file: StoredFile, node_id: str | None) -> Artifact:
    """The row of a file; `node_id` is an output node, None where the file belongs to the whole run."""
    return Artifact(
        id=uuid4(),
        workspace_id=step.workspace_id,
        run_id=run.id,
        node_id=node_id,
        name=name,
        content_type=file.content_type,
        size_bytes=file.size_bytes,
        sha256=bytes.fromhex(file.sha256),
    )


def _store_result(session: Session, run: Run, step: ClaimedStep, outcome: Outcome, result: Json) -> None:
    value: JsonObject = dict(result)
    if len(orjson.dumps(value)) > MAX_RESULT_BYTES:
        value = {"note": f"The result of this step was longer than {MAX_RESULT_BYTES} bytes and is left out."}
    gone_on = {port: items for port, items in outcome.ports.items() if items}
    locales = {item.locale for items in gone_on.values() for item in items}
    session.merge(
        StepResult(
            run_id=run.id,
            position=step.position,
            active_ports=sorted(gone_on),
            locales=sorted(locales or {item.locale for item in step.items}),
            result=value or None,
        )
    )


def usage_of(usages: Iterable[Json]) -> dict[str, Any]:
    """What a run used: the sums of its steps."""
    summed = {"characters": 0, "audio_ms": 0, "provider_calls": 0, "processor_seconds": 0.0}
    for usage in usages:
        for name in summed:
            summed[name] += usage.get(name, 0)
    summed["processor_seconds"] = round(summed["processor_seconds"], 3)
    return summed


def close_takes(session: Session, run: Run) -> tuple[int | None, int | None]:
    """Say of each take what became of it; returns the lines and the milliseconds that were delivered.

    A line that was delivered in a locale was dropped nowhere: its other takes were replaced.
    """
    session.flush()
    one = sa.orm.aliased(Take)
    delivered = (
        sa.select(one.line)
        .where(
            one.run_id == Take.run_id,
            one.line == Take.line,
            one.locale_code == Take.locale_code,
            one.status == TakeStatus.DELIVERED,
        )
        .exists()
    )
    replaced = sa.or_(
        Take.status == TakeStatus.GENERATED, sa.and_(Take.status == TakeStatus.DROPPED, delivered)
    )
    session.execute(
        sa.update(Take)
        .where(Take.run_id == run.id, replaced)
        .values(status=TakeStatus.NOT_DELIVERED)
        .execution_options(synchronize_session=False)
    )
    if run.status != RunStatus.COMPLETED:
        return None, None
    totals = sa.select(
        sa.func.count(sa.distinct(Take.line)), sa.func.coalesce(sa.func.sum(Take.duration_ms), 0)
    ).where(Take.run_id == run.id, Take.status == TakeStatus.DELIVERED)
    lines, audio_ms = session.execute(totals).one()
    return lines, int(audio_ms or 0)  # PostgreSQL adds big integers up to a decimal


def sum_languages(session: Session, run: Run) -> None:
    """Write the summary of what the run spoke in each language."""
    session.flush()
    lines = session.execute(
        sa.select(OutputLine.run_id, OutputLine.position, OutputLine.script).where(
            OutputLine.run_id == run.id
        )
    )
    takes = session.execute(
        sa.select(Take.run_id, Take.line, Take.locale_code, Take.script)
        .where(Take.run_id == run.id)
        .order_by(Take.line, Take.locale_code)
    )
    rows = language_rows(
        [Counted.of(run)],
        [row._asdict() for row in lines],
        [row._asdict() for row in takes],
    )
    bulk.insert_rows(session.connection(), cast(sa.Table, RunLanguage.__table__), rows)
