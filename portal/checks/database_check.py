"""What `flask check` looks at: is the database whole and does it keep its own rules?"""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.compatibility import Standing, read_schema
from portal.database.engine import db
from portal.database.models import Run, Workflow
from portal.database.transactions import writing
from portal.runs import counts
from portal.runs.recording.workflow_rows import lock_workflows, touch_workflows


@dataclass(frozen=True)
class Finding:
    check: str
    ok: bool
    detail: str


def check_database() -> list[Finding]:
    """Every check with its outcome; later ones are left out where the tables are missing."""
    with db.engine.connect() as connection:
        schema = read_schema(connection)
    migrated = schema.standing == Standing.NEWEST
    findings = [Finding("migrations", migrated, schema.words)]
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
        counts.repair(session, wrong)
        touch_workflows(session, wrong)
    return names


def _find_drift() -> dict[UUID, list[str]]:
    """Compare in one snapshot: writers may be at work meanwhile."""
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return counts.find_drift(db.session())


def _counts() -> Finding:
    """The counts kept beside the runs are those of the runs."""
    wrong = _find_drift()
    rows = db.session.execute(sa.select(Workflow.id, Workflow.name).where(Workflow.id.in_(wrong)))
    names = {row.id: row.name for row in rows}
    drift = "; ".join(f"{names[key]}: {', '.join(tables)}" for key, tables in wrong.items())
    said = f"wrong in {drift}. Run: flask check --repair" if wrong else "as recounted"
    return Finding("counts", not wrong, said)


def _integrity() -> Finding:
    """Let SQLite read its file whole; PostgreSQL enforces its constraints and checks its pages itself."""
    if db.engine.dialect.name != "sqlite":
        return Finding("integrity", True, "constraints are enforced by PostgreSQL")
    [verdict] = db.session.execute(sa.text("PRAGMA integrity_check(1)")).scalars().all()
    orphans = len(db.session.execute(sa.text("PRAGMA foreign_key_check")).all())
    return Finding(
        "integrity", verdict == "ok" and not orphans, f"{verdict}, {orphans} rows without a parent"
    )


def _run_numbers() -> Finding:
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
    return Finding(
        "run numbers", not behind, f"behind in {', '.join(behind)}" if behind else "counters are ahead"
    )
