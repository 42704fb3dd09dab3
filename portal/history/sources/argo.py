"""Argo Workflows: workflow objects with the tree of their nodes, as JSON or YAML."""

import re
from collections.abc import Iterator, Mapping

from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import json_values, yaml_values
from portal.history.sources.reading.reader import Input, Line, Made, Source, each
from portal.history.sources.reading.record import Record, flatten
from portal.history.sources.reading.values import identifier, labels, person, workflow

SYSTEM = "argo"

_PHASES: Mapping[str, tuple[str, str | None]] = {
    "Pending": ("pending", None),
    "Running": ("running", None),
    "Succeeded": ("completed", "succeeded"),
    "Skipped": ("cancelled", "skipped"),
    "Omitted": ("cancelled", "skipped"),
    "Failed": ("failed", "failed"),
    "Error": ("failed", "crashed"),
}
_LABEL = "workflows.argoproj.io/"
_GROUPS = ("Steps", "DAG", "StepGroup", "TaskGroup", "Retry")
_TRY = re.compile(r"(.*)\((\d+)\)")
_NODE_READ = ("id", "children", "boundaryID", "resourcesDuration", "templateScope")


def read(source: Input) -> Iterator[Made]:
    head = source.stream.peek(512).lstrip() if hasattr(source.stream, "peek") else b""
    values = json_values(source) if head[:1] in (b"{", b"[") else yaml_values(source)
    for found in values:
        if isinstance(found, BadField):
            yield found
            continue
        objects = (each for place in flatten(found.value, found.path) for each in _items(*place))
        yield from each(objects, lambda place: _lines(Record(*place), source.source(SYSTEM)))


def _items(value: object, path: str) -> Iterator[tuple[object, str]]:
    if isinstance(value, dict) and isinstance(value.get("items"), list):
        yield from Record(value, path).values("items")
    else:
        yield value, path


def _lines(record: Record, source: str) -> Iterator[Line]:
    metadata, status = record.record("metadata"), record.record("status")
    if metadata is None or "spec" not in record:
        raise BadField(record.path, "is no workflow of Argo with metadata and spec.")
    name, namespace = metadata.need("name"), metadata.text("namespace") or "default"
    said = metadata.mapping("labels") or {}
    annotations = metadata.record("annotations")
    spec = Record(record.value("spec"), record.inner("spec"))
    phase, phase_from = _phase(status, said)
    if phase not in _PHASES:
        raise record.fault("status.phase", f"is {phase[:50]}, which this reader does not know.")
    nodes = _nodes(status)
    own = [node for node in nodes if node.text("name") == name]
    fitting, others = labels(said)
    yield {
        "type": "run",
        "source": source,
        "external_id": metadata.text("uid") or identifier(f"{namespace}/{name}"),
        "workflow": _workflow(metadata, spec, said, namespace, name),
        "title": name,
        "status": _PHASES[phase][0],
        "outcome": _PHASES[phase][1],
        "source_status": phase,
        "status_from": phase_from,
        "created_at": metadata.moment("creationTimestamp"),
        "started_at": status.moment("startedAt") if status else None,
        "completed_at": status.moment("finishedAt") if status else None,
        "scheduled_for": annotations.moment(f"{_LABEL}scheduled-time") if annotations else None,
        "error": status.text("message") if status else None,
        **_cause(said),
        "parameters": _parameters(spec),
        "labels": fitting,
        "steps": list(_steps(nodes, name)) or None,
        "argo": {
            "namespace": namespace,
            "labels": others,
            "annotations": annotations.rest() if annotations else None,
            "root": {"type": own[0].text("type"), "message": own[0].text("message")} if own else None,
            "spec": record.value("spec"),
            **((status.rest("nodes", "phase") or {}) if status else {}),
        },
    }


def _phase(status: Record | None, said: Mapping[str, object]) -> tuple[str, str | None]:
    """The phase and, if the status has none, what stands for it: the label, else whether it has begun."""
    if status and (phase := status.text("phase")):
        return phase, None
    label = said.get(f"{_LABEL}phase")
    if isinstance(label, str) and label:
        return label, f"label {_LABEL}phase"
    return ("Running", "startedAt") if status and "startedAt" in status else ("Pending", "nothing")


