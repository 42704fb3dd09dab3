"""Jenkins: builds as the JSON API of jobs and builds gives them, and stages as the Pipeline REST API does."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import json_values
from portal.history.sources.reading.reader import Input, Line, Made, Source, each
from portal.history.sources.reading.record import Record, flatten
from portal.history.sources.reading.values import (
    from_milliseconds,
    identifier,
    link,
    person,
    workflow,
)

_ENDS: Mapping[str, tuple[str, str]] = {
    "SUCCESS": ("completed", "succeeded"),
    "UNSTABLE": ("completed", "succeeded_with_warnings"),
    "FAILURE": ("failed", "failed"),
    "ABORTED": ("cancelled", "aborted"),
    "NOT_BUILT": ("cancelled", "skipped"),
}
_STAGES: Mapping[str, tuple[str, str | None]] = {
    **_ENDS,
    "FAILED": ("failed", "failed"),
    "NOT_EXECUTED": ("cancelled", "skipped"),
    "IN_PROGRESS": ("running", None),
    "PAUSED_PENDING_INPUT": ("paused", None),
    "QUEUED": ("pending", None),
}
_BY_CLASS = {
    "UserIdCause": "person",
    "UserCause": "person",
    "TimerTriggerCause": "schedule",
    "RemoteCause": "api",
    "UpstreamCause": "upstream",
    "BuildUpstreamCause": "upstream",
    "ReplayCause": "retry",
    "RebuildCause": "retry",
    "NaginatorCause": "retry",
    "RestartDeclarativePipelineCause": "retry",
    "SCMTriggerCause": "event",
    "BranchEventCause": "event",
    "BranchIndexingCause": "event",
}
_PLAIN_TITLE = re.compile(r"#\d+")
_BUILD_ADDRESS = re.compile(r"(?P<job>(?:.*?/)?job/.+?)/(?P<number>\d+)(?:/.*)?")
_ACTIONS_READ = ("causes", "parameters", "lastBuiltRevision", "buildsByBranchName")


def read(source: Input) -> Iterator[Made]:
    for found in json_values(source):
        if isinstance(found, BadField):
            yield found
            continue
        builds = (build for place in flatten(found.value, found.path) for build in _builds(*place))
        yield from each(builds, lambda place: _lines(Record(*place), source.reading.source))


def _builds(value: object, path: str) -> Iterator[tuple[object, str]]:
    """The builds of a job, or the value itself."""
    lists = [name for name in ("builds", "allBuilds") if isinstance(value, dict) and name in value]
    if not lists:
        yield value, path
    for name in lists:
        yield from Record(value, path).values(name)


def _lines(record: Record, source: str | None) -> Iterator[Line]:
    if "stages" in record or "startTimeMillis" in record:
        yield from _stages(record, source)
    elif "timestamp" in record and "url" in record:
        yield _build(record, source)
    else:
        raise BadField(record.path, "is no build of Jenkins with url, number and timestamp.")


def _build(build: Record, source: str | None) -> Line:
    url = build.need("url").rstrip("/") + "/"
    job, _ = _job_and_number(build, "url", url)
    number = build.whole("number", 1)
    if number is None:
        raise build.fault("number", "is missing.")
    word = build.text("result")
    status, outcome = _ENDS.get(word, ("", "")) if word else ("running", None)
    if not status:
        raise build.fault("result", f"is {str(word)[:50]}, which this reader does not know.")
    if build.flag("building"):
        status, outcome = "running", None
    host = source or f"jenkins:{urlsplit(url).netloc}"
    title = build.text("displayName")
    actions = [action for action in build.records("actions") if any(True for _ in action.items())]
    return {
        "type": "run",
        "source": host,
        "external_id": identifier(f"{job}#{number}"),
        "workflow": workflow(job, url=link(_job_url(url))),
        "run_number": number,
        "title": title if title and not _PLAIN_TITLE.fullmatch(title) else None,
        "status": status,
        "outcome": outcome,
        "source_status": word or "building",
        **_times(build, status),
        **_cause(actions),
        "url": link(url),
        "log_url": link(f"{url}console"),
        "ref": _ref(actions, job),
        "parameters": {
            each.need("name"): each.value("value")
            for action in actions
            for each in action.records("parameters")
        },
        "artifacts": [
            {"name": each.text("fileName"), "url": link(f"{url}artifact/{each.text('relativePath')}")}
            for each in build.records("artifacts")
        ]
        or None,
        "jenkins": _rest(build, actions),
    }


def _times(build: Record, status: str) -> Line:
    """Milliseconds since 1970. Jenkins does not say when a build was queued; the end is a sum."""
    begun, lasted = build.number("timestamp"), build.number("duration")
    if begun is None:
        raise build.fault("timestamp", "is missing.")
    try:
        times: Line = {"started_at": from_milliseconds(begun)}
        if status != "running" and lasted is not None:
            times |= {
                "completed_at": from_milliseconds(begun + lasted),
                "completed_at_from": "timestamp + duration",
            }
    except OverflowError:
        raise build.fault("timestamp", "is outside the calendar.") from None
    return times


def _cause(actions: list[Record]) -> Line:
    """Why a build began: of several causes, the first that is of a known kind."""
    causes = [cause for action in actions for cause in action.records("causes")]
    kinds = [_kind(cause) for cause in causes]
    if not causes:
        return {}
    chosen = next((number for number, kind in enumerate(kinds) if kind != "other"), 0)
    cause, kind = causes[chosen], kinds[chosen]
    said = cause.text("shortDescription")
    line: Line = {"trigger": kind, "trigger_name": said}
    project, number = cause.text("upstreamProject"), cause.whole("upstreamBuild", 1)
    if project and number:
        build = {"external_id": identifier(f"{_plain(project)}#{number}")}
        line["trigger_name"] = f"{_plain(project)} #{number}"
        line |= {"rerun_of": build} if kind == "retry" else {"parent": build}
    if kind == "person" and (name := cause.text("userName") or cause.text("userId")):
        line["triggered_by"] = person("jenkins", name, cause.text("userId"), kind="person")
    others = [each.text("shortDescription") for each in causes if each is not cause]
    return line | ({"other_causes": others} if others else {})


def _kind(cause: Record) -> str:
    """The kind of a cause, by its class where the answer has it, else by what only such a cause says."""
    name = (cause.text("_class") or "").rpartition(".")[2].rpartition("$")[2]
    if name in _BY_CLASS:
        return _BY_CLASS[name]
    if "upstreamProject" in cause:
        return "upstream"
    if "userId" in cause or "userName" in cause:
        return "person"
    return "schedule" if cause.text("shortDescription") == "Started by timer" else "other"


def _ref(actions: list[Record], job: str) -> Line | None:
    """Branch and commit: of several repositories, that whose branch names the job; else none is chosen."""
    found = []
    for action in actions:
        revision = action.record("lastBuiltRevision")
        branches = revision.records("branch") if revision else []
        if branches:
            branch = (branches[0].text("name") or "").removeprefix("refs/remotes/").removeprefix("origin/")
            found.append({"branch": branch or None, "commit": branches[0].text("SHA1")})
    named = [ref for ref in found if ref["branch"] and job.endswith(f"/{ref['branch']}")]
    chosen = named or found
    return dict(chosen[0]) if chosen and all(ref == chosen[0] for ref in chosen) else None


def _rest(build: Record, actions: list[Record]) -> Line | None:
    kept = build.rest("_class", "previousBuild", "nextBuild", "fullDisplayName", "id", "executor")
    remotes = [action.value("remoteUrls") for action in actions if "remoteUrls" in action]
    others = [rest for action in actions if (rest := action.rest("_class", "scmName", *_ACTIONS_READ))]
    kept = (
        (kept or {}) | ({"remoteUrls": remotes} if remotes else {}) | ({"actions": others} if others else {})
    )
    return kept or None


def _stages(run: Record, source: str | None) -> Iterator[Line]:
    """The stages of a build of a pipeline. The answer does not name the host: give it as `--source`."""
    links = run.record("_links")
    own = links.record("self") if links else None
    address = own.text("href") if own else None
    if address is None:
        raise run.fault("_links.self.href", "is missing.")
    job, number = _job_and_number(run, "_links.self.href", address)
    if source is None and not urlsplit(address).netloc:
        raise run.fault("_links.self.href", "names no host: say --source jenkins:HOST.")
    seen: set[str] = set()
    for stage in run.records("stages"):
        name = stage.need("name")
        node_id = name if name not in seen else f"{name} #{stage.identifier('id')}"
        seen.add(name)
        yield {
            "type": "step",
            "source": source or f"jenkins:{urlsplit(address).netloc}",
            "external_id": identifier(f"{job}#{number}"),
            "workflow": workflow(job),
            **_stage(stage, node_id),
        }


def _stage(stage: Record, node_id: str) -> Line:
    word = stage.need("status")
    if word not in _STAGES:
        raise stage.fault("status", f"is {word[:50]}, which this reader does not know.")
    status, outcome = _STAGES[word]
    begun, lasted = stage.number("startTimeMillis"), stage.number("durationMillis")
    try:
        started_at = from_milliseconds(begun) if begun else None
        ended_at = from_milliseconds(begun + lasted) if begun and lasted is not None and outcome else None
    except OverflowError:
        raise stage.fault("startTimeMillis", "is outside the calendar.") from None
    node, error = stage.text("execNode"), stage.record("error")
    return {
        "node_id": node_id,
        "node_type": "stage",
        "name": stage.text("name"),
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "started_at": started_at,
        "completed_at": ended_at,
        "worker": node,
        "error": error.text("message") if error else None,
        "jenkins": stage.rest("_links", "stageFlowNodes"),
    }


def _job_and_number(record: Record, field: str, address: str) -> tuple[str, str]:
    """The full name of a job and the number of a build, out of the address of the build."""
    found = _BUILD_ADDRESS.fullmatch(urlsplit(address).path)
    if not found:
        raise record.fault(field, "must be the address of a build, such as …/job/NAME/12/.")
    names = re.split(r"(?:^|/)job/", found["job"])[1:]
    return "/".join(map(_plain, names)), found["number"]


def _plain(name: str) -> str:
    """A name without escapes: a branch `a/b` is a job `a%2Fb`, and `a%252Fb` in addresses."""
    return unquote(unquote(name))


def _job_url(url: str) -> str:
    return url.rstrip("/").rpartition("/")[0] + "/"


READER = Source(
    name="jenkins",
    title="Jenkins",
    reads="Builds as the JSON API of a job or build gives them, and the stages of pipelines from wfapi.",
    commands=(
        "curl -u USER:TOKEN 'https://HOST/job/JOB/api/json?depth=1' > builds.json",
        "flask import --from jenkins builds.json",
    ),
    read=read,
)
