"""Events go when they are not needed any more, and what comes later finds the run that they told of."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from flask import Flask

from portal.database.models import Workspace
from portal.ingest.lineage import store
from portal.ingest.lineage.pruning import AFTER_END, SILENT, prune
from tests.factories import NOON, make_workspace
from tests.ingest.lineage.makers import body, dag_facets, link, run_id
from tests.ingest.lineage.stored import rows_left, send, steps_of, stored

SECOND = timedelta(seconds=1)


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def test_events_are_kept_for_a_day_after_the_last_one_of_a_run_that_ended(workspace: Workspace) -> None:
    send(workspace.id, body(1), body(1, "COMPLETE", 3))
    later = NOON + timedelta(hours=5)
    send(workspace.id, body(2, "COMPLETE", 2, parent=1), now=later)
    before = stored()
    assert prune(later + AFTER_END) == 0
    assert prune(later + AFTER_END + SECOND) == 3
    assert stored() == before
    assert rows_left() == {"lineage_events": 0, "lineage_runs": 1}


def test_events_of_a_run_that_never_ends_are_kept_for_a_month(workspace: Workspace) -> None:
    send(workspace.id, body(1), body(2, parent=1))
    assert prune(NOON + SILENT) == 0
    assert prune(NOON + SILENT + SECOND) == 2
    assert len(stored()) == 1


@pytest.mark.slow
def test_a_later_event_finds_the_run_by_the_id_of_its_root(workspace: Workspace) -> None:
    send(workspace.id, body(1, "START", 0, "nightly", facets=dag_facets()), body(1, "FAIL", 3, "nightly"))
    assert prune(NOON + SILENT) == 2
    send(workspace.id, body(5, "COMPLETE", 2, "app", facets={"parent": link(7) | {"root": link(1)}}))
    send(workspace.id, body(1, "COMPLETE", 4, "nightly"))
    assert list(stored()) == [("airflow", "nightly/manual__1")]
    assert stored()["airflow", "nightly/manual__1"]["status"] == "completed"
    assert steps_of(stored()) == {("app", None, 1): ("completed", "succeeded")}
    assert prune(NOON + SILENT) == 2
    assert rows_left() == {"lineage_events": 0, "lineage_runs": 1}


def test_the_identity_of_a_run_whose_events_are_gone_stays(workspace: Workspace) -> None:
    send(workspace.id, body(1, "COMPLETE", 3, "nightly"))
    prune(NOON + SILENT)
    send(workspace.id, body(1, "FAIL", 4, "nightly", facets=dag_facets()))
    assert {key: run["status"] for key, run in stored().items()} == {
        ("openlineage:prod", run_id(1)): "failed"
    }


def test_runs_that_were_only_named_are_forgotten(workspace: Workspace) -> None:
    send(
        workspace.id, body(2, "START", 1, parent=1), body(2, "COMPLETE", 2, parent=4), body(4, "COMPLETE", 3)
    )
    assert list(stored()) == [("openlineage:prod", run_id(4))]
    assert rows_left()["lineage_runs"] == 3
    prune(NOON + SILENT)
    assert rows_left() == {"lineage_events": 0, "lineage_runs": 1}


def test_events_that_no_fold_takes_go_in_the_end(workspace: Workspace) -> None:
    with patch.object(store, "difference", side_effect=ZeroDivisionError):
        send(workspace.id, body(1))
    assert prune(NOON + SILENT) == 0
    assert prune(NOON + SILENT + SECOND) == 1
    assert rows_left()["lineage_events"] == 0


def test_each_workspace_is_pruned(workspace: Workspace) -> None:
    other = make_workspace("other", "Other")
    for each in (workspace, other):
        send(each.id, body(1, "COMPLETE", 3))
    assert prune(NOON + SILENT) == 2
