"""What a run of a workflow would cost, and what its workspace has."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import Upload, UploadCategory, UploadStatus, Workflow
from portal.definitions.pipeline import PipelineNode
from portal.engine import pricing
from portal.engine.preparing import SCRIPT, Overrides, Prepared, prepare, read_earlier
from portal.engine.preparing.abilities import site
from portal.engine.pricing.credits import metered_balance
from portal.engine.pricing.estimates import Estimate, estimate
from portal.input import parameters
from portal.workflows.uploads.formats import examine


@dataclass(frozen=True)
class Quote:
    """The cost of a run, held against the balance. Without metering both are 0."""

    estimate: Estimate
    balance: int
    metered: bool

    @property
    def can_run(self) -> bool:
        return self.estimate.credits.least <= self.balance

    @property
    def deficit_at_most(self) -> int:
        """What the balance lacks for the dearest outcome."""
        return max(0, self.estimate.credits.most - self.balance)


def quote(session: Session, workflow: Workflow, prepared: Prepared) -> Quote:
    """What a prepared run of a workflow would cost."""
    balance = metered_balance(session, workflow.workspace_id)
    prices = {} if balance is None else pricing.prices()
    plan = prepared.plan
    characters = {
        source: _characters(session, workflow, plan.nodes[source]) if prices else 0 for source in plan.sources
    }
    return Quote(estimate(plan, characters, prices), balance or 0, balance is not None)


def quote_workflow(workflow_id: UUID, overrides: Overrides) -> Quote:
    """What a run of a live workflow would cost now, in the request's session. Raises InvalidQuery."""
    session = db.session()
    workflow = session.get_one(Workflow, workflow_id)
    return quote(session, workflow, prepare(session, workflow, overrides, site(session)))


def quote_definition(workflow_id: UUID, definition: JsonObject) -> Quote:
    """The same with another definition, saved or not. Raises InvalidQuery."""
    session = db.session()
    workflow = session.get_one(Workflow, workflow_id)
    return quote(session, workflow, prepare(session, workflow, Overrides(), site(session), definition))


def quote_again(workflow_id: UUID, run_id: UUID) -> Quote:
    """The same with the definition that a run of it had. Raises NotFound, InvalidQuery."""
    definition, _ = read_earlier(db.session(), workflow_id, run_id)
    return quote_definition(workflow_id, definition)


def _characters(session: Session, workflow: Workflow, node: PipelineNode) -> int:
    """The characters of a source's script, as uploads count them; 0 where nobody has counted."""
    if node.type.slug != SCRIPT:
        return 0
    match node.setting("input_type"):
        case "text":
            return examine("txt", node.setting("text").encode()).char_count or 0
        case "file" if ids := [parameters.uuid(each) for each in node.setting("upload_ids")]:
            return _of_uploads(session, ids)
        case "file":
            return _of_newest(session, workflow.id)
        case _:
            return 0


def _of_uploads(session: Session, ids: list[UUID]) -> int:
    counted = sa.select(Upload.id, Upload.char_count).where(Upload.id.in_(set(ids)))
    found = {row.id: row.char_count for row in session.execute(counted)}
    return sum(found.get(upload_id) or 0 for upload_id in ids)


def _of_newest(session: Session, workflow_id: UUID) -> int:
    newest = (
        sa.select(Upload.char_count)
        .where(
            Upload.workflow_id == workflow_id,
            Upload.category == UploadCategory.SCRIPT,
            Upload.status == UploadStatus.UPLOADED,
        )
        .order_by(Upload.created_at.desc(), Upload.id.desc())
        .limit(1)
    )
    return session.scalar(newest) or 0
