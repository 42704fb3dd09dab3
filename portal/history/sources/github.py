"""GitHub Actions: runs, jobs and workflows as the REST API gives them, and the events of webhooks."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta

from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import read_json
from portal.history.sources.reading.reader import Input, Line, Made, Source
from portal.history.sources.reading.record import Record
from portal.history.sources.reading.values import (
    between,
    latest,
    link,
    person,
    workflow,
)

LONGEST_RUN = timedelta(days=35)
"""GitHub ends a run after so long: an `updated_at` later than that is no end."""

_ACTIVE = {
    "requested": "pending",
    "queued": "pending",
    "pending": "pending",
    "waiting": "pending",
    "in_progress": "running",
}
_ENDS = {
    "success": ("completed", "succeeded"),
    "neutral": ("completed", "neutral"),
    "skipped": ("cancelled", "skipped"),
    "failure": ("failed", "failed"),
    "timed_out": ("failed", "timed_out"),
    "startup_failure": ("failed", "start_failed"),
    "cancelled": ("cancelled", "aborted"),
    "stale": ("cancelled", "stale"),
}
_UNAPPROVED = "action_required"
_TRIGGERS = {
    "schedule": "schedule",
    "workflow_dispatch": "person",
    "repository_dispatch": "api",
    "workflow_run": "upstream",
    "workflow_call": "upstream",
    "dynamic": "other",
}
"""By event; every other one is an event of the repository."""
_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)/actions/")
_NUMBERED_UPDATE = re.compile(r" - Update #\d+$")
_LEFT_OUT = ("node_id", "check_suite_node_id", "actor", "triggering_actor", "repository", "url")
_ADDRESSES = ("_url",)
_MOMENTS = ("created_at", "started_at", "completed_at")


class _Names:
    """Names of the jobs of one run, which come together: a second one of a name has its id in its node."""

    def __init__(self) -> None:
        self._run: tuple[str, int] | None = None
        self._ids: dict[str, str | None] = {}

    def node_id(self, run: tuple[str, int], name: str, identifier: str | None) -> str:
        if run != self._run:
            self._run, self._ids = run, {}
        first = self._ids.setdefault(name, identifier)
        return name if first == identifier else f"{name} #{identifier}"


def read(source: Input) -> Iterator[Made]:
    names = source.remembered(_Names)

    def make(record: Record) -> Iterator[Line]:
        return _lines(record, source.reading.source, names)

    return read_json(source, make, lists=("workflow_runs", "jobs", "workflows"))


def event_lines(body: Mapping[str, object]) -> list[Line]:
    """The lines of the body of a webhook; none for events of other kinds. Raises BadField."""
    record = Record(dict(body))
    return list(_event(record, None, _Names())) if _is_event(record) else []


def _is_event(record: Record) -> bool:
    return "action" in record and ("workflow_run" in record or "workflow_job" in record)


def _lines(record: Record, source: str | None, names: _Names) -> Iterator[Line]:
    if _is_event(record):
        yield from _event(record, source, names)
    elif "run_id" in record:
        yield from _job(record, source, names)
    elif "run_number" in record:
        yield _run(record, source)
    elif "state" in record and "path" in record:
        yield _workflow(record, source)
    elif "message" in record:
        raise BadField(record.path, f"is an error of GitHub: {record.text('message')}.")
    else:
        raise BadField(record.path, "is no run, job or workflow of GitHub Actions.")


def _event(event: Record, source: str | None, names: _Names) -> Iterator[Line]:
    if run := event.record("workflow_run"):
        yield _run(run, source, event.record("workflow"))
    if job := event.record("workflow_job"):
        deployment = event.record("deployment")
        line, *children = _job(job, source, names)
        yield line | {"environment": deployment.text("environment")} if deployment else line
        yield from children


def _run(run: Record, source: str | None, of: Record | None = None) -> Line:
    repository = run.record("repository")
    full_name = repository.text("full_name") if repository else _repository(run, "url")
    attempt = run.whole("run_attempt", 1) or 1
    status, outcome, word = _status(run)
    event = run.text("event")
    identifier = run.need("id")
    line: Line = {
        "type": "run",
        "source": source or f"github:{full_name}",
        "external_id": identifier,
        "attempt": attempt,
        "workflow": _workflow_of_run(run, repository, of),
        "run_number": run.whole("run_number", 1),
        "title": run.text("display_title"),
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "waiting_for": _waiting_for(word),
        "trigger": "retry" if attempt > 1 else _TRIGGERS.get(event, "event") if event else None,
        "trigger_name": event,
        "triggered_by": _triggered_by(run, event, attempt),
        "url": link(run.text("html_url")),
        "ref": _ref(run, repository),
        "rerun_of": {"external_id": identifier, "attempt": attempt - 1} if attempt > 1 else None,
        **_times(run, status, attempt),
    }
    return line | {"github": _rest_of_run(run, full_name)}


def _times(run: Record, status: str, attempt: int) -> Line:
    """When a run was created, began and ended. Lists of runs give the first attempt's creation for each."""
    created, updated = run.moment("created_at"), run.moment("updated_at")
    started = None if status == "pending" else run.moment("run_started_at")
    times: Line = {"created_at": created, "started_at": started, "updated_at": updated}
    if attempt > 1 and started and created and between(created, started) > timedelta(0):
        times |= {"created_at": started, "created_at_from": "run_started_at", "first_created_at": created}
    if status in ("completed", "failed", "cancelled") and updated:
        begun = started or created
        if begun and between(begun, updated) > LONGEST_RUN:
            times["completed_at_from"] = "nothing: updated_at is later than any run lasts"
        else:
            times |= {"completed_at": updated, "completed_at_from": "updated_at"}
    return times


