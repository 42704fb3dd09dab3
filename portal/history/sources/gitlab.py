"""GitLab: pipelines and jobs as the REST API gives them, and the pipeline and job events of webhooks."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from urllib.parse import urlsplit

from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import json_values
from portal.history.sources.reading.reader import Input, Line, Made, Source, each
from portal.history.sources.reading.record import Record, flatten
from portal.history.sources.reading.values import latest, link, person, workflow

_STATES: Mapping[str, tuple[str, str | None]] = {
    "created": ("pending", None),
    "waiting_for_resource": ("pending", None),
    "waiting_for_callback": ("pending", None),
    "preparing": ("pending", None),
    "pending": ("pending", None),
    "scheduled": ("pending", None),
    "manual": ("paused", None),
    "running": ("running", None),
    "canceling": ("running", None),
    "success": ("completed", "succeeded"),
    "failed": ("failed", "failed"),
    "canceled": ("cancelled", "aborted"),
    "skipped": ("cancelled", "skipped"),
}
_WAITING_FOR = {
    "manual": "a manual job",
    "scheduled": "its delay",
    "waiting_for_resource": "a resource",
    "waiting_for_callback": "a callback",
}
_REASONS = {
    "stuck_or_timeout_failure": "timed_out",
    "job_execution_timeout": "timed_out",
    "job_router_failure": "start_failed",
    "runner_system_failure": "crashed",
    "runner_unsupported": "start_failed",
    "scheduler_failure": "start_failed",
    "data_integrity_failure": "start_failed",
    "upstream_bridge_project_not_found": "start_failed",
}
"""Outcomes of failed jobs by their `failure_reason`; any other one is an ordinary failure."""
_TRIGGERS = {
    **dict.fromkeys(("web", "chat", "webide"), "person"),
    **dict.fromkeys(("trigger", "api"), "api"),
    **dict.fromkeys(("pipeline", "parent_pipeline"), "upstream"),
    **dict.fromkeys(("push", "merge_request_event", "external", "external_pull_request_event"), "event"),
    "schedule": "schedule",
}
_BOT = re.compile(r"(project|group)_\d+_bot.*")
_PROJECT = re.compile(r"/(.+?)(?:/-)?/(?:pipelines|jobs|builds)/\d+/?")
_MOMENTS = ("created_at", "started_at", "completed_at")
_LEFT_OUT = ("pipeline", "downstream_pipeline", "web_url", "commit", "project", "user")
"""Of a job: what its pipeline says as well."""

Attempts = Mapping[str, int]
"""By job id, which attempt at the job of its name it is."""


def read(source: Input) -> Iterator[Made]:
    for found in json_values(source):
        if isinstance(found, BadField):
            yield found
            continue
        objects = list(flatten(found.value, found.path))
        attempts = _attempts(value for value, _ in objects)
        yield from each(objects, partial(_read, source=source.reading.source, attempts=attempts))


def event_lines(body: Mapping[str, object]) -> list[Line]:
    """The lines of the body of a webhook; none for events of other kinds. Raises BadField."""
    record = Record(dict(body))
    return list(_lines(record, None, {})) if record.text("object_kind") in ("pipeline", "build") else []


def _read(place: tuple[object, str], source: str | None, attempts: Attempts) -> Iterator[Line]:
    return _lines(Record(*place), source, attempts)


def _lines(record: Record, source: str | None, attempts: Attempts) -> Iterator[Line]:
    kind = record.text("object_kind")
    if kind == "pipeline":
        yield from _pipeline_event(record, source)
    elif kind == "build":
        yield _job_event(record, source)
    elif "stage" in record and "pipeline" in record:
        yield from _job(record, source, attempts)
    elif "sha" in record and "status" in record:
        yield _pipeline(record, _need_project(record), source)
    elif "message" in record or "error" in record:
        said = record.value("message") or record.value("error")
        raise BadField(record.path, f"is an error of GitLab: {said}.")
    else:
        raise BadField(record.path, "is no pipeline or job of GitLab.")


def _run(identifier: str, project: str, source: str | None) -> Line:
    return {
        "source": source or f"gitlab:{project}",
        "external_id": identifier,
        "workflow": workflow(project),
    }


def _pipeline(pipeline: Record, project: str, source: str | None) -> Line:
    """A pipeline of the REST API, or the part of an event that is like it."""
    status, outcome = _state(pipeline, pipeline.need("status"))
    word = pipeline.text("status") or ""
    said = pipeline.value("detailed_status")
    if outcome == "succeeded" and "warning" in str(said):
        outcome = "succeeded_with_warnings"
    started, completed = pipeline.moment("started_at"), pipeline.moment("finished_at")
    origin = pipeline.text("source")
    return {
        "type": "run",
        **_run(pipeline.need("id"), project, source),
        "run_number": pipeline.whole("iid", 1),
        "title": pipeline.text("name"),
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "waiting_for": _WAITING_FOR.get(word),
        "created_at": pipeline.moment("created_at"),
        "started_at": started,
        "completed_at": completed,
        "updated_at": pipeline.moment("updated_at"),
        "duration_ms": None if started and completed else _milliseconds(pipeline, "duration"),
        "trigger": _TRIGGERS.get(origin, "other") if origin else None,
        "trigger_name": origin,
        "triggered_by": _person(pipeline.record("user")),
        "url": link(pipeline.text("web_url") or pipeline.text("url")),
        "ref": _ref(pipeline),
        "parameters": {each.need("key"): each.value("value") for each in pipeline.records("variables")},
        "error": pipeline.text("yaml_errors"),
        "gitlab": pipeline.rest("project_id"),
    }


def _pipeline_event(event: Record, source: str | None) -> Iterator[Line]:
    pipeline = event.record("object_attributes")
    if pipeline is None:
        raise event.fault("object_attributes", "is missing.")
    project = _need_project(event)
    line = _pipeline(pipeline, project, source)
    commit, request = event.record("commit"), event.record("merge_request")
    title = (commit.text("title") or commit.text("message") or "").strip() if commit else ""
    home = event.record("project")
    yield line | {
        "title": line["title"] or title.partition("\n")[0] or None,
        "triggered_by": _person(event.record("user")),
        "url": line["url"] or _address(home, f"/-/pipelines/{line['external_id']}"),
        "ref": {**_ref(pipeline), "pull_request": request.identifier("iid") if request else None}
        | {"url": link(commit.text("url")) if commit else None},
        "parent": _parent(event.record("source_pipeline")),
        "gitlab": {**(pipeline.rest() or {}), "merge_request": request.rest() if request else None},
    }
    jobs = event.records("builds")
    attempts = _numbered({job.need("id"): ("", job.text("name")) for job in jobs})
    where = _run(pipeline.need("id"), project, source)
    steps = [_step(job, attempts[job.need("id")]) for job in jobs]
    at = latest(
        value for step in [line, *steps] for value in map(step.get, _MOMENTS) if isinstance(value, str)
    )
    yield from ({"type": "step", "at": at} | where | step for step in steps)


def _parent(source: Record | None) -> Line | None:
    """The pipeline that started this one, which may be another project's."""
    identifier, project = (
        (source.identifier("pipeline_id"), source.record("project")) if source else (None, None)
    )
    if identifier is None:
        return None
    path = project.text("path_with_namespace") if project else None
    return {"external_id": identifier, "source": f"gitlab:{path}" if path else None}


