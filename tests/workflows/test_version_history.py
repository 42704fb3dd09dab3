"""Reading the versions of a workflow."""

from datetime import timedelta

import pytest

from portal.auth.access import get_workflow
from portal.errors import NotFound
from portal.input.bounds import MAX_BIGINT
from portal.paging import Slice
from portal.workflows import writing
from portal.workflows.version_history import MAX_COMPARED, count_versions, get_version, list_versions
from tests.definitions.graphs import SCRIPT, checked, graph, node, smallest
from tests.factories import NOON, make_versions, make_workflow
from tests.workflows.conftest import Writer

ALL = Slice(0, 100)
LATER = NOON + timedelta(hours=1)


def test_versions_come_newest_first_with_who_saved_them_and_what_changed(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {"definition": smallest()}, NOON)
    writing.change_workflow(
        writer.with_key(), str(made.id), {"definition": checked()}, NOON + timedelta(hours=1)
    )
    workflow = get_workflow(writer.principal, made.id)
    page = list_versions(workflow, ALL)
    assert page.total == count_versions(workflow) == 2
    second, first = page.rows
    assert (second.number, second.created_at, second.is_current) == (2, LATER, True)
    assert (second.user_name, second.key_name) == ("Ada Lovelace", "test")
    assert (first.number, first.user_id, first.key_name) == (1, writer.user.id, None)
    assert (first.is_current, first.changes) == (False, ())
    assert second.changes
    assert [each.sentence for each in second.changes][-1] == "2 more changes"


def test_a_long_definition_is_not_compared_in_a_list(writer: Writer) -> None:
    long = graph([node(SCRIPT, text="x" * MAX_COMPARED)], [])
    workflow = make_workflow(writer.workspace)
    make_versions(workflow, smallest(), long, smallest(), smallest() | {"note": 1})
    seen = get_workflow(writer.principal, workflow.id)
    changes = [version.changes for version in list_versions(seen, ALL).rows]
    assert [each if not each else len(each) for each in changes] == [1, None, None, ()]
    assert get_version(seen, 2).definition == long


def test_a_page_compares_its_last_version_with_the_first_of_the_next_page(writer: Writer) -> None:
    workflow = make_workflow(writer.workspace)
    make_versions(workflow, *({"note": number} for number in range(5)))
    seen = get_workflow(writer.principal, workflow.id)
    page = list_versions(seen, Slice(1, 2))
    assert [(row.number, bool(row.changes)) for row in page.rows] == [(4, True), (3, True)]
    assert list_versions(seen, Slice(5, 2)).rows == []


@pytest.mark.parametrize("number", [0, -1, 2, MAX_BIGINT, MAX_BIGINT + 1])
def test_a_version_that_there_is_not_is_not_found(writer: Writer, number: int) -> None:
    workflow = make_workflow(writer.workspace)
    make_versions(workflow, smallest())
    with pytest.raises(NotFound):
        get_version(get_workflow(writer.principal, workflow.id), number)


def test_versions_of_another_workflow_are_not_seen(writer: Writer) -> None:
    made = make_workflow(writer.workspace), make_workflow(writer.workspace, "Other")
    make_versions(made[0], smallest(), checked())
    seen = get_workflow(writer.principal, made[1].id)
    assert list_versions(seen, ALL).total == 0
    with pytest.raises(NotFound):
        get_version(seen, 1)
