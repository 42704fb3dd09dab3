"""The tree of nodes of Argo's workflows."""

import json
from typing import Any

import pytest

from portal.history.files.retrieve import Unreadable
from tests.history.sources.reading import faults, read_json, read_text


def a_workflow(*nodes: dict[str, Any], **status: Any) -> dict[str, Any]:
    own = {"id": "w", "name": "w", "type": "DAG", "phase": "Running", "startedAt": "2026-03-01T12:00:00Z"}
    return {
        "metadata": {
            "name": "w",
            "namespace": "ci",
            "uid": "u-1",
            "creationTimestamp": "2026-03-01T11:59:59Z",
        },
        "spec": {
            "workflowTemplateRef": {"name": "dub"},
            "arguments": {"parameters": [{"name": "a", "value": "b"}]},
        },
        "status": {
            "phase": "Running",
            "startedAt": "2026-03-01T12:00:00Z",
            "finishedAt": None,
            "nodes": {node["id"]: node for node in (own, *nodes)},
        }
        | status,
    }


def node(name: str, kind: str = "Pod", **fields: Any) -> dict[str, Any]:
    plain = {"id": name, "name": f"w.{name}", "displayName": name, "type": kind, "phase": "Succeeded"}
    return plain | {"boundaryID": "w", "startedAt": "2026-03-01T12:00:00Z"} | fields


def only(made: list[Any]) -> dict[str, Any]:
    [line] = made
    assert isinstance(line, dict), str(line)
    return line


def steps_of(*nodes: dict[str, Any]) -> list[tuple[str, str | None, int]]:
    line = only(read_json("argo", a_workflow(*nodes)))
    return [(s["node_id"], s.get("parent_node_id"), s.get("iteration", 1)) for s in line.get("steps", [])]


def test_a_run_that_goes_on_has_no_end() -> None:
    line = only(read_json("argo", a_workflow()))
    assert (line["status"], "completed_at" in line, "steps" in line) == ("running", False, False)
    assert (line["external_id"], line["workflow"]) == ("u-1", {"name": "dub", "external_id": "ci/dub"})
    assert line["parameters"] == {"a": "b"}


def test_tries_are_attempts_at_one_step_below_the_retry() -> None:
    retry = node("step", "Retry", children=["step(0)", "step(1)"])
    assert steps_of(retry, node("step(0)", phase="Failed"), node("step(1)")) == [
        ("step", None, 1),
        ("step(try)", "step", 1),
        ("step(try)", "step", 2),
    ]


def test_groups_hold_their_steps_and_what_comes_after_is_no_child() -> None:
    """`children` of a step are those that follow it."""
    nodes = [
        node("[0]", "StepGroup", children=["[0].a", "[0].b"]),
        node("[0].a", children=["[1]"]),
        node("[0].b", children=["[1]"]),
        node("[1]", "StepGroup", children=["[1].c"]),
        node("[1].c"),
    ]
    assert {(name, parent) for name, parent, _ in steps_of(*nodes)} == {
        ("[0]", None),
        ("[0].a", "[0]"),
        ("[0].b", "[0]"),
        ("[1]", None),
        ("[1].c", "[1]"),
    }


def test_a_template_within_a_template_is_the_parent_of_its_nodes() -> None:
    inner = node("outer", "DAG")
    assert ("outer.a", "outer", 1) in steps_of(inner, node("outer.a", boundaryID="outer"))


@pytest.mark.parametrize(
    ("phase", "status", "outcome"),
    [
        ("Omitted", "cancelled", "skipped"),
        ("Skipped", "cancelled", "skipped"),
        ("Error", "failed", "crashed"),
        ("Pending", "pending", None),
    ],
)
def test_each_phase_of_a_node_has_its_own(phase: str, status: str, outcome: str | None) -> None:
    [step] = only(read_json("argo", a_workflow(node("a", phase=phase, finishedAt=None))))["steps"]
    assert (step["status"], step.get("outcome"), step["source_status"]) == (status, outcome, phase)
    assert "completed_at" not in step


def test_a_run_without_a_phase_has_that_of_its_label_and_says_so() -> None:
    document = a_workflow(phase=None)
    document["metadata"]["labels"] = {"workflows.argoproj.io/phase": "Failed"}
    line = only(read_json("argo", document))
    assert (line["status"], line["status_from"]) == ("failed", "label workflows.argoproj.io/phase")
    started = only(read_json("argo", a_workflow(phase=None)))
    assert (started["status"], started["status_from"]) == ("running", "startedAt")


def test_a_run_without_a_uid_is_known_by_its_name() -> None:
    document = a_workflow()
    del document["metadata"]["uid"]
    assert only(read_json("argo", document))["external_id"] == "ci/w"


def test_a_workflow_of_one_pod_has_one_step() -> None:
    document = a_workflow(phase="Succeeded")
    document["status"]["nodes"]["w"] |= {"type": "Pod", "templateName": "speak", "outputs": {"exitCode": "0"}}
    [step] = only(read_json("argo", document))["steps"]
    assert (step["node_id"], step["exit_code"]) == ("speak", 0)


def test_lists_are_read_as_json_and_several_documents_as_yaml() -> None:
    assert len(read_json("argo", {"kind": "List", "items": [a_workflow(), a_workflow()]})) == 2
    text = "\n---\n".join(json.dumps(a_workflow(), indent=1) for _ in range(2))
    assert len(read_text("argo", f"# workflows\n{text}")) == 2


def test_a_memoized_node_is_cached() -> None:
    [step] = only(read_json("argo", a_workflow(node("a", memoizationStatus={"hit": True}))))["steps"]
    assert (step["status"], step["outcome"]) == ("completed", "cached")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x [1]\nb: *x\n", "Line 2 has an alias, which is not read."),
        ("a: [1\n", "The file is not YAML"),
        ("a: " + "[" * 70, "nested deeper than 64 levels"),
        ("a: \x00", "The file is not YAML"),
    ],
)
def test_yaml_that_is_broken_or_would_grow_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason.replace("(", r"\(")):
        read_text("argo", text)


def test_what_cannot_be_mapped_is_named_with_its_place() -> None:
    broken = a_workflow(node("a", phase="Odd"))
    made = read_json("argo", {"items": [broken, {"kind": "Pod"}]})
    assert faults(made) == [
        ("items[0].status.nodes.a.phase", "is Odd, which this reader does not know."),
        ("items[1]", "is no workflow of Argo with metadata and spec."),
    ]