def _status(record: Record) -> tuple[str, str | None, str]:
    """Status and outcome of a run, job or step, and GitHub's own word."""
    status, conclusion = record.need("status"), record.text("conclusion")
    word = conclusion if status == "completed" and conclusion else status
    if word == _UNAPPROVED:
        return "pending", None, word
    if status in _ACTIVE:
        return _ACTIVE[status], None, word
    if word not in _ENDS:
        field = "conclusion" if status == "completed" else "status"
        raise record.fault(field, f"is {word[:50]}, which this reader does not know.")
    return *_ENDS[word], word


def _waiting_for(word: str) -> str | None:
    return {_UNAPPROVED: "approval", "waiting": "a deployment's protection rules"}.get(word)


def _triggered_by(run: Record, event: str | None, attempt: int) -> dict[str, object] | None:
    """Who started the run. A scheduled run names whoever wrote the schedule, who did not start it."""
    actor = run.record("triggering_actor") or run.record("actor")
    if actor is None or (event == "schedule" and attempt == 1):
        return None
    login = actor.text("login")
    if login is None:
        return None
    is_bot = actor.text("type") == "Bot" or login.endswith("[bot]")
    return person("github", login, actor.identifier("id"), kind="bot" if is_bot else "person")


def _ref(run: Record, repository: Record | None) -> Line:
    commit, home = run.text("head_sha"), repository.text("html_url") if repository else None
    pull_requests = run.records("pull_requests")
    return {
        "branch": run.text("head_branch"),
        "commit": commit,
        "pull_request": pull_requests[0].identifier("number") if pull_requests else None,
        "url": link(f"{home}/commit/{commit}") if home and commit else None,
    }


def _workflow_of_run(run: Record, repository: Record | None, of: Record | None) -> dict[str, object]:
    """The workflow by its name: jobs know no other."""
    path = run.text("path") or (of.text("path") if of else None)
    name = run.text("name") or (of.text("name") if of else None) or path
    if name is None:
        raise run.fault("name", "is missing.")
    home = repository.text("html_url") if repository else None
    file = path.removeprefix(".github/workflows/").partition("@")[0] if path else ""
    url = f"{home}/actions/workflows/{file}" if home and file and "/" not in file else None
    return workflow(_plain(name), url=link(url), path=path)


