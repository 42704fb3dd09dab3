"""Slurm: jobs and their steps, as `sacct` prints them with a `|` between columns."""

import re
from collections.abc import Iterator, Mapping

from portal.history.files.retrieve import Unreadable
from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import text_lines
from portal.history.sources.reading.reader import Input, Line, Made, Source
from portal.history.sources.reading.values import clock_duration, identifier, local, person, workflow

SYSTEM = "slurm"

_STATES: Mapping[str, tuple[str, str | None]] = {
    "PENDING": ("pending", None),
    "CONFIGURING": ("pending", None),
    "REQUEUE_HOLD": ("pending", None),
    "REQUEUE_FED": ("pending", None),
    "SPECIAL_EXIT": ("pending", None),
    "RUNNING": ("running", None),
    "COMPLETING": ("running", None),
    "STAGE_OUT": ("running", None),
    "SIGNALING": ("running", None),
    "RESIZING": ("running", None),
    "SUSPENDED": ("paused", None),
    "STOPPED": ("paused", None),
    "COMPLETED": ("completed", "succeeded"),
    "FAILED": ("failed", "failed"),
    "TIMEOUT": ("failed", "timed_out"),
    "DEADLINE": ("failed", "timed_out"),
    "OUT_OF_MEMORY": ("failed", "crashed"),
    "NODE_FAIL": ("failed", "crashed"),
    "BOOT_FAIL": ("failed", "start_failed"),
    "LAUNCH_FAILED": ("failed", "start_failed"),
    "RECONFIG_FAIL": ("failed", "start_failed"),
    "CANCELLED": ("cancelled", "aborted"),
    "PREEMPTED": ("cancelled", "aborted"),
    "REVOKED": ("cancelled", "aborted"),
    "REQUEUED": ("cancelled", "superseded"),
}
_SHORT = {
    "PD": "PENDING", "CF": "CONFIGURING", "R": "RUNNING", "CG": "COMPLETING", "S": "SUSPENDED",
    "CD": "COMPLETED", "F": "FAILED", "TO": "TIMEOUT", "DL": "DEADLINE", "OOM": "OUT_OF_MEMORY",
    "NF": "NODE_FAIL", "BF": "BOOT_FAIL", "CA": "CANCELLED", "PR": "PREEMPTED", "RQ": "REQUEUED",
}  # fmt: skip
"""What the narrow column `state` prints."""
_FORMS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")
_WITH_ZONE = re.compile(r".*T.*(Z|[+-]\d\d:?\d\d)")
_NOTHING = ("", "Unknown", "None", "N/A", "None assigned")
_ARRAY = re.compile(r"(\d+)_\[?[\d,%-]+\]?")
_EXIT = re.compile(r"(\d{1,9}):(\d{1,9})")

Row = dict[str, str]


class _Jobs:
    """The attempts at the jobs of a command: a job that was queued again comes again with its id."""

    def __init__(self) -> None:
        self.attempts: dict[str, int] = {}
        self.names: dict[str, str] = {}


def read(source: Input) -> Iterator[Made]:
    columns: list[str] = []
    jobs = _Jobs()
    for number, text in text_lines(source):
        if not text.strip():
            continue
        if not columns:
            columns = _columns(text)
            continue
        if text.strip("|-") == "":
            continue
        try:
            yield _line(_row(columns, text, number), number, jobs, source)
        except BadField as fault:
            yield fault
    if not columns:
        raise Unreadable("The file is empty.")


def _columns(text: str) -> list[str]:
    columns = [cell.strip().lower() for cell in text.removesuffix("|").split("|")]
    if not {"jobid", "state"} <= set(columns):
        raise Unreadable(
            "The first line must name the columns, JobID and State among them: print them with "
            "sacct --parsable2 and without --noheader."
        )
    return columns


def _row(columns: list[str], text: str, number: int) -> Row:
    cells = text.split("|")
    if len(cells) == len(columns) + 1 and not cells[-1].strip():  # --parsable ends each line with one more
        cells.pop()
    if len(cells) != len(columns):
        raise BadField(f"line {number}", f"has {len(cells)} columns; the first line has {len(columns)}.")
    return {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}


