"""Snakemake: the log of a run, as it writes it to `.snakemake/log`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from portal.history.files.retrieve import Unreadable
from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import text_lines
from portal.history.sources.reading.reader import Input, Line, Made, Source
from portal.history.sources.reading.values import identifier, local, person, workflow

SYSTEM = "snakemake"
MAX_JOBS = 200_000
"""A log is one run, which is held in memory."""
MAX_ERROR_LINES = 20

_FORM = "%a %b %d %H:%M:%S %Y"
_TIME = re.compile(r"\[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\]")
_RULE = re.compile(r"(\s*)(?:local)?(?:rule|checkpoint) (\S+):")
_MESSAGE = re.compile(r"Job (\d+): (.*)")
_FIELD = re.compile(r"\s+(\w+): (.*)")
_FINISHED = re.compile(r"Finished job(?:id:)? (\d+)(?: \(Rule: (\S+)\)|\.)")
_PROGRESS = re.compile(r"(\d+) of (\d+) steps \(\S+\) done")
_TOTAL = re.compile(r"total\s+(\d+)(?:\s.*)?")
_ERROR = re.compile(r"Error in (?:rule|checkpoint) (\S+):")
_RESTART = re.compile(r"Trying to restart job (\d+)\.")
_SUBMITTED = re.compile(r"Submitted (?:group )?job (\d+) with external jobid '?(.+?)'?\.")
_BROKEN = re.compile(r"(?:\w+Exception|\w+Error)(?: in .+)?:.*")
_LOG = re.compile(r"Complete log(?:\(s\))?: (.+)")
_LOG_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}\.\d+")
_GAVE_UP = "Exiting because a job execution failed"
_STOPPED = ("Terminating processes on user request", "Cancelling snakemake on user request")
_NOTHING = "Nothing to be done"
_DRY_RUN = "This was a dry-run"
_HEADER = re.compile(r"  (Workflow ID|Host|User|Snakemake version|Command|Snakefile|Run directory): (.+)")
_KEPT = ("input", "output", "reason", "resources", "threads", "priority", "log", "benchmark")


@dataclass
class _Job:
    number: str
    rule: str
    line: Line = field(default_factory=dict)


@dataclass
class _Log:
    """What the lines so far have said."""

    source: Input
    now: str | None = None
    first: str | None = None
    jobs: dict[str, _Job] = field(default_factory=dict)
    """The latest attempt at each job."""
    steps: list[_Job] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] | None = None
    """The fields of the job, or of the error, whose lines are being read."""
    indent: int = 0
    restarted: set[str] = field(default_factory=set)
    finished: int | None = None
    total: int | None = None
    ended: tuple[str, str] | None = None
    complaint: list[str] = field(default_factory=list)
    complaining: bool = False
    header: dict[str, str] = field(default_factory=dict)
    file: str | None = None
    is_dry: bool = False

    def read(self, text: str, number: int) -> None:
        if self.open is not None:
            found = _FIELD.fullmatch(text)
            if found and len(text) - len(text.lstrip()) > self.indent:
                self.open.setdefault(found[1], found[2])
                return
            if text.startswith(" ") and not _RULE.fullmatch(text):
                return
            self.close()
        self.complaining = self.complaining and bool(text.strip()) and not _TIME.fullmatch(text)
        if self.complaining and len(self.complaint) < MAX_ERROR_LINES:
            self.complaint.append(text)
        self._line(text, number)

    def _line(self, text: str, number: int) -> None:
        if time := _TIME.fullmatch(text):
            self.now = self._moment(time[1], number)
            self.first = self.first or self.now
        elif rule := _RULE.fullmatch(text):
            self.open, self.indent = {"rule": rule[2]}, len(rule[1])
        elif message := _MESSAGE.fullmatch(text):
            self._begin({"jobid": message[1], "rule": message[2]})
        elif finished := _FINISHED.fullmatch(text):
            self._end(finished[1], finished[2])
        elif progress := _PROGRESS.fullmatch(text):
            self.finished, self.total = int(progress[1]), int(progress[2])
            self.ended = ("completed", "succeeded") if self.finished == self.total else self.ended
        elif total := _TOTAL.fullmatch(text):
            self.total = int(total[1])
        elif error := _ERROR.fullmatch(text):
            self.open, self.indent = {"failed": error[1]}, 0
        elif restart := _RESTART.fullmatch(text):
            self.restarted.add(restart[1])
        elif submitted := _SUBMITTED.fullmatch(text):
            if job := self.jobs.get(submitted[1]):
                job.line["external_jobid"] = submitted[2]
        elif log := _LOG.fullmatch(text):
            self.file = log[1]
        else:
            self._sentence(text)

    def _sentence(self, text: str) -> None:
        if text.startswith(_GAVE_UP):
            self.ended = ("failed", "failed")
        elif text.startswith(_STOPPED):
            self.ended = ("cancelled", "aborted")
        elif text.startswith(_NOTHING):
            self.ended = ("completed", "succeeded")
        elif text.startswith(_DRY_RUN):
            self.is_dry = True
        elif header := _HEADER.fullmatch(text):
            self.header.setdefault(header[1], header[2])
        elif _BROKEN.fullmatch(text) and not self.complaining:
            self.complaint, self.complaining = [text], True

    def close(self) -> None:
        """A block of fields is over: a job has begun, or one has failed."""
        said, self.open = self.open, None
        if said and "jobid" in said and "failed" in said:
            self._fail(said)
        elif said and "jobid" in said:
            self._begin(said)

    def _begin(self, said: dict[str, str]) -> None:
        number, rule = said["jobid"], said["rule"]
        before = self.jobs.get(number)
        if before and number not in self.restarted:
            return  # printed once more, as before the list of what failed
        self.restarted.discard(number)
        wildcards = said.get("wildcards")
        node_id = f"{rule} ({wildcards})" if wildcards else rule
        if self.names.setdefault(node_id, number) != number:
            node_id = f"{node_id} #{number}"
        attempt = before.line["iteration"] if before else 0
        self._add(number, rule, node_id, (attempt if isinstance(attempt, int) else 0) + 1)
        self.jobs[number].line |= {"started_at": self.now, "snakemake": _kept(said)}

    def _add(self, number: str, rule: str, node_id: str, iteration: int) -> _Job:
        if len(self.steps) == MAX_JOBS:
            raise Unreadable(f"A log may have {MAX_JOBS:,} jobs.")
        job = _Job(number, rule, {"node_id": node_id, "name": node_id, "iteration": iteration})
        job.line |= {"node_type": rule, "status": "running", "snakemake": {}}
        self.jobs[number] = job
        self.steps.append(job)
        return job

    def _end(self, number: str, rule: str | None) -> None:
        job = self.jobs.get(number) or self._add(number, rule or "job", f"{rule or 'job'} #{number}", 1)
        job.line |= {"status": "completed", "outcome": "succeeded", "completed_at": self.now}

    def _fail(self, said: dict[str, str]) -> None:
        number, rule = said["jobid"], said["failed"]
        job = self.jobs.get(number) or self._add(number, rule, f"{rule} #{number}", 1)
        job.line |= {"status": "failed", "outcome": "failed", "completed_at": self.now}
        message = said.get("message", "None")
        job.line["error"] = message if message != "None" else "\n".join(self.complaint) or None
        self.complaint = []

    def _moment(self, said: str, number: int) -> str:
        try:
            return local(said, (_FORM,), self.source.reading.zone)
        except (ValueError, OverflowError):
            raise BadField(f"line {number}", "begins with a time that is none.") from None


def read(source: Input) -> Iterator[Made]:
    """One line: the run with its jobs."""
    log = _Log(source)
    for number, text in text_lines(source):
        try:
            log.read(text, number)
        except BadField as fault:
            yield fault
    log.close()
    if log.is_dry:
        yield BadField("", "is the log of a dry run, in which nothing ran.")
    elif log.first is None and log.ended is None:
        raise Unreadable(
            "The file is no log of Snakemake: no line has a time such as [Thu Jul  2 00:55:14 2026]."
        )
    else:
        yield _run(log, source)


def _run(log: _Log, source: Input) -> Line:
    status, outcome = log.ended or (("failed", "failed") if log.complaint else ("running", None))
    file = PurePath(log.file or source.name).name
    name = _LOG_NAME.search(file)
    user = log.header.get("User")
    failed = [job.line["error"] for job in log.jobs.values() if job.line["status"] == "failed"]
    return {
        "type": "run",
        "source": source.source(SYSTEM),
        "external_id": identifier(name[0] if name else file),
        "workflow": workflow(source.reading.workflow or _folder(log, source) or "Snakemake"),
        "status": status,
        "outcome": outcome,
        "status_from": None if log.ended else "an error" if log.complaint else "the log, which has no end",
        "created_at": log.first,
        "started_at": log.first,
        "completed_at": log.now if outcome else None,
        "completed_at_from": "the last time in the log" if outcome else None,
        "assumed_zone": str(source.reading.zone),
        "triggered_by": person(SYSTEM, user, kind="person") if user else None,
        "total_steps": log.total,
        "finished_steps": log.finished,
        "error": next(iter(failed), "\n".join(log.complaint) or None) if status == "failed" else None,
        "steps": [_step(job, outcome is not None) for job in log.steps] or None,
        "snakemake": {"log": file} | {name: said for name, said in log.header.items() if name != "User"},
    }


def _step(job: _Job, has_ended: bool) -> Line:
    line = job.line | {"snakemake": {"jobid": job.number, **_mapping(job.line["snakemake"])}}
    if line["status"] == "running" and has_ended:
        line |= {"status": "cancelled", "outcome": "stale", "status_from": "the log, which ends without it"}
    return line


def _kept(said: dict[str, str]) -> dict[str, object]:
    return {name: said[name] for name in _KEPT if name in said}


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _folder(log: _Log, source: Input) -> str | None:
    """The folder in which Snakemake ran: as the log says, else that of `.snakemake`."""
    if run := log.header.get("Run directory"):
        return PurePath(run).name or None
    parts = PurePath(log.file or source.name).parts
    place = parts.index(".snakemake") if ".snakemake" in parts else 0
    return parts[place - 1] if place and parts[place - 1] != "/" else None


READER = Source(
    name=SYSTEM,
    title="Snakemake",
    reads="The log of one run, from `.snakemake/log`.",
    commands=(
        "snakemake --cores all",
        "flask import --from snakemake --zone Europe/Berlin .snakemake/log/*.snakemake.log",
    ),
    read=read,
)