def _workflow(
    metadata: Record, spec: Record, said: Mapping[str, object], namespace: str, name: str
) -> dict[str, object]:
    """What the run is a run of: a template or cron workflow, else the prefix that its name was made of."""
    reference = spec.record("workflowTemplateRef")
    prefix = (metadata.text("generateName") or name).rstrip("-")
    chosen = (
        (reference.text("name") if reference else None)
        or _text(said.get(f"{_LABEL}cron-workflow"))
        or _text(said.get(f"{_LABEL}workflow-template"))
        or prefix
    )
    return workflow(chosen, external_id=identifier(f"{namespace}/{chosen}"))


def _cause(said: Mapping[str, object]) -> Line:
    cron, sensor = said.get(f"{_LABEL}cron-workflow"), said.get("events.argoproj.io/sensor")
    if isinstance(cron, str):
        return {"trigger": "schedule", "trigger_name": cron}
    if isinstance(sensor, str):
        return {"trigger": "event", "trigger_name": sensor}
    creator = _text(said.get(f"{_LABEL}creator"))
    name = _text(said.get(f"{_LABEL}creator-preferred-username")) or creator
    if name is None:
        return {}
    email = _text(said.get(f"{_LABEL}creator-email"))
    address = email.replace(".at.", "@") if email else None
    return {"trigger": "person", "triggered_by": person(SYSTEM, name, creator, email=address, kind="person")}


def _parameters(spec: Record) -> dict[str, object]:
    arguments = spec.record("arguments")
    return (
        {each.need("name"): each.value("value") for each in arguments.records("parameters")}
        if arguments
        else {}
    )


def _nodes(status: Record | None) -> list[Record]:
    nodes = status.record("nodes") if status else None
    return [Record(node, nodes.inner(name)) for name, node in nodes.items()] if nodes else []


def _steps(nodes: list[Record], run: str) -> Iterator[Line]:
    """The nodes below that of the run, by their names without the run's; tries are attempts of one step."""
    by_id = {node.need("id"): node for node in nodes}
    names = {key: node.need("name").removeprefix(run).lstrip(".") for key, node in by_id.items()}
    groups = _groups(by_id)
    for key, node in sorted(
        by_id.items(), key=lambda item: (item[1].text("startedAt") or "~", names[item[0]])
    ):
        if not names[key]:
            if node.text("type") in _GROUPS:
                continue
            names[key] = node.text("templateName") or run
        parent = groups.get(key) or node.text("boundaryID")
        line = _step(node, names[key], names.get(parent or "") or None)
        attempt = _TRY.fullmatch(names[key])
        if attempt and parent in by_id and by_id[parent].text("type") == "Retry":
            line |= {"node_id": f"{attempt[1]}(try)", "iteration": int(attempt[2]) + 1}
        yield line


def _groups(by_id: Mapping[str, Record]) -> dict[str, str]:
    """The group that holds each node. `children` are otherwise the nodes that come after."""
    found = {}
    for key, node in by_id.items():
        kind, children = node.text("type"), node.value("children")
        if kind not in ("Retry", "TaskGroup", "StepGroup") or not isinstance(children, list):
            continue
        for child in children:
            inner = by_id.get(child) if isinstance(child, str) else None
            if inner and not (kind == "StepGroup" == inner.text("type")):
                found[child] = key
    return found


def _step(node: Record, name: str, parent: str | None) -> Line:
    word = node.text("phase") or "Pending"
    if word not in _PHASES:
        raise node.fault("phase", f"is {word[:50]}, which this reader does not know.")
    status, outcome = _PHASES[word]
    memo, outputs = node.record("memoizationStatus"), node.record("outputs")
    if outcome == "succeeded" and memo and memo.flag("hit"):
        outcome = "cached"
    exit_code = outputs.text("exitCode") if outputs else None
    return {
        "node_id": name,
        "parent_node_id": parent,
        "node_type": node.text("type"),
        "name": node.text("displayName"),
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "started_at": node.moment("startedAt"),
        "completed_at": node.moment("finishedAt"),
        "error": node.text("message") if status == "failed" else None,
        "exit_code": int(exit_code) if exit_code and re.fullmatch(r"\d{1,9}", exit_code) else None,
        "worker": node.text("hostNodeName"),
        "argo": node.rest(*_NODE_READ, "phase", "name"),
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


READER = Source(
    name=SYSTEM,
    title="Argo Workflows",
    reads="Workflow objects, one, many or a list of them, as JSON or YAML.",
    commands=(
        "kubectl get workflows.argoproj.io --all-namespaces -o json > workflows.json",
        "flask import --from argo workflows.json",
    ),
    read=read,
)
