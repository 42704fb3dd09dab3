"""What `flask check` looks at: is the database whole and does it keep its own rules?"""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.compatibility import MigrationStatus, read_schema
from portal.database.engine import db
from portal.database.models import Run, Workflow
from portal.database.transactions import writing
from portal.runs import rollup
from portal.runs.recorder import lock_workflows, touch_workflows


@dataclass(frozen=True)
class CheckResult:
    check: str
    ok: bool
    detail: str


def check_database() -> list[CheckResult]:
    """Every check with its outcome; later ones are left out where the tables are missing."""
    with db.engine.connect() as connection:
        schema = read_schema(connection)
    migrated = schema.status == MigrationStatus.NEWEST
    findings = [CheckResult("migrations", migrated, schema.description)]
    if migrated:
        findings += [_integrity(), _run_numbers(), _counts()]
    return findings


def repair_counts() -> list[str]:
    """Count anew the runs of the workflows whose counts are wrong, and name these workflows.

    Holding a workflow keeps its writers out, so what is counted is what is kept.
    """
    wrong = _find_drift()
    with writing() as session:
        names = [workflow.name for workflow in lock_workflows(session, wrong)]
        rollup.repair(session, wrong)
        touch_workflows(session, wrong)
    return names


def _find_drift() -> dict[UUID, list[str]]:
    """Compare in one snapshot: writers may be at work meanwhile."""
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return rollup.find_drift(db.session())


def _counts() -> CheckResult:
    """The counts kept beside the runs are those of the runs."""
    wrong = _find_drift()
    rows = db.session.execute(sa.select(Workflow.id, Workflow.name).where(Workflow.id.in_(wrong)))
    names = {row.id: row.name for row in rows}
    drift = "; ".join(f"{names[key]}: {', '.join(tables)}" for key, tables in wrong.items())
    said = f"wrong in {drift}. Run: flask check --repair" if wrong else "as recounted"
    return CheckResult("counts", not wrong, said)


def _integrity() -> CheckResult:
    """Let SQLite read its file whole; PostgreSQL enforces its constraints and checks its pages itself."""
    if db.engine.dialect.name != "sqlite":
        return CheckResult("integrity", True, "constraints are enforced by PostgreSQL")
    [verdict] = db.session.execute(sa.text("PRAGMA integrity_check(1)")).scalars().all()
    orphans = len(db.session.execute(sa.text("PRAGMA foreign_key_check")).all())
    return CheckResult(
        "integrity", verdict == "ok" and not orphans, f"{verdict}, {orphans} rows without a parent"
    )


def _run_numbers() -> CheckResult:
    """The counter of a workflow stands above every number in use."""
    highest = sa.select(Run.workflow_id, sa.func.max(Run.run_number).label("number")).group_by(
        Run.workflow_id
    )
    used = highest.subquery()
    behind = db.session.scalars(
        sa.select(Workflow.name)
        .join(used, used.c.workflow_id == Workflow.id)
        .where(Workflow.next_run_number <= used.c.number)
    ).all()
    return CheckResult(
        "run numbers", not behind, f"behind in {', '.join(behind)}" if behind else "counters are ahead"
    )
