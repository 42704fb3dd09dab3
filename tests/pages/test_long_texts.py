"""Lists show the beginning of what is long and say that it goes on; the API answers whole."""

from typing import Any

import pytest
from flask import Flask

from portal.database.models import RunDetail, Step
from portal.database.transactions import writing
from portal.runs.recording.causes.explaining import explain_again
from tests.factories import NOON, make_key, make_run, make_runs, make_steps, make_workflow
from tests.pages.conftest import HTMX, Browser, one, parsed, text_of
from tests.statements import statements

LONG = "no <voice> & more " * 60_000


def row(browser: Browser, run_id: object) -> Any:
    return one(parsed(browser.runs()), f"#run-{run_id}")


def test_the_list_shows_the_beginning_of_an_error_and_the_api_answers_whole(
    app: Flask, browser: Browser
) -> None:
    failed = make_run(browser.workflow, status="failed", error=LONG)
    paused = make_run(browser.workflow, status="paused", pause_error=LONG)
    for run in (failed, paused):
        shown = one(row(browser, run.id), ".why").text
        assert shown.endswith("…")
        assert LONG.startswith(shown[:-1])
        assert 100 <= len(shown) <= 300
    headers = {"Authorization": f"Bearer {make_key(browser.workspace, browser.user)}"}
    answer = app.test_client().get(f"/api/v1/workflows/{browser.workflow.id}/runs", headers=headers)
    assert {row["id"]: row["pause_error"] for row in answer.json["data"]} == {
        str(failed.id): None,
        str(paused.id): LONG,
    }


def test_the_apis_list_does_not_read_the_errors_that_it_does_not_show(app: Flask, browser: Browser) -> None:
    make_run(browser.workflow, status="failed", error=LONG)
    headers = {"Authorization": f"Bearer {make_key(browser.workspace, browser.user)}"}
    with statements() as found:
        answer = app.test_client().get(f"/api/v1/workflows/{browser.workflow.id}/runs", headers=headers)
    assert answer.status_code == 200
    assert "error" not in answer.json["data"][0]
    assert not [text for text, _ in found if "runs.error" in text]


def test_the_poll_shows_the_beginning_too(browser: Browser) -> None:
    run = make_run(browser.workflow, status="running", started_at=NOON, error=LONG)
    answer = browser.open(f"{browser.list_path}/live?rows={run.id}", headers=HTMX)
    assert one(parsed(answer), f"#run-{run.id} .why").text.endswith("…")
    assert len(answer.data) < 50_000


def test_a_short_text_is_whole(browser: Browser) -> None:
    run = make_run(browser.workflow, status="failed", error="x" * 240)
    assert one(row(browser, run.id), ".why").text == "x" * 240


def test_a_run_without_an_error_says_which_steps_failed(browser: Browser) -> None:
    run = make_run(browser.workflow, status="failed")
    make_steps(run, *({"node_id": each, "status": "failed"} for each in ("TSan", "No wallet")))
    with writing() as session:
        explain_again(session, run.id)
    assert one(row(browser, run.id), ".why").text == "2 steps failed: TSan, No wallet"


@pytest.mark.slow
def test_a_long_usage_shows_its_first_count_and_that_there_is_more(browser: Browser) -> None:
    rest = {f"n{n}_calls": n for n in range(1000)}
    run, opaque, short = make_runs(
        browser.workflow,
        [
            {"usage_summary": {"api_calls": 75, "note": "x", **rest}},
            {"usage_summary": {"note": LONG, "api_calls": 75}},
            {"usage_summary": {"api_calls": 75, "cpu_seconds": 2, "note": "x"}},
        ],
    )
    assert row(browser, run.id).select_one(".c-usage").get_text(" ", strip=True) == "75 API calls and more"
    assert row(browser, opaque.id).select_one(".c-usage").get_text(strip=True) == "On its page"
    assert row(browser, short.id).select_one(".c-usage").get_text(" ", strip=True) == "75 API calls 1 more"


@pytest.mark.slow
def test_a_title_and_labels_are_cut(browser: Browser) -> None:
    titled, labelled, odd = make_runs(browser.workflow, [{}, {}, {}])
    labels = {"branch": "main", "k" * 300: "v", "log": LONG}
    with writing() as session:
        session.add(RunDetail(run_id=titled.id, source={"title": LONG}))
        session.add(RunDetail(run_id=labelled.id, source={"labels": labels}))
        session.add(RunDetail(run_id=odd.id, source={"title": 5, "labels": "{no object"}))
    assert one(row(browser, titled.id), ".about").text.endswith("…")
    shown = one(row(browser, labelled.id), ".labels").get_text(" ").split()
    assert shown[:2] == ["branch", "main"]
    assert shown[2:] == ["k" * 27 + "…", "v"]
    assert one(row(browser, odd.id), ".about").text == "5"


def test_a_long_description_is_cut_in_lists_and_whole_in_the_summary(browser: Browser) -> None:
    text = "Dubs the <news> & more. " * 200
    described = make_workflow(browser.workspace, "Described", description=text.strip())
    listed = one(parsed(browser.open("/?search=described")), ".c-name .why").text
    assert listed.endswith("…")
    assert text.startswith(listed[:-1])
    head = parsed(browser.open(f"/workflows/{described.id}/runs"))
    link = one(head, ".title .lead a")
    assert link["href"] == f"/workflows/{described.id}/summary#description"
    summary = parsed(browser.open(str(link["href"])))
    assert one(summary, "[aria-labelledby=description] p").text == text.strip()


def test_a_short_description_needs_no_link(browser: Browser) -> None:
    described = make_workflow(browser.workspace, "Described", description="Dubs the news.")
    soup = parsed(browser.open(f"/workflows/{described.id}/runs"))
    assert text_of(one(soup, ".title .lead")) == "Dubs the news."


def test_steps_that_fail_most_are_named_in_short(browser: Browser) -> None:
    run = make_run(browser.workflow, status="failed", created_at=NOON)
    with writing() as session:
        for position, name in enumerate((LONG, "Speak")):
            session.add(
                Step(
                    run_id=run.id,
                    position=position,
                    node_id=str(position),
                    node_type="t",
                    name=name,
                    status="failed",
                    iteration=1,
                )
            )
    soup = parsed(browser.open(f"/workflows/{browser.workflow.id}/summary?days=all"))
    names = [cell.text for cell in soup.select("[aria-labelledby=failing] tbody th")]
    assert "Speak" in names
    [cut] = [name for name in names if name != "Speak"]
    assert cut.endswith("…")
    assert len(cut) <= 120
