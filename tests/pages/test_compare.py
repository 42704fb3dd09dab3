"""One run beside another."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup

from portal.database.models import Run
from tests.factories import (
    NOON,
    make_detail,
    make_output,
    make_run,
    make_workflow,
    make_workspace,
)
from tests.pages.conftest import Browser, one, parsed
from tests.pages.test_run import add_steps, seconds, text_of


def path_of(browser: Browser, run: Run, query: str = "") -> str:
    return f"{browser.list_path}/{run.id}/compare{query}"


def look(browser: Browser, run: Run, query: str = "", status: int = 200) -> BeautifulSoup:
    answer = browser.open(path_of(browser, run, query))
    assert answer.status_code == status
    return parsed(answer)


def ran(browser: Browser, number: int, status: str = "completed", **columns: Any) -> Run:
    created = NOON + timedelta(hours=number)
    times = {"created_at": created, "started_at": created, "completed_at": created + timedelta(minutes=1)}
    return make_run(browser.workflow, run_number=number, status=status, **(times | columns))


def rows(page: BeautifulSoup) -> list[str]:
    return [text_of(row) for row in page.select(".differences tbody tr")]


@pytest.mark.slow
def test_the_last_good_run_before_it_is_chosen_and_only_what_differs_is_shown(browser: Browser) -> None:
    ran(browser, 1)
    good = ran(browser, 2, usage_summary={"api_calls": 10, "cpu_seconds": 1}, credits=5)
    bad = ran(
        browser, 4, "failed", error="no <voice>", usage_summary={"api_calls": 12, "cpu_seconds": 1}, credits=5
    )
    ran(browser, 3, "failed")
    ran(browser, 5)
    for run, voice in ((good, "Lena"), (bad, "Noah")):
        nodes = [
            {"id": "n1", "type": "sink_preview", "config": {"voice": voice}, "position": {"x": len(voice)}}
        ]
        make_detail(
            run,
            definition_snapshot={"graph": {"nodes": nodes}},
            source={"source_id": str(run.id), "labels": {"branch": voice, "team": "dub"}},
        )
    page = look(browser, bad)
    assert "Run #4 compared with #2 The last successful run before it" in text_of(one(page, ".title"))
    assert rows(page) == [
        "Status Failed Completed –",
        "Error no <voice> No error –",
        "Branch Noah Lena –",
        "graph.nodes.n1.config.voice Noah Lena –",
        "API calls 12 10 +2",
    ]


def test_without_a_good_run_before_the_first_after_it_stands_in(browser: Browser) -> None:
    first, good = ran(browser, 1, "failed"), ran(browser, 2)
    title = text_of(one(look(browser, first), ".title"))
    assert "compared with #2 No successful run before it: this is the first one after" in title
    assert "No successful run to compare with" in text_of(look(browser, good))


def test_steps_stand_side_by_side_as_bars_and_in_words(browser: Browser) -> None:
    here, there = ran(browser, 2, "failed"), ran(browser, 1)
    add_steps(here, seconds(0, 30), {"node_id": "b", "status": "failed", "error": "boom", **seconds(30, 31)})
    add_steps(there, seconds(0, 10), {"node_id": "b", **seconds(10, 11)}, {"node_id": "c", **seconds(11, 12)})
    page = look(browser, here)
    assert [text_of(row) for row in page.select(".pairs tbody tr")] == [
        "b Failed 1 s boom Completed 1 s –",
        "n0 Completed 30 s Completed 10 s +20 s",
        "c Not present Completed 1 s –",
    ]
    assert [rect["width"] for rect in page.select(".pairs tbody tr")[1].select("rect")] == [
        "100.0%",
        "33.33%",
    ]
    assert "3 of 3 differ, 1 only in #1" in text_of(one(page, "#steps"))


@pytest.mark.slow
def test_runs_that_do_not_differ_say_so(browser: Browser) -> None:
    here, there = ran(browser, 2), ran(browser, 1)
    page = look(browser, here)
    assert "No differences" in text_of(one(page, "#nothing"))
    assert "No steps were recorded for either run" in text_of(page)
    for run in (here, there):
        add_steps(run, seconds(0, 10))
    page = look(browser, here)
    assert "their steps took the same time" in text_of(one(page, "#nothing"))
    assert not page.select(".pairs")
    assert [text_of(row) for row in look(browser, here, "?all_steps=true").select(".pairs tbody tr")] == [
        "n0 Completed 10 s Completed 10 s –"
    ]


@pytest.mark.slow
def test_any_run_that_one_may_see_can_be_named(browser: Browser) -> None:
    here, there = ran(browser, 2), ran(browser, 1)
    elsewhere = make_run(make_workflow(browser.workspace, "Other dub"), run_number=77)
    link = f"http://127.0.0.1:8000{browser.list_path}/{there.id}?status=failed"
    for text, number in (("1", 1), ("%231", 1), (there.id, 1), (link, 1), ("77", 77), (elsewhere.id, 77)):
        page = look(browser, here, f"?with={text}")
        assert f"compared with #{number}" in text_of(one(page, "h1"))
    assert "of Other dub" in text_of(one(page, ".beside-card"))


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("zzz", 422, "must be a run number, an id"),
        ("x" * 2001, 422, "must be a run number, an id"),
        ("2", 422, "must name another run than this one"),
        ("999", 404, "names no run that you may see"),
    ],
)
def test_what_names_no_other_run_is_refused_at_the_field(
    browser: Browser, text: str, status: int, words: str
) -> None:
    page = look(browser, ran(browser, 2), f"?with={text}", status)
    assert words in text_of(one(page, "#with-error"))
    assert one(page, "#with")["value"] == text


def test_foreign_and_absent_runs_read_alike(browser: Browser) -> None:
    here = ran(browser, 2)
    foreign = make_run(make_workflow(make_workspace("other", "Other")))
    pages = [look(browser, here, f"?with={run_id}", 404) for run_id in (foreign.id, uuid4())]
    assert len({text_of(page) for page in pages}) == 1


def test_a_number_of_several_runs_offers_them(browser: Browser) -> None:
    here = ran(browser, 2)
    for name in ("One", "Two"):
        make_run(make_workflow(browser.workspace, name), run_number=77)
    page = look(browser, here, "?with=77", 422)
    links = [str(link["href"]) for link in page.select("#choices a")]
    assert len(links) == 2
    assert browser.open(links[0]).status_code == 200


def test_a_permanent_link_leads_to_the_comparison(browser: Browser) -> None:
    here = ran(browser, 2)
    answer = browser.open(f"/runs/{here.id}/compare?with=1&_scheme=evil&_external=1&workflow_id=x")
    assert answer.headers["Location"] == path_of(browser, here, "?with=1")
    assert browser.open(f"/runs/{uuid4()}/compare").status_code == 404
    assert look(browser, here, "?page=0", 422)


def test_outputs_and_scores_are_compared(browser: Browser) -> None:
    here, there = ran(browser, 2), ran(browser, 1)
    for run, score in ((here, 0.8), (there, 0.95)):
        judged = [{"node_id": "v", "kind": "noise", "label": "Noise", "score": score, "passed": True}]
        take = {"locale_code": "de-DE", "status": "delivered", "duration_ms": 100, "validations": judged}
        make_output(run, browser.workspace, *({"takes": [take]} for _ in range(1 + (run is here))))
    assert rows(look(browser, here)) == [
        "de-DE: delivered lines 2 1 +1",
        "de-DE: delivered audio 200 ms 100 ms +100 ms",
        "Noise: average score 0.8 0.95 −0.15",
        "Noise: passed 2 1 +1",
    ]


@pytest.mark.slow
def test_a_comparison_costs_the_same_number_of_queries_however_long_the_runs_are(
    browser: Browser, count_queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    ran(browser, 1)
    short, long = ran(browser, 2), ran(browser, 3)
    add_steps(short, seconds(0, 1))
    add_steps(long, *(seconds(n, n + 3 * n) for n in range(2000)))
    numbers = []
    for run in (short, long):
        browser.open(path_of(browser, run, "?with=1"))
        with count_queries() as queries:
            answer = browser.open(path_of(browser, run, "?with=1"))
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 24
    assert len(answer.data) < 60_000
    assert len(parsed(answer).select(".pairs tbody tr")) == 50
