"""What a run would cost, before it is started (contract 3.10)."""

from typing import Annotated

from flask import Response
from pydantic import Field
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import Count, one
from portal.api.operations import operation
from portal.api.request_values import body_and_ids
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.engine.preparing import Overrides
from portal.engine.pricing.estimates import Estimate
from portal.engine.pricing.quotes import Quote, quote_workflow

_OVERAGE = "The portal knows no overage: runs never cost more than the balance."
_DESCRIPTION = "Starts nothing. Refused (422) exactly where starting the run with this body would be."


class NodeEstimateJson(TypedDict):
    """What a node that can run would cost."""

    node_id: str
    node_type: str
    min_credits: Count
    expected_credits: Count
    max_credits: Count


class RunEstimateJson(TypedDict):
    """What a run would cost. The rows may add up to more: each is rounded up by itself."""

    min_credits: Annotated[Count, Field(description="If every line passes every validator at once.")]
    expected_credits: Count
    max_credits: Annotated[Count, Field(description="If every validator uses up its retries.")]
    current_balance: Annotated[Count, Field(description="Without metering 0; runs cost nothing then.")]
    deficit_at_max: Annotated[Count, Field(description="What the balance lacks for max_credits.")]
    can_run: Annotated[bool, Field(description="Whether the balance covers min_credits.")]
    breakdown: list[NodeEstimateJson]
    overage_rate_cents_per_credit: Annotated[float | None, Field(description=_OVERAGE)]
    will_incur_overage: Annotated[bool, Field(description=_OVERAGE)]
    estimated_overage_cents: Annotated[float | None, Field(description=_OVERAGE)]


@bp.post("/workflows/<workflow_id>/runs/preview")
@requires("workflows:read")
@operation(
    tag="Runs", summary="Preview a run", answer=RunEstimateJson, body=Overrides, description=_DESCRIPTION
)
def preview_run(workflow_id: str) -> Response:
    return _estimate(workflow_id)


@bp.post("/workflows/<workflow_id>/estimate")
@requires("workflows:read")
@operation(
    tag="Workflows",
    summary="Estimate a run of a workflow",
    answer=RunEstimateJson,
    body=Overrides,
    description=_DESCRIPTION,
)
def estimate_workflow(workflow_id: str) -> Response:
    return _estimate(workflow_id)


def _estimate(workflow_id: str) -> Response:
    overrides, [found_id] = body_and_ids(Overrides, workflow_id=workflow_id)
    seen = get_workflow(current_principal(), found_id)
    return one(_answer(quote_workflow(seen.id, overrides)))


def _answer(found: Quote) -> RunEstimateJson:
    credits = found.estimate.credits
    return {
        "min_credits": credits.least,
        "expected_credits": credits.expected,
        "max_credits": credits.most,
        "current_balance": found.balance,
        "deficit_at_max": found.deficit_at_most,
        "can_run": found.can_run,
        "breakdown": breakdown(found.estimate),
        "overage_rate_cents_per_credit": None,
        "will_incur_overage": False,
        "estimated_overage_cents": None,
    }


def breakdown(found: Estimate) -> list[NodeEstimateJson]:
    """What each node that can run would cost."""
    return [
        {
            "node_id": row.node_id,
            "node_type": row.node_type,
            "min_credits": row.credits.least,
            "expected_credits": row.credits.expected,
            "max_credits": row.credits.most,
        }
        for row in found.nodes
    ]