def _line(row: Row, number: int, jobs: _Jobs, source: Input) -> Line:
    """A job as a run, or a step of the job before it: `12.batch`, `12.extern`, `12.0`."""
    job, _, step = row["jobid"].partition(".")
    if not job:
        raise BadField(f"line {number} JobID", "is missing.")
    cluster = row.get("cluster")
    where: Line = {"source": source.source(f"{SYSTEM}:{cluster}" if cluster else SYSTEM)}
    where["external_id"] = identifier(job)
    name = row.get("jobname") or None
    if step and job not in jobs.names:
        raise BadField(
            f"line {number} JobID", f"is of a step of job {job}, whose own row does not come before."
        )
    if not step:
        jobs.attempts[job] = jobs.attempts.get(job, 0) + 1
        jobs.names[job] = name or source.reading.workflow or "Slurm"
    attempt = jobs.attempts.get(job, 1)
    where["attempt"] = attempt
    where["workflow"] = workflow(jobs.names[job])
    if step:
        return {"type": "step", **where, **_step(row, step, number, source)}
    return {"type": "run", **where, **_run(row, job, attempt, number, source)}


def _run(row: Row, job: str, attempt: int, number: int, source: Input) -> Line:
    user, times = row.get("user"), _times(row, number, source)
    array = _ARRAY.fullmatch(job)
    line = _state(row, number)
    begun = times["started_at"] and times["completed_at"]
    return {
        **line,
        **times,
        "trigger": "retry" if attempt > 1 else None,
        "rerun_of": {"external_id": identifier(job), "attempt": attempt - 1} if attempt > 1 else None,
        "triggered_by": person(SYSTEM, user, kind="person") if user else None,
        "duration_ms": None if begun or not line["outcome"] else clock_duration(row.get("elapsed", "")),
        "labels": {"array": array[1]} if array else None,
        "slurm": _rest(row, "user"),
    }


def _step(row: Row, step: str, number: int, source: Input) -> Line:
    exit_code = _EXIT.fullmatch(row.get("exitcode", ""))
    times, line = _times(row, number, source), _state(row, number)
    begun = times["started_at"] and times["completed_at"]
    return {
        "node_id": step,
        "node_type": step if step in ("batch", "extern", "interactive") else "srun",
        "name": row.get("jobname") or step,
        **line,
        **times,
        "exit_code": int(exit_code[1]) if exit_code else None,
        "duration_ms": None if begun or not line["outcome"] else clock_duration(row.get("elapsed", "")),
        "worker": row.get("nodelist"),
        "slurm": _rest(row, "nodelist"),
    }


def _state(row: Row, number: int) -> Line:
    said = row["state"]
    word = said.split(" ")[0].rstrip("+")  # CANCELLED by 1000
    status = _STATES.get(_SHORT.get(word, word)) or next(
        (found for name, found in _STATES.items() if len(word) > 4 and name.startswith(word)), None
    )
    if status is None:
        raise BadField(f"line {number} State", f"is {said[:50]}, which this reader does not know.")
    return {"status": status[0], "outcome": status[1], "source_status": said[:50]}


def _times(row: Row, number: int, source: Input) -> Line:
    found: Line = {
        field: _moment(row, column, number, source)
        for field, column in (("created_at", "submit"), ("started_at", "start"), ("completed_at", "end"))
    }
    has_zone = any(_WITH_ZONE.fullmatch(row.get(name, "")) for name in ("submit", "start", "end"))
    assumed = any(found.values()) and not has_zone
    return found | {"assumed_zone": str(source.reading.zone) if assumed else None}


def _moment(row: Row, column: str, number: int, source: Input) -> str | None:
    """A time of the machine that printed it, in the zone of the command."""
    said = row.get(column, "")
    if said in _NOTHING:
        return None
    try:
        return local(said, (*_FORMS, "%Y-%m-%dT%H:%M:%S%z"), source.reading.zone)
    except (ValueError, OverflowError):
        raise BadField(f"line {number} {column}", "must be a time such as 2026-07-02T00:55:14.") from None


def _rest(row: Row, *left_out: str) -> dict[str, object] | None:
    used = ("jobid", "jobname", "state", "submit", "start", "end", "cluster", *left_out)
    return {name: value for name, value in row.items() if name not in used and value not in _NOTHING} or None


READER = Source(
    name=SYSTEM,
    title="Slurm",
    reads="Jobs and their steps, as `sacct` prints them with `--parsable2`.",
    commands=(
        "sacct -P -D -o JobID,JobName,User,State,ExitCode,Submit,Start,End,Elapsed,NodeList > jobs.txt",
        "flask import --from slurm --zone Europe/Berlin jobs.txt",
    ),
    read=read,
)
