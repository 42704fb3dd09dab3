"""The page of one run."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup, Tag

from portal.database.models import Run, RunDetail, Step
from portal.database.transactions import writing
from tests.factories import NOON, make_detail, make_person, make_run, make_workflow, make_workspace
from tests.pages.conftest import HTMX, Browser, one, parsed


def test_a_run_shows_everything_that_is_known(browser: Browser) -> None:
    run = make_run(
        browser.workflow,
        make_person(browser.workspace, "Grace Hopper"),
        run_number=1204,
        status="failed",
        error="voice <Lena> is gone",
        started_at=NOON,
        completed_at=NOON + timedelta(seconds=252),
        usage_summary={"api_calls": 1525, "cpu_seconds": 2.5, "note": "a & b"},
        total_steps=2,
        finished_steps=1,
    )
    detail = RunDetail(
        run_id=run.id,
        definition_snapshot={"graph": {"nodes": []}},
        source={"source_status": "ABORTED", "labels": {"branch": "main"}},
    )
    step = Step(
        run_id=run.id, position=0, node_id="n1", node_type="sink", status="failed", iteration=2, error="boom"
    )
    with writing() as session:
        session.add(detail)
        session.flush()
        session.add(step)
    answer = browser.open(f"{browser.list_path}/{run.id}")
    assert answer.status_code == 200
    text = " ".join(parsed(answer).get_text(" ").split())
    for expected in (
        "Run #1,204",
        "Failed",
        "Grace Hopper",
        "voice <Lena> is gone",
        "4 m 12 s",
        "API calls 1,525",
        "a & b",
        "ABORTED",
        "main",
        "n1",
        "boom",
        '"graph"',
        str(run.id),
    ):
        assert expected in text


def test_a_run_about_which_little_is_known_says_so(browser: Browser) -> None:
    run = make_run(browser.workflow)
    text = browser.open(f"{browser.list_path}/{run.id}").text
    assert "No steps were recorded" in text
    assert "The definition was not recorded" in text


def test_a_creation_that_was_not_recorded_is_nowhere_told_as_one(browser: Browser) -> None:
    run = make_run(browser.workflow, started_at=NOON, completed_at=NOON + timedelta(seconds=1))
    make_detail(run, source={"created_at_from": "started_at"})
    page = parsed(browser.open(f"{browser.list_path}/{run.id}"))
    created = [text_of(fact) for fact in page.select("dl > div") if text_of(fact).startswith("Created")]
    assert created == ["Created Not recorded", "Created Not recorded: lists sort it by its start"]


def test_a_permanent_link_leads_to_the_run(browser: Browser) -> None:
    run = make_run(browser.workflow)
    answer = browser.open(f"/runs/{run.id}")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{browser.list_path}/{run.id}"


def test_foreign_absent_and_garbled_runs_are_not_found(browser: Browser) -> None:
    foreign = make_run(make_workflow(make_workspace("other", "Other")))
    other = make_run(make_workflow(browser.workspace, "Another"))
    paths = [f"/runs/{foreign.id}", f"/runs/{uuid4()}", "/runs/nonsense"]
    paths += [f"{browser.list_path}/{run_id}" for run_id in (foreign.id, other.id, uuid4(), "nonsense")]
    assert {browser.open(path).status_code for path in paths} == {404}


def test_a_broken_list_address_behind_a_run_leads_back_to_the_whole_list(browser: Browser) -> None:
    run = make_run(browser.workflow)
    page = parsed(browser.open(f"{browser.list_path}/{run.id}?limit=500"))
    assert one(page, "#back")["href"] == browser.list_path


def add_steps(run: Run, *steps: dict[str, Any]) -> None:
    with writing() as session:
        for position, columns in enumerate(steps):
            values = {"node_id": f"n{position}", "node_type": "task", "status": "completed", "iteration": 1}
            session.add(Step(run_id=run.id, position=position, **(values | columns)))


def seconds(first: float, last: float) -> dict[str, Any]:
    return {"started_at": NOON + timedelta(seconds=first), "completed_at": NOON + timedelta(seconds=last)}


def text_of(element: Tag | BeautifulSoup) -> str:
    return " ".join(element.get_text(" ").split())


def test_the_first_failed_step_and_the_reason_stand_on_top(browser: Browser) -> None:
    run = make_run(browser.workflow, status="failed", error="no voice")
    add_steps(
        run,
        {"name": "Retried", "status": "failed", "error": "first try", "node_id": "a", **seconds(0, 1)},
        {"name": "Retried", "node_id": "a", "iteration": 2, **seconds(1, 2)},
        {"name": "Broken", "status": "failed", "error": "out of memory", **seconds(2, 5)},
    )
    page = parsed(browser.open(f"{browser.list_path}/{run.id}"))
    notice = text_of(one(page, "#failure"))
    assert "First failed step: Broken , after 3 s, 5 s into the run" in notice
    assert "no voice" in notice
    assert "out of memory" in notice
    assert "first try" not in notice
    assert len(page.select("#timeline .lanes .mark")) == 2


def test_a_failure_without_a_failed_step_says_so(browser: Browser) -> None:
    run = make_run(browser.workflow, status="failed")
    add_steps(run, seconds(0, 1))
    notice = text_of(one(parsed(browser.open(f"{browser.list_path}/{run.id}")), "#failure"))
    assert "None of the recorded steps failed. The source gave no reason." in notice


def test_steps_that_ran_before_their_run_are_shown_and_pointed_out(browser: Browser) -> None:
    run = make_run(browser.workflow, started_at=NOON + timedelta(minutes=5))
    add_steps(run, seconds(0, 1), seconds(300, 301), {"status": "completed"})
    page = parsed(browser.open(f"{browser.list_path}/{run.id}"))
    odd = text_of(one(page, "#timeline .oddities"))
    assert "1 step began before the run's recorded start" in odd
    assert "1 step has no recorded start and is only in the table" in odd
    assert len(page.select("#steps tbody tr")) == 3


@pytest.mark.slow
def test_a_run_of_thousands_of_steps_stays_small(browser: Browser) -> None:
    run = make_run(browser.workflow)
    add_steps(
        run,
        *({"node_type": f"type {n % 3}", "name": f"Step {n}", **seconds(n, n + 5)} for n in range(2000)),
    )
    answer = browser.open(f"{browser.list_path}/{run.id}")
    page = parsed(answer)
    assert len(answer.data) < 120_000
    assert [link.text for link in page.select(".lane-name")] == ["type 0", "type 1", "type 2"]
    assert len(page.select("#steps tbody tr")) == 50
    assert page.select("#overview-note")
    opened = parsed(browser.open(str(page.select(".lane-name")[1]["href"]).split("#")[0]))
    assert [name.text for name in opened.select(".lane-name")][:2] == ["Step 1", "Step 4"]
    assert "667" in text_of(one(opened, "#steps .pager p"))


@pytest.mark.slow
def test_zooms_are_plain_links_that_keep_the_list_behind(browser: Browser) -> None:
    run = make_run(browser.workflow)
    add_steps(run, seconds(0, 10), seconds(10, 100))
    page = parsed(browser.open(f"{browser.list_path}/{run.id}?status=completed"))
    link = str(one(page, "#zoom-in")["href"])
    assert link == f"{browser.list_path}/{run.id}?status=completed&from_ms=25000&to_ms=75000#timeline"
    zoomed = parsed(browser.open(link.split("#")[0]))
    assert [name.text for name in zoomed.select(".lane-name")] == ["n1"]
    assert {each["id"] for each in zoomed.select(".zooms a")} == {
        "zoom-in",
        "zoom-out",
        "zoom-earlier",
        "zoom-later",
        "zoom-whole",
    }


def test_a_bad_window_is_refused_with_the_field(browser: Browser) -> None:
    run = make_run(browser.workflow)
    answer = browser.open(f"{browser.list_path}/{run.id}?from_ms=soon")
    assert answer.status_code == 422
    assert "from_ms" in answer.text


@pytest.mark.slow
def test_the_runs_beside_are_those_of_the_list_one_came_from(browser: Browser) -> None:
    runs = [
        make_run(browser.workflow, run_number=n, status=status, created_at=NOON + timedelta(minutes=n))
        for n, status in enumerate(("failed", "completed", "failed", "completed", "failed"), start=1)
    ]
    page = parsed(browser.open(f"{browser.list_path}/{runs[2].id}?status=failed&limit=10"))
    previous, following = one(page, "#run-previous"), one(page, "#run-next")
    assert previous["href"] == f"{browser.list_path}/{runs[4].id}?status=failed&limit=10"
    assert following["href"] == f"{browser.list_path}/{runs[0].id}?status=failed&limit=10"
    first = parsed(browser.open(f"{browser.list_path}/{runs[4].id}?status=failed"))
    assert not first.select("#run-previous")


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("", ["‹ Newer run", "Older run ›"]),
        ("order=asc", ["‹ Older run", "Newer run ›"]),
        ("sort=status", ["‹ Previous run", "Next run ›"]),
    ],
)
def test_the_runs_beside_are_named_for_the_order_of_the_list(
    browser: Browser, query: str, labels: list[str]
) -> None:
    runs = [
        make_run(browser.workflow, run_number=n, created_at=NOON + timedelta(minutes=n)) for n in range(1, 4)
    ]
    status_order = sorted(runs, key=lambda run: run.id)
    path = f"{browser.list_path}/{(status_order if 'status' in query else runs)[1].id}?{query}"
    beside = parsed(browser.open(path)).select("#run-previous, #run-next")
    assert [str(link.contents[0]).strip() for link in beside] == labels


def test_the_fragment_holds_what_the_page_holds_and_is_no_page(browser: Browser) -> None:
    run = make_run(browser.workflow, status="completed", started_at=NOON, completed_at=NOON)
    add_steps(run, seconds(0, 1))
    path = f"{browser.list_path}/{run.id}"
    fragment = browser.open(f"{path}/view?to_ms=500", headers=HTMX)
    page = browser.open(f"{path}?to_ms=500")
    assert str(one(parsed(fragment), "#run")) == str(one(parsed(page), "#run"))
    assert fragment.headers["HX-Push-Url"] == f"{path}?to_ms=500"
    assert browser.open(f"{path}/view?to_ms=500").headers["Location"] == f"{path}?to_ms=500"


def test_parameters_that_nobody_knows_go_nowhere(browser: Browser) -> None:
    run = make_run(browser.workflow)
    path = f"{browser.list_path}/{run.id}"
    answer = browser.open(f"{path}/view?workflow_id=x&_external=1&_scheme=evil&to_ms=500")
    assert answer.headers["Location"] == f"{path}?to_ms=500"


def test_what_is_usual_stands_beside_the_duration(browser: Browser) -> None:
    for minute in range(10):
        begun = NOON - timedelta(days=1)
        make_run(
            browser.workflow,
            created_at=begun,
            started_at=begun,
            completed_at=begun + timedelta(minutes=1, seconds=minute),
        )
    slow = make_run(browser.workflow, started_at=NOON, completed_at=NOON + timedelta(minutes=9))
    text = text_of(one(parsed(browser.open(f"{browser.list_path}/{slow.id}")), ".headline"))
    assert "9 m 00 s Slower than usual, 8.4 ×" in text
    assert "The last 10 good runs before that day" in text


def test_the_definition_is_drawn_with_the_states_of_its_nodes(browser: Browser) -> None:
    run = make_run(browser.workflow)
    nodes = [{"id": "n0", "type": "source_script"}, {"id": "n1", "type": "sink"}]
    graph = {"nodes": nodes, "edges": [{"source": "n0", "target": "n1"}]}
    with writing() as session:
        session.add(RunDetail(run_id=run.id, definition_snapshot={"graph": graph}))
    add_steps(run, {"name": "Script", **seconds(0, 1)}, {"status": "failed", **seconds(1, 2)})
    page = parsed(browser.open(f"{browser.list_path}/{run.id}"))
    assert [text_of(box) for box in page.select(".graph svg svg text")][:1] == ["Script"]
    rows = [text_of(row) for row in page.select("#definition tbody tr")]
    assert rows == ["Script source_script – Completed", "n1 sink Script Failed"]


@pytest.mark.slow
def test_a_run_costs_the_same_number_of_queries_however_long_it_is(
    browser: Browser, count_queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    short, long = make_run(browser.workflow), make_run(browser.workflow)
    add_steps(short, seconds(0, 1))
    add_steps(long, *(seconds(n, n + 1) for n in range(300)))
    numbers = []
    for run in (short, long):
        browser.open(f"{browser.list_path}/{run.id}")
        with count_queries() as queries:
            browser.open(f"{browser.list_path}/{run.id}")
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 20


@pytest.mark.slow
def test_only_an_active_run_is_followed_and_that_leaves_the_address_alone(browser: Browser) -> None:
    active, ended = make_run(browser.workflow, status="running", started_at=NOON), make_run(browser.workflow)
    poll = one(parsed(browser.open(f"{browser.list_path}/{active.id}?to_ms=5")), "#run-poll")
    assert (poll["data-poll"], poll["hx-get"]) == ("on", f"{browser.list_path}/{active.id}/live?to_ms=5")
    answer = browser.open(str(poll["hx-get"]), headers=HTMX)
    assert one(parsed(answer), "#run .headline [data-ticks]")
    assert not {"HX-Push-Url", "HX-Replace-Url"} & set(answer.headers.keys())
    page = parsed(browser.open(f"{browser.list_path}/{ended.id}"))
    assert one(page, "#run-poll")["data-poll"] == "off"
    assert not page.select("#live-switch")
