"""Reads everything that the SDK of this release can read of one run, and prints it as JSON.

Run by the tests in a process of its own, so that each release is imported by itself.
"""

import json
import sys
from typing import Any

import onepin


def main(base_url: str, key: str, workflow_id: str, run_id: str, node_id: str) -> None:
    if hasattr(onepin, "OnepinClient"):
        client = onepin.OnepinClient(api_key=key, base_url=base_url)
    else:
        client = onepin.OnePinClient(token=key, base_url=base_url)
    workflows = client.workflows
    flow = {"workflow_id": workflow_id}
    run = flow | {"run_id": run_id}
    steps = getattr(workflows.runs, "steps", None) or workflows.get_run_steps
    answers = {
        "workflows list": workflows.list(),
        "workflows show": workflows.get(**flow),
        "workflows uploads": workflows.list_workflow_uploads(**flow),
        "runs list": workflows.runs.list(**flow),
        "runs show": workflows.runs.get(**run),
        "runs status": workflows.runs.status(**run),
        "runs steps": steps(**run),
        "runs overview": workflows.get_run_overview(**run),
        "runs data": workflows.get_run_data(**run),
        "runs summary": workflows.runs_summary(**flow),
        "download": workflows.download_run(**run),
        "download-node": workflows.download_run_node(**run, node_id=node_id),
    }
    print(json.dumps({name: data_of(answer) for name, answer in answers.items()}))


def data_of(answer: Any) -> Any:
    """What an answer holds; the oldest SDK gives lists that page by themselves."""
    if hasattr(answer, "data"):
        answer = answer.data
    if hasattr(answer, "model_dump"):
        return answer.model_dump(mode="json")
    return [each.model_dump(mode="json") for each in answer]


if __name__ == "__main__":
    main(*sys.argv[1:])
