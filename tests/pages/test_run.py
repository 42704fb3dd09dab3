"""The page of one run."""

from datetime import timedelta
from uuid import uuid4

from portal.db import writing
from portal.models import RunDetail, Step
from tests.factories import NOON, make_person, make_run, make_workflow, make_workspace
from tests.pages.conftest import Browser, one, parsed


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
    assert one(page, ".title .end a")["href"] == browser.list_path
