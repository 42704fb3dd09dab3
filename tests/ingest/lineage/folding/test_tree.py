"""Which run is a step of which."""

from itertools import permutations
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from portal.ingest.lineage.folding.tree import grow, named_with
from tests.ingest.lineage.folding.test_difference import plain_bodies
from tests.ingest.lineage.makers import body, dag_facets, events, run_id, task_facets


def roots(*bodies: dict[str, Any]) -> dict[int, int]:
    """The root of each run that an event is about, whatever the order of the events."""
    numbers = {UUID(run_id(number)): number for number in range(20)}
    found = []
    for order in permutations(events(*bodies)):
        tree = grow(order)
        found.append({numbers[each.run_id]: numbers[tree.root(each.run_id)] for each in order})
    assert all(each == found[0] for each in found)
    return found[0]


def test_a_run_without_a_parent_is_a_root() -> None:
    assert roots(body(1), body(2)) == {1: 1, 2: 2}


def test_the_parent_of_the_parent_is_the_root_in_any_order() -> None:
    assert roots(body(3, parent=2), body(2, parent=1), body(1)) == {3: 1, 2: 1, 1: 1}


def test_a_parent_that_sent_nothing_is_a_root() -> None:
    assert roots(body(3, parent=2)) == {3: 2}


def test_a_root_that_is_named_is_the_root_of_a_parent_that_sent_nothing() -> None:
    assert roots(body(3, parent=2, root=1)) == {3: 1}
    assert roots(body(3, parent=2, root=1), body(4, parent=2)) == {3: 1, 4: 1}


def test_one_event_with_its_parent_is_enough() -> None:
    assert roots(body(2), body(2, "COMPLETE", 1, parent=1)) == {2: 1}


def test_of_two_parents_the_one_said_later_counts() -> None:
    assert roots(body(3, parent=1), body(3, "COMPLETE", 1, parent=2)) == {3: 2}


def test_a_circle_of_parents_has_a_root() -> None:
    assert roots(body(1, parent=2), body(2, parent=3), body(3, parent=1), body(4, parent=3)) == {
        1: 1,
        2: 1,
        3: 1,
        4: 1,
    }


def test_a_root_below_its_own_step_is_not_believed() -> None:
    assert roots(body(2, parent=1, root=3), body(3, parent=2)) == {2: 1, 3: 1}


def test_a_run_of_a_dag_is_a_root_whatever_started_it() -> None:
    dag = body(2, "START", 0, "nightly", facets=dag_facets(), parent=1, root=1)
    task = body(3, "START", 0, "nightly.a", facets=task_facets("a"), parent=2, root=1)
    task["run"]["facets"]["parent"]["job"]["name"] = "nightly"
    assert roots(dag, task) == {2: 2, 3: 2}
    assert roots(task) == {3: 2}
    assert roots(task, body(4, parent=3, root=1)) == {3: 2, 4: 2}
    assert [len(named_with(event)) for event in events(dag, task)] == [1, 2]


@given(st.lists(plain_bodies(), max_size=20))
def test_every_run_has_a_root(bodies: list[dict[str, Any]]) -> None:
    found = events(*bodies)
    tree = grow(found)
    for event in found:
        assert tree.root(event.run_id) not in tree.parents