def _job(job: Record, source: str | None, attempts: Attempts) -> Iterator[Line]:
    """A job of the REST API, and the pipeline that it has started, if it has."""
    pipeline = job.record("pipeline")
    if pipeline is None:
        raise job.fault("pipeline", "is missing.")
    where = _run(pipeline.need("id"), _need_project(job), source)
    yield (
        {"type": "step"}
        | where
        | _step(job, attempts.get(job.need("id"), 1))
        | {
            "url": link(job.text("web_url")),
        }
    )
    started = job.record("downstream_pipeline")
    if started and (project := _project(started)):
        parent = {name: where[name] for name in ("source", "external_id")} | {"step": job.text("name")}
        yield _pipeline(started, project, source) | {"parent": parent}


def _job_event(event: Record, source: str | None) -> Line:
    """A job event, whose fields have names of their own."""
    kept = {
        name.removeprefix("build_"): value
        for name, value in event.items()
        if name.startswith("build_") or name in ("runner", "environment", "user")
    }
    attempt = (event.whole("retries_count") or 0) + 1
    where = _run(event.need("pipeline_id"), _need_project(event), source)
    home = event.record("repository")
    job = Record(kept, event.path)
    return (
        {"type": "step"}
        | where
        | _step(job, attempt)
        | {
            "url": _address(home, f"/-/jobs/{job.need('id')}", "homepage"),
        }
    )


