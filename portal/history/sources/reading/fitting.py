"""Makes lines fit the format: long texts are cut, and a line without any moment has that of the file."""

from collections.abc import Mapping

from portal.history.sources.reading.reader import Line
from portal.history.sources.reading.values import cut, identifier

LONGEST: Mapping[str, int] = {
    "title": 500,
    "trigger_name": 200,
    "source_status": 50,
    "waiting_for": 200,
    "worker": 200,
    "node_type": 1000,
}
"""Characters of texts that a line may have."""
_OF_A_REF: Mapping[str, int] = {"branch": 500, "tag": 500, "commit": 200, "pull_request": 200}
_OF_A_WORKFLOW: Mapping[str, int] = {"path": 500}
MAX_ARTIFACTS, MAX_ARTIFACT_NAME = 200, 255
MAX_NODE_ID = 1000
_MOMENTS = ("at", "updated_at", "created_at", "started_at", "completed_at")


def fitted(line: Line, modified: str) -> Line:
    """A line as the importer takes it; what is cut stays whole in `cut`."""
    if line.get("type") == "workflow":
        return line
    found = _fitted_step(line)
    for name, longest in (("ref", _OF_A_REF), ("workflow", _OF_A_WORKFLOW)):
        if isinstance(inner := found.get(name), dict):
            found[name] = _cut(inner, longest, keep=name == "ref")
    if isinstance(artifacts := found.get("artifacts"), list):
        found["artifacts"] = [_cut(each, {"name": MAX_ARTIFACT_NAME}) for each in artifacts[:MAX_ARTIFACTS]]
        if len(artifacts) > MAX_ARTIFACTS:
            found["artifacts_left_out"] = len(artifacts) - MAX_ARTIFACTS
    if isinstance(steps := found.get("steps"), list):
        found["steps"] = [_fitted_step(step) for step in steps]
    if not any(found.get(name) for name in _MOMENTS):
        found |= {"at": modified, "at_from": "the file"}
    return found


def _fitted_step(values: Line) -> Line:
    """A step, or a run, which has some of the same fields. Long ids of nodes end with their digests."""
    found = _cut(values, LONGEST)
    for name in ("node_id", "parent_node_id"):
        if isinstance(node := found.get(name), str):
            found[name] = identifier(node, MAX_NODE_ID)
    return found


def _cut(values: Line, longest: Mapping[str, int], *, keep: bool = True) -> Line:
    whole = {
        name: value
        for name, most in longest.items()
        if isinstance(value := values.get(name), str) and len(value) > most
    }
    if not whole:
        return dict(values)
    found = values | {name: cut(value, longest[name]) for name, value in whole.items()}
    return found | {"cut": whole} if keep else found
