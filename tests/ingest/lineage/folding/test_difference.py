"""However events arrive, in whatever parts and how often, history comes to what all of them say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.ingest.lineage.folding.difference import difference
from portal.ingest.lineage.folding.events import RunEvent
from portal.ingest.lineage.folding.fold import fold
from tests.ingest.lineage.folding.merging import MergedStore
from tests.ingest.lineage.makers import body, dag_facets, events, states, task_facets

WORDS = ["success", "failed", "skipped", "upstream_failed", "removed", "running", None]

kinds = st.sampled_from(["START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER"])
minutes = st.integers(0, 9)
numbers = st.integers(0, 6)
errors = st.sampled_from([{}, {"errorMessage": {"message": "broken"}}, {"errorMessage": {"message": "torn"}}])


@st.composite
def plain_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Events of runs with parents and roots that agree, contradict each other or go in circles."""
    parent = draw(st.none() | numbers)
    root = draw(st.none() | numbers) if parent is not None else None
    name = draw(st.sampled_from([None, "job", "other"]))
    job_facets = draw(st.sampled_from([{}, {"jobType": {"jobType": "MODEL"}}]))
    return body(
        draw(numbers),
        draw(kinds),
        draw(minutes),
        name,
        parent=parent,
        root=root,
        facets=draw(errors),
        job_facets=job_facets,
    )


@st.composite
def airflow_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Events of two DAG runs, their tasks and what the tasks start; some lack their facets."""
    dag = draw(st.sampled_from([0, 1]))
    about = draw(st.sampled_from(["dag", "task", "job"]))
    if about == "dag":
        facets = draw(st.sampled_from([{}, dag_facets(f"manual__{dag}", start_date="2026-03-01T11:59:00Z")]))
        ended = states(a=draw(st.sampled_from(WORDS)), b=draw(st.sampled_from(WORDS)))
        facets = facets | draw(st.sampled_from([{}, ended])) | draw(errors)
        return body(dag, draw(kinds), draw(minutes), "nightly", facets=facets)
    task, attempt = draw(st.sampled_from("ab")), draw(st.sampled_from([1, 2]))
    of_task = 10 + 10 * dag + 2 * ord(task) + attempt
    if about == "job":
        root = draw(st.none() | st.just(dag))
        return body(100 + of_task, draw(kinds), draw(minutes), parent=of_task, root=root)
    index = draw(st.sampled_from([{}, {}, {"map_index": 0}]))
    facets = draw(st.sampled_from([{}, task_facets(task, attempt, f"manual__{dag}", **index)]))
    found = body(of_task, draw(kinds), draw(minutes), f"nightly.{task}", parent=dag, facets=facets)
    found["run"]["facets"]["parent"]["job"]["name"] = "nightly"
    return found


def settled(known: list[RunEvent]) -> dict[str, Any]:
    """The history of these events, had they come all at once."""
    store = MergedStore()
    store.apply(difference([], fold(known)))
    return store.view()


@pytest.mark.parametrize("bodies", [plain_bodies(), airflow_bodies()], ids=["plain", "airflow"])
def test_parts_in_any_order_come_to_the_same_as_all_events_at_once(bodies: st.SearchStrategy[Any]) -> None:
    @given(sent=st.lists(bodies, min_size=1, max_size=12), data=st.data())
    def check(sent: list[dict[str, Any]], data: st.DataObject) -> None:
        known = list({event.key: event for event in events(*sent)}.values())
        order = data.draw(st.permutations(known))
        sizes = data.draw(st.lists(st.integers(1, 4), min_size=len(known), max_size=len(known)))
        store, arrived = MergedStore(), list[RunEvent]()
        while order:
            before = fold(arrived)
            part, order = order[: sizes[0]], order[sizes.pop(0) :]
            arrived += part
            store.apply(difference(before, fold(arrived + part)))
        assert store.view() == settled(known)

    check()