def _plain(name: str) -> str:
    """Dependabot numbers its updates, and would have a workflow for each run."""
    return _NUMBERED_UPDATE.sub("", name)


def _rest_of_run(run: Record, full_name: str | None) -> dict[str, object] | None:
    kept = run.rest(*_LEFT_OUT, "head_commit", "head_repository", endings=_ADDRESSES) or {}
    for name in ("actor", "triggering_actor"):
        if who := run.record(name):
            kept[name] = who.text("login")
    if (head := run.record("head_repository")) and head.text("full_name") != full_name:
        kept["head_repository"] = head.text("full_name")
    if commit := run.record("head_commit"):
        author = commit.record("author")
        kept["head_commit"] = {
            "message": commit.text("message"),
            "timestamp": commit.text("timestamp"),
            "author": author.text("name") if author else None,
        }
    return kept or None


def _job(job: Record, source: str | None, names: _Names) -> Iterator[Line]:
    """A job as a step of its run, and its steps as children, all of them so at the latest time among them."""
    run = (job.need("run_id"), job.whole("run_attempt", 1) or 1)
    node_id = names.node_id(run, job.need("name"), job.identifier("id"))
    where: Line = {
        "type": "step",
        "source": source or f"github:{_repository(job, 'run_url')}",
        "external_id": run[0],
        "attempt": run[1],
        "workflow": workflow(_plain(job.need("workflow_name"))),
    }
    steps = [_step(job, node_id, "job"), *_children(node_id, job.records("steps"))]
    where["at"] = latest(_text(step[field]) for step in steps for field in _MOMENTS)
    yield (
        where
        | steps[0]
        | {
            "url": link(job.text("html_url")),
            "worker": job.text("runner_name"),
            "github": {"job_id": job.value("id"), **(job.rest("node_id", "url", endings=_ADDRESSES) or {})},
        }
    )
    yield from (where | step for step in steps[1:])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _children(job: str, steps: list[Record]) -> Iterator[Line]:
    """Steps by their names; where one comes again, its number is part of the id."""
    seen: set[str] = set()
    for step in steps:
        name, number = step.need("name"), step.identifier("number")
        node_id = f"{job} / {name}" if name not in seen else f"{job} / {name} #{number}"
        seen.add(name)
        yield _step(step, node_id, "step") | {"parent_node_id": job, "github": step.rest()}


def _step(record: Record, node_id: str, kind: str) -> Line:
    status, outcome, word = _status(record)
    return {
        "node_id": node_id,
        "node_type": kind,
        "name": record.text("name"),
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "created_at": record.moment("created_at"),
        "started_at": None if status == "pending" else record.moment("started_at"),
        "completed_at": record.moment("completed_at"),
    }


def _workflow(record: Record, source: str | None) -> Line:
    named = workflow(record.need("name"), url=link(record.text("html_url")), path=record.text("path"))
    return {
        "type": "workflow",
        "source": source or f"github:{_repository(record, 'url')}",
        "external_id": named["name"],
        **named,
        "created_at": record.moment("created_at"),
        "github": record.rest("node_id", endings=_ADDRESSES),
    }


def _repository(record: Record, field: str) -> str:
    """The full name of the repository, out of an address of the API."""
    found = _REPOSITORY.search(record.text(field) or "")
    if not found:
        raise record.fault(field, "must be an address of GitHub's API that names the repository.")
    return found[1]


READER = Source(
    name="github",
    title="GitHub Actions",
    reads="Runs, jobs and workflows as the REST API lists them, and saved webhook deliveries.",
    commands=(
        "gh api --paginate repos/OWNER/REPO/actions/runs --jq '.workflow_runs[]' > runs.ndjson",
        "flask import --from github runs.ndjson",
    ),
    read=read,
)
