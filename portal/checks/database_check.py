"""Integrity checks of the database (`flask check`)."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.compatibility import MigrationStatus, read_schema
from portal.database.engine import db
from portal.database.models import Run, Workflow, Workspace
from portal.database.refusals import ReadOnlyDatabase, WriteRefused
from portal.database.sql import text_index
from portal.database.transactions import writing
from portal.runs import counts
from portal.runs.causes import drift as causes
from portal.runs.recording.causes.regrouping import regroup_all
from portal.runs.recording.found_by import drift
from portal.runs.recording.workflow_rows import lock_workflows, touch_workflows


@dataclass(frozen=True)
class CheckResult:
    check: str
    ok: bool
    detail: str


def check_database() -> list[CheckResult]:
    """Run all checks; without a current schema, only the first."""
    with db.engine.connect() as connection:
        schema = read_schema(connection)
    migrated = schema.status == MigrationStatus.NEWEST
    findings = [CheckResult("migrations", migrated, schema.description)]
    if migrated:
        findings += [_integrity(), _run_numbers(), _counts(), _text_index(), _causes()]
    return findings


def repair_counts() -> list[str]:
    """Recount the runs of workflows and workspaces whose counts drifted; returns the names of these.

    Locking a workflow keeps writers out while its runs are counted.
    """
    wrong = _find_drift()
    with writing() as session:
        names = [workflow.name for workflow in lock_workflows(session, wrong)]
        names += session.scalars(sa.select(Workspace.name).where(Workspace.id.in_(wrong)))
        counts.repair(session, wrong)
        drift.repair(session, wrong)
        touch_workflows(session, wrong)
    repair_text_index()
    return names


def repair_text_index() -> None:
    """Make the index of the texts of runs where there is none but could be, and anew where it is wrong."""
    with writing() as session:
        connection = session.connection()
        if text_index.create(connection) and not text_index.is_whole(connection):
            text_index.rebuild(connection)
    text_index.look_again(db.engine)


def _find_drift() -> dict[UUID, list[str]]:
    _begin_snapshot()
    found = counts.find_drift(db.session())
    for workflow_id, wrong in drift.find_drift(db.session()).items():
        found.setdefault(workflow_id, []).extend(wrong)
    return found


def repair_causes() -> bool:
    """Group failed runs anew if their causes are wrong; whether they were."""
    _begin_snapshot()
    wrong = bool(causes.find_drift(db.session()))
    if wrong:
        regroup_all()
    return wrong


def _begin_snapshot() -> None:
    """Compare runs with what is kept beside them in one snapshot, since writers may be active."""
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _counts() -> CheckResult:
    """Whether the stored counts equal a recount."""
    wrong = _find_drift()
    owners = (sa.select(each.id, each.name).where(each.id.in_(wrong)) for each in (Workflow, Workspace))
    names = {row.id: row.name for row in db.session.execute(sa.union_all(*owners))}
    drift = "; ".join(f"{names[key]}: {', '.join(tables)}" for key, tables in wrong.items())
    detail = f"wrong in {drift}. Run: flask check --repair" if wrong else "as recounted"
    return CheckResult("counts", not wrong, detail)


def _text_index() -> CheckResult:
    """Whether the index of texts is that of the texts, where there is one (`flask doctor` says whether)."""
    if db.engine.dialect.name != "sqlite":
        return CheckResult("text index", True, "kept by PostgreSQL")
    try:
        with writing() as session:
            whole = text_index.is_whole(session.connection())
    except (ReadOnlyDatabase, WriteRefused):
        return CheckResult("text index", True, "not compared: the database refuses changes")
    return CheckResult("text index", whole, "as made" if whole else "damaged. Run: flask check --repair")


def _causes() -> CheckResult:
    """Whether failed runs have causes, and these the counts of a recount."""
    _begin_snapshot()
    wrong = causes.find_drift(db.session())
    detail = f"{'; '.join(wrong)}. Run: flask failures regroup" if wrong else "as recounted"
    return CheckResult("causes of failures", not wrong, detail)


def _integrity() -> CheckResult:
    """SQLite's integrity check; PostgreSQL enforces constraints and verifies pages itself."""
    if db.engine.dialect.name != "sqlite":
        return CheckResult("integrity", True, "constraints are enforced by PostgreSQL")
    [verdict] = db.session.execute(sa.text("PRAGMA integrity_check(1)")).scalars().all()
    orphans = len(db.session.execute(sa.text("PRAGMA foreign_key_check")).all())
    return CheckResult(
        "integrity", verdict == "ok" and not orphans, f"{verdict}, {orphans} rows without a parent"
    )


def _run_numbers() -> CheckResult:
    """Whether each workflow's next run number is greater than all in use."""
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