def _step(job: Record, iteration: int) -> Line:
    word = job.need("status")
    status, outcome = _state(job, word)
    reason = job.text("failure_reason") if status == "failed" else None
    runner, environment = job.record("runner"), job.record("environment")
    started, completed = job.moment("started_at"), job.moment("finished_at")
    stage = job.text("stage")
    return {
        "node_id": job.need("name"),
        "node_type": "job",
        "name": job.text("name"),
        "path": [stage] if stage else None,
        "iteration": iteration,
        "status": "pending" if word == "manual" else status,
        "outcome": _REASONS.get(reason, outcome) if reason else outcome,
        "source_status": word,
        "error": reason,
        "created_at": job.moment("created_at"),
        "started_at": started,
        "completed_at": completed,
        "duration_ms": _milliseconds(job, "duration") if outcome and not (started and completed) else None,
        "allowed_to_fail": job.flag("allow_failure"),
        "worker": runner.text("description") if runner else None,
        "environment": environment.text("name") if environment else None,
        "gitlab": {"job_id": job.value("id"), **(job.rest(*_LEFT_OUT) or {})},
    }


def _state(record: Record, word: str) -> tuple[str, str | None]:
    if word not in _STATES:
        raise record.fault("status", f"is {word[:50]}, which this reader does not know.")
    return _STATES[word]


def _milliseconds(record: Record, field: str) -> int | None:
    seconds = record.number(field)
    return None if seconds is None else round(seconds * 1000)


def _attempts(values: Iterable[object]) -> Attempts:
    """Which attempt each of the jobs among these values is, by the order of their ids."""
    jobs: dict[str, tuple[object, object]] = {}
    for value in values:
        pipeline = value.get("pipeline") if isinstance(value, dict) else None
        if isinstance(value, dict) and isinstance(pipeline, dict):
            jobs[str(value.get("id"))] = (str(pipeline.get("id")), str(value.get("name")))
    return _numbered(jobs)


def _numbered(jobs: Mapping[str, tuple[object, object]]) -> Attempts:
    counted: dict[tuple[object, object], int] = {}
    found = {}
    for identifier in sorted(jobs, key=lambda text: (len(text), text)):
        counted[jobs[identifier]] = counted.get(jobs[identifier], 0) + 1
        found[identifier] = counted[jobs[identifier]]
    return found


def _ref(pipeline: Record) -> Line:
    name, is_tag = pipeline.text("ref"), pipeline.flag("tag")
    return {"tag" if is_tag else "branch": name, "commit": pipeline.text("sha")}


def _person(user: Record | None) -> dict[str, object] | None:
    username = user.text("username") if user else None
    name = (user.text("name") if user else None) or username
    if user is None or name is None:
        return None
    email = user.text("email")
    return person(
        "gitlab",
        name,
        user.identifier("id") or username,
        email=email if email and "@" in email else None,
        kind="bot" if username and _BOT.fullmatch(username) else "person",
    )


def _address(home: Record | None, path: str, field: str = "web_url") -> str | None:
    found = home.text(field) if home else None
    return link(found + path) if found else None


def _need_project(record: Record) -> str:
    found = _project(record)
    if found is None:
        raise record.fault("web_url", "is missing, and so is what else would name the project.")
    return found


def _project(record: Record) -> str | None:
    """The path of the project: as events say it, else out of the address of a page."""
    project, repository = record.value("project"), record.value("repository")
    if isinstance(project, dict) and isinstance(path := project.get("path_with_namespace"), str):
        return path
    if isinstance(repository, dict) and isinstance(home := repository.get("homepage"), str):
        return urlsplit(home).path.strip("/") or None
    found = _PROJECT.fullmatch(urlsplit(record.text("web_url") or "").path)
    return found[1] if found else None


READER = Source(
    name="gitlab",
    title="GitLab CI/CD",
    reads="Pipelines and jobs as the REST API gives them, and saved pipeline and job events.",
    commands=(
        "glab api --paginate 'projects/GROUP%2FPROJECT/pipelines' > pipelines.json",
        "flask import --from gitlab pipelines.json",
    ),
    read=read,
)
