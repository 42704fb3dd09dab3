"""Events as clients send them, each with what matters to the test; and those that were recorded."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from portal.ingest.lineage.folding.difference import lines_of
from portal.ingest.lineage.folding.events import RunEvent, read_event
from portal.ingest.lineage.folding.fold import fold

Body = dict[str, Any]
NAMESPACE = "prod"


def run_id(number: int) -> str:
    return str(UUID(int=number + 0x1234 << 96))


def body(
    run: int,
    kind: str | None = "START",
    minute: float = 0,
    name: str | None = None,
    /,
    *,
    parent: int | None = None,
    root: int | None = None,
    facets: Body | None = None,
    job_facets: Body | None = None,
    **changed: Any,
) -> Body:
    """An event about a run at so many minutes past noon."""
    seconds = round(minute * 60)
    found = dict(facets or {})
    if parent is not None:
        found["parent"] = link(parent) | ({"root": link(root)} if root is not None else {})
    event: Body = {
        "eventTime": f"2026-03-01T12:{seconds // 60:02}:{seconds % 60:02}Z",
        "run": {"runId": run_id(run), "facets": found},
        "job": {"namespace": NAMESPACE, "name": name or f"job{run}", "facets": job_facets or {}},
        "producer": "https://example.com/producer",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }
    return event | ({"eventType": kind} if kind else {}) | changed


def link(run: int, name: str | None = None) -> Body:
    job = {"namespace": NAMESPACE, "name": name or f"job{run}"}
    return {"run": {"runId": run_id(run)}, "job": job}


def dag_facets(run: str = "manual__1", dag: str = "nightly", **of_run: Any) -> Body:
    """Facets of an event about a run of an Airflow DAG."""
    return {"airflowDagRun": {"dag": {"dag_id": dag}, "dagRun": {"dag_id": dag, "run_id": run, **of_run}}}


def task_facets(
    task: str, attempt: int | None = 1, run: str = "manual__1", dag: str = "nightly", **of_instance: Any
) -> Body:
    """Facets of an event about a task of an Airflow DAG."""
    instance = of_instance | ({"try_number": attempt} if attempt is not None else {})
    about = dag_facets(run, dag)["airflowDagRun"]
    return {"airflow": about | {"task": {"task_id": task}, "taskInstance": instance}}


def states(**by_task: str | None) -> Body:
    """The facet in which the last event of a DAG says how its tasks ended up."""
    return {"airflowState": {"dagRunState": "success", "tasksState": by_task}}


def events(*bodies: Body, source: str | None = None) -> list[RunEvent]:
    found = [read_event(each, source) for each in bodies]
    return [event for event in found if event is not None]


def folded(*bodies: Body) -> list[Body]:
    """The lines that these events fold into."""
    return [line for run in fold(events(*bodies)) for _, line in lines_of(run)]


def steps_of(*bodies: Body) -> dict[tuple[Any, ...], Body]:
    """The steps of the one run that these events fold into, each as all of its lines say."""
    [run] = fold(events(*bodies))
    found: dict[tuple[Any, ...], Body] = {}
    for key, line in lines_of(run):
        if key is not None:
            found[key] = line | found.get(key, {})
    return found


def recorded(history: Path, client: str) -> list[Body]:
    """What a real client sent, in its order."""
    files = sorted((history / "recordings").glob(f"{client}*.body"))
    assert files, client
    return [json.loads(unpacked(file.read_bytes())) for file in files]


def unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def samples(history: Path) -> Iterator[tuple[str, Body]]:
    """Every sample with the name of its file."""
    for file in sorted((history / "sources" / "openlineage").iterdir()):
        for text in [file.read_bytes()] if file.suffix == ".json" else file.read_bytes().splitlines():
            yield file.stem, json.loads(text)
