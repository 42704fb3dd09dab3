"""An upgrade and a downgrade with real histories: every list gives the same runs before and after."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask_migrate import downgrade, upgrade

from portal import create_app
from portal.database.engine import db
from portal.database.models import Person, Run, Workflow
from portal.history.importer import import_files
from portal.moments import format_moment
from portal.runs.counts import find_drift
from portal.runs.listing import list_runs
from portal.runs.query import ORDERS, SORTS, RunQuery
from scripts.bench.depths import FILTERS, PAGE
from tests.conftest import settings_for
from tests.factories import NOON, make_workspace, seen

SETS = ("bitcoin-core-ci", "kth-sp2-1996")
RELEASE_BEFORE = "0011"


def values_of(workflow: Workflow) -> dict[str, str]:
    """What the filters of the bench name: the middle of the history, a week from there, and a person."""
    runs = sa.select(Run.created_at).where(Run.workflow_id == workflow.id).order_by(Run.created_at)
    number = db.session.scalar(sa.select(sa.func.count()).where(Run.workflow_id == workflow.id)) or 0
    moments = [db.session.scalars(runs.offset(number * part // 100).limit(1)).one() for part in (50, 60)]
    name = db.session.scalars(sa.select(Person.display_name).order_by(Person.id)).first()
    middle, later = map(format_moment, moments)
    return {"search": name or "a", "from": middle, "to": later, "half": middle}


def answers(workflow: Workflow, values: dict[str, str]) -> Iterator[tuple[object, ...]]:
    """First page, page 1,000 or nine tenths, and last page of every list of the bench."""
    for query, sort, order in product(FILTERS.values(), SORTS, ORDERS):
        arguments = dict(part.split("=", 1) for part in query.format(**values).split("&") if part)
        arguments |= {"sort": sort, "order": order}
        total = list_runs(seen(workflow), parsed(workflow.id, arguments)).total
        for offset in sorted({0, min(999 * PAGE, total * 9 // 10), max(total - PAGE, 0)}):
            page = list_runs(seen(workflow), parsed(workflow.id, {**arguments, "offset": str(offset)}))
            ids = tuple(run.id for run in page.rows)
            yield query, sort, order, offset, page.total, tuple(page.counts.items()), ids


def parsed(workflow_id: UUID, arguments: dict[str, str]) -> RunQuery:
    return RunQuery.parse(arguments, workflow_id=str(workflow_id))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_list_is_the_same_after_a_downgrade_and_an_upgrade(
    request: pytest.FixtureRequest, history: Path, tmp_path: Path, kind: str
) -> None:
    url = (
        f"sqlite:///{tmp_path / 'bare.sqlite3'}"
        if kind == "sqlite"
        else request.getfixturevalue("fresh_postgres_url")
    )
    with create_app(settings_for(url), instance=tmp_path).app_context():
        upgrade()
        workspace = make_workspace()
        files = [history / name / "runs.jsonl.gz" for name in SETS]
        assert import_files(workspace.id, files, now=NOON).ok
        workflows = db.session.scalars(sa.select(Workflow).order_by(Workflow.id)).all()
        values = {workflow.id: values_of(workflow) for workflow in workflows}
        before = {workflow.id: list(answers(workflow, values[workflow.id])) for workflow in workflows}
        assert len(before) == len(SETS)
        db.session.remove()
        downgrade(revision=RELEASE_BEFORE)
        assert "run_buckets" not in sa.inspect(db.engine).get_table_names()
        upgrade()
        again = db.session.scalars(sa.select(Workflow).order_by(Workflow.id)).all()
        assert {each.id: list(answers(each, values[each.id])) for each in again} == before
        assert find_drift(db.session()) == {}
        db.session.remove()
        db.engine.dispose()
