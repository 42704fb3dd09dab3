"""Ids of runs and workflows that another system names by words of its own."""

from uuid import UUID, uuid5


def run_id(workspace_id: UUID, source: str, external_id: str, attempt: int = 1) -> UUID:
    """The id of one attempt at a run, the same for every way in."""
    return uuid5(workspace_id, f"run\n{source}\n{external_id}\n{attempt}")


def workflow_id(workspace_id: UUID, source: str, external_id: str) -> UUID:
    """The id of a workflow; `external_id` is its name where the source has no other id for it."""
    return uuid5(workspace_id, f"workflow\n{source}\n{external_id}")
