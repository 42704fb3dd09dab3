"""Find runs by what started them, by source, branch, labels and failed steps, and by their texts.

Revision: 0028, after 0027
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
COLUMNS = ("trigger", "source_system", "branch")
CHUNK = 1000
MOST_LABELS, MAX_BRANCH = 100, 500
MAX_ERROR, MAX_PART, BORDER = 2000, 1000, "\x1e"
SQLITE = (
    "CREATE VIRTUAL TABLE run_texts_index USING fts5(text, content='run_texts', content_rowid='id',"
    " tokenize='trigram case_sensitive 1', detail=none, columnsize=0)",
    "CREATE TRIGGER run_texts_inserted AFTER INSERT ON run_texts BEGIN"
    " INSERT INTO run_texts_index(rowid, text) VALUES (new.id, new.text); END",
    "CREATE TRIGGER run_texts_deleted AFTER DELETE ON run_texts BEGIN"
    " INSERT INTO run_texts_index(run_texts_index, rowid, text) VALUES ('delete', old.id, old.text); END",
    "INSERT INTO run_texts_index(run_texts_index) VALUES ('rebuild')",
)
POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX ix_run_texts_text ON run_texts USING gin (text gin_trgm_ops)",
)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

RUNS = sa.table(
    "runs", sa.column("id", ID), sa.column("workflow_id", ID), sa.column("branch"), sa.column("error")
)
DETAILS = sa.table("run_details", sa.column("run_id", ID), sa.column("source", sa.JSON()))
STEPS = sa.table(
    "steps",
    *(sa.column(name) for name in ("position", "node_id", "name", "status", "iteration")),
    sa.column("run_id", ID),
    sa.column("source", sa.JSON()),
)
TERMS = sa.table(
    "run_terms", sa.column("workflow_id", ID), sa.column("term", sa.LargeBinary()), sa.column("run_id", ID)
)
TEXTS = sa.table(
    "run_texts", sa.column("run_id", ID), sa.column("workflow_id", ID), sa.column("text", sa.Text())
)


def upgrade() -> None:
    op.add_column("runs", sa.Column("branch", sa.String(length=500), nullable=True))
    op.create_table(
        "run_terms",
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("term", sa.LargeBinary(length=16), nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
            name=op.f("fk_run_terms_run_id_runs"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("workflow_id", "term", "run_id", name=op.f("pk_run_terms")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_texts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
            name=op.f("fk_run_texts_run_id_runs"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_texts")),
        sa.UniqueConstraint("run_id", name=op.f("uq_run_texts_run_id")),
    )
    connection = op.get_bind()
    _keep_labels_and_branches(connection)
    _keep_failed_steps(connection)
    _keep_texts(connection)
    if connection.dialect.name == "postgresql":  # which changes no table while checks of its rows wait
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.create_index("ix_run_terms_run_id", "run_terms", ["run_id"])
    # There may be no FTS5 with trigrams, or no right to create the extension.
    with suppress(sa.exc.DBAPIError), connection.begin_nested():
        for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
            op.execute(statement)
    op.execute("UPDATE schema_state SET oldest_writer = '0028'")  # others would leave terms out
    for name in COLUMNS:
        known = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_runs_workflow_id_{name}",
            "runs",
            ["workflow_id", name, "status", "created_at", "id", "person_id"],
            sqlite_where=known,
            postgresql_where=known,
        )


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_index(f"ix_runs_workflow_id_{name}", "runs")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE IF EXISTS run_texts_index")
    op.drop_table("run_texts")
    op.drop_table("run_terms")
    op.drop_column("runs", "branch")
    op.execute("UPDATE schema_state SET oldest_writer = '0027'")


def _keep_labels_and_branches(connection: sa.Connection) -> None:
    known = sa.select(RUNS.c.id, RUNS.c.workflow_id, DETAILS.c.source["labels"], DETAILS.c.source["ref"])
    known = known.join_from(RUNS, DETAILS, DETAILS.c.run_id == RUNS.c.id)
    for rows in _pages(connection, known.where(DETAILS.c.source.is_not(None)), RUNS.c.id):
        terms, branches = [], []
        for run_id, workflow_id, labels, ref in rows:
            terms += [(workflow_id, term, run_id) for term in _of_labels(labels)]
            branch = ref.get("branch") if isinstance(ref, dict) else None
            if isinstance(branch, str) and 0 < len(branch) <= MAX_BRANCH:
                branches.append({"run": run_id, "named": branch})
        _insert(connection, terms)
        if branches:
            update = sa.update(RUNS).where(RUNS.c.id == sa.bindparam("run", type_=ID))
            connection.execute(update.values(branch=sa.bindparam("named")), branches)


def _keep_failed_steps(connection: sa.Connection) -> None:
    failed = sa.select(STEPS.c.run_id).where(STEPS.c.status == "failed").distinct().subquery()
    runs = sa.select(RUNS.c.id, RUNS.c.workflow_id).join_from(failed, RUNS, RUNS.c.id == failed.c.run_id)
    for page in _pages(connection, runs, RUNS.c.id):
        workflow_of = dict(tuple(row) for row in page)
        steps: dict[Any, list[Any]] = {}
        for step in connection.execute(sa.select(STEPS).where(STEPS.c.run_id.in_(workflow_of))):
            steps.setdefault(step.run_id, []).append(step)
        _insert(
            connection,
            [(workflow_of[run_id], term, run_id) for run_id in steps for term in _of_steps(steps[run_id])],
        )


def _keep_texts(connection: sa.Connection) -> None:
    members = (DETAILS.c.source["title"], DETAILS.c.source["labels"], DETAILS.c.source["ref"])
    error = sa.func.substr(RUNS.c.error, 1, MAX_ERROR)
    told = sa.select(RUNS.c.id, RUNS.c.workflow_id, error, *members)
    told = told.join_from(RUNS, DETAILS, DETAILS.c.run_id == RUNS.c.id, isouter=True)
    told = told.where(RUNS.c.error.is_not(None) | DETAILS.c.source.is_not(None))
    for page in _pages(connection, told, RUNS.c.id):
        found = [(run_id, of_workflow, _text_of(*parts)) for run_id, of_workflow, *parts in page]
        rows = [dict(zip(("run_id", "workflow_id", "text"), row, strict=True)) for row in found if row[2]]
        if rows:
            connection.execute(sa.insert(TEXTS), rows)


def _text_of(error: str | None, title: object, labels: object, ref: object) -> str:
    named = ref if isinstance(ref, dict) else {}
    parts = [title, *(text for _, text in _labels(labels)), named.get("branch"), named.get("commit")]
    cut = [part[:MAX_PART] for part in parts if isinstance(part, str)] + [error or ""]
    return BORDER.join(text for text in map(_searched, cut) if text)


def _searched(text: str) -> str:
    folded = unicodedata.normalize("NFKC", UNSTORABLE.sub("", text)).casefold()
    return unicodedata.normalize("NFKC", folded).replace(BORDER, " ")


def _pages(connection: sa.Connection, select: Any, key: Any) -> Iterator[list[Any]]:
    """The rows of a select in the order of a key, some at a time."""
    last = None
    while True:
        page = select if last is None else select.where(key > last)
        rows = list(connection.execute(page.order_by(key).limit(CHUNK)))
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _insert(connection: sa.Connection, terms: list[tuple[Any, bytes, Any]]) -> None:
    if terms:
        names = ("workflow_id", "term", "run_id")
        connection.execute(sa.insert(TERMS), [dict(zip(names, row, strict=True)) for row in terms])


def _of_labels(labels: object) -> set[bytes]:
    return {_term("label", f"{key}={text}") for key, text in _labels(labels)}


def _labels(labels: object) -> list[tuple[str, str]]:
    given = labels if isinstance(labels, dict) else {}
    fitting = [(key, each) for key, each in given.items() if isinstance(each, str | int | float)]
    return [(key, each if isinstance(each, str) else json.dumps(each)) for key, each in fitting[:MOST_LABELS]]


def _of_steps(steps: Iterable[Any]) -> set[bytes]:
    failed = [step for step in steps if step.status == "failed"]
    completed: dict[tuple[str, int | None], tuple[int, int]] = {}
    for step in steps:
        if step.status == "completed":
            completed[_copy(step)] = max(completed.get(_copy(step), (0, -1)), (step.iteration, step.position))
    lasting = [s for s in failed if completed.get(_copy(s), (0, -1)) < (s.iteration, s.position)]
    return {_term("step", name) for step in lasting for name in (step.node_id, step.name) if name}


def _copy(step: Any) -> tuple[str, int | None]:
    source: Mapping[str, object] = step.source if isinstance(step.source, dict) else {}
    index = source.get("map_index")
    return step.node_id, index if type(index) is int and 0 <= index < 2**63 else None


def _term(kind: str, text: str) -> bytes:
    return blake2b(f"{kind}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
