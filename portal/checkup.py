"""What `flask check` looks at: is the database whole and does it keep its own rules?"""

from dataclasses import dataclass

import sqlalchemy as sa

from portal.db import db
from portal.health import is_migrated
from portal.models import Run, Workflow


@dataclass(frozen=True)
class Finding:
    check: str
    ok: bool
    detail: str


def check_database() -> list[Finding]:
    """Every check with its outcome; later ones are left out where the tables are missing."""
    migrated = is_migrated()
    findings = [Finding("migrations", migrated, "at the newest" if migrated else "run: flask db upgrade")]
    if migrated:
        findings += [_integrity(), _run_numbers()]
    return findings


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
