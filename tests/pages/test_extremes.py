"""Pages answer for every value that an import accepts: the inputs that once broke them, and their kin."""

import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from portal import moments
from portal.checks import database_check
from portal.history.importer import import_files, import_lines
from portal.history.summary import ImportSummary
from portal.runs.comparison.differences import Difference
from tests.factories import make_key
from tests.history.lines import WORKFLOW, an_id, encode, run_line, workflow_line
from tests.pages.conftest import HTMX, Browser, one, parsed

HUGE = 1.7976931348623157e308


def load(browser: Browser, *lines: Any) -> ImportSummary:
    summary = import_lines(browser.workspace.id, encode(*lines).splitlines(), now=moments.now())
    assert summary.ok, summary.to_text()
    return summary


def load_case(browser: Browser, history: Path, name: str) -> None:
    summary = import_files(browser.workspace.id, [history / "cases" / name], now=moments.now())
    assert summary.ok, summary.to_text()


def ids_in(history: Path, name: str) -> tuple[str, list[str]]:
    """The workflow of a case and its runs."""
    lines = [json.loads(line) for line in (history / "cases" / name).read_text().splitlines()]
    return lines[0]["id"], [line["id"] for line in lines[1:]]


def every_view(browser: Browser, workflow_id: str, run_ids: list[str]) -> dict[str, str]:
    """What each page and fragment of these runs shows: all of them answer."""
    runs = f"/workflows/{workflow_id}/runs"
    rows = ",".join(run_ids)
    paths = ["/", "/workflows/table", runs, f"{runs}/table", f"{runs}/live?since=0&rows={rows}"]
    paths += [f"/workflows/{workflow_id}/summary?days={days}" for days in ("7", "all")]
    for run_id in run_ids:
        paths += [f"{runs}/{run_id}", f"{runs}/{run_id}/view", f"{runs}/{run_id}/live"]
        paths += [f"{runs}/{run_id}/compare?with={other}" for other in run_ids if other != run_id]
    shown = {}
    for path in paths:
        fragment = "/table" in path or "/live" in path or path.endswith("/view")
        answer = browser.open(path, headers=HTMX if fragment else {})
        assert answer.status_code == 200, path
        shown[path] = parsed(answer).get_text(" ")
        assert not re.search(r"\b(inf|infinity|nan)\b", shown[path], re.IGNORECASE), path
    return shown


def asked(browser: Browser, path: str) -> Any:
    """What the API answers."""
    key = make_key(browser.workspace, browser.user)
    answer = browser.client.get(f"/api/v1/workflows/{path}", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, path
    return json.loads(answer.text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))["data"]


def test_a_usage_beyond_all_bounds_is_shown_as_a_number(browser: Browser, history: Path) -> None:
    load_case(browser, history, "usage-overflow.jsonl")
    workflow_id, run_ids = ids_in(history, "usage-overflow.jsonl")
    shown = every_view(browser, workflow_id, run_ids)
    assert "1.8 × 10³⁰⁸ CPU seconds" in " ".join(shown[f"/workflows/{workflow_id}/runs"].split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "usage",
    [
        {"cpu_seconds": -HUGE, "queue_ms": 10**4299, "wait_minutes": HUGE, "memory_mb": 10**400},
        {"cpu_seconds": 10**18, "a": 5e-324, "b": -0.0, "c": 1e-7, "d": 2**64, "_ms": 1, "": 3},
        {"cpu_seconds": 0.1, "queue_ms": HUGE, "wait_minutes": 10**4299, "memory_mb": 1.5},
    ],
)
def test_whatever_was_measured_is_shown_and_compared(browser: Browser, usage: dict[str, Any]) -> None:
    definition = {"graph": {"nodes": [{"id": "v", "type": "validator_noise", "config": {}}], "edges": []}}
    config = definition["graph"]["nodes"][0]["config"]
    config |= {"threshold": usage.get("queue_ms", 0.5), "max_retries": 10**400}
    other = {"cpu_seconds": 1.5, "queue_ms": 2, "wait_minutes": 0.25, "memory_mb": 10**399, "a": 7}
    step = {"node_id": "v", "status": "completed", "duration_seconds": usage.get("cpu_seconds")}
    load(
        browser,
        workflow_line(definition=definition),
        run_line("one", usage_summary=usage, definition_snapshot=definition, steps=[step]),
        run_line("two", usage_summary=other, definition_snapshot=definition),
    )
    ids = [an_id("one"), an_id("two")]
    every_view(browser, WORKFLOW, ids)
    for path in ("runs", f"runs/{ids[0]}", f"runs/{ids[0]}/overview", f"runs/{ids[0]}/analysis"):
        asked(browser, f"{WORKFLOW}/{path}")


def test_a_difference_of_a_whole_number_and_a_fraction_is_exact() -> None:
    assert Difference("x", 10**400, 0.5, "number").change == 10**400 - 1
    assert Difference("x", HUGE, -HUGE, "number").change == 2 * int(HUGE)
    assert Difference("x", 2.5, 2, "number").change == 0.5
    assert Difference("x", 0.1 + 0.2, 0.3, "number").change == 0


def test_sums_beyond_64_bits_are_exact_in_whole_and_in_pieces(browser: Browser, history: Path) -> None:
    lines = gzip.decompress((history / "cases" / "audio-sum.jsonl.gz").read_bytes()).splitlines()
    workflow_id = json.loads(lines[0])["id"]
    whole = (1100, 1100 * (2**53 - 1))
    for part, sums in ((lines[:700], (699, 699 * (2**53 - 1))), (lines[700:], whole), (lines, whole)):
        assert import_lines(browser.workspace.id, part, now=moments.now()).ok
        summary = asked(browser, f"{workflow_id}/runs/summary")
        assert (summary["total_runs"], summary["delivered_audio_ms"]) == sums
        assert all(finding.ok for finding in database_check.check_database())
    window = "from=2000-01-01T00:00:01Z&to=2100-01-01T00:00:01Z"
    assert asked(browser, f"{workflow_id}/runs/summary?{window}")["delivered_audio_ms"] == whole[1]


@pytest.mark.slow
def test_sums_of_durations_and_of_one_run_s_audio_are_exact_too(browser: Browser) -> None:
    ages = {"started_at": "0002-01-01T00:00:00Z", "completed_at": "9999-12-31T23:59:59.999Z"}
    takes = [{"duration_ms": 2**53 - 1, "locale": "de-DE"}] * 1100
    first = run_line("0", **ages, output_lines=[{"script": "Hi", "takes": takes}])
    load(browser, workflow_line(), first, *(run_line(str(number), **ages) for number in range(1, 50)))
    took = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - datetime(2, 1, 1, tzinfo=UTC)).days * 86_400_000
    took += 86_399_999
    average = asked(browser, f"{WORKFLOW}/runs/summary")["average_duration_seconds"]
    assert average == took / 1000
    audio = asked(browser, f"{WORKFLOW}/runs/{an_id('0')}/analysis")["audio"]
    assert audio["delivered_total_ms"] == 1100 * (2**53 - 1)
    every_view(browser, WORKFLOW, [an_id("0"), an_id("1")])
    assert all(finding.ok for finding in database_check.check_database())


def figures(browser: Browser, workflow_id: str, query: str = "days=all") -> tuple[list[str], str]:
    """The figures of the summary page, and all that it says."""
    page = parsed(browser.open(f"/workflows/{workflow_id}/summary?{query}"))
    return [each.get_text(" ", strip=True) for each in page.select(".headline b")], " ".join(
        page.get_text(" ").split()
    )


def test_one_run_in_the_far_future_hides_no_other(browser: Browser, history: Path) -> None:
    load_case(browser, history, "far-future.jsonl")
    workflow_id, run_ids = ids_in(history, "far-future.jsonl")
    headline, _ = figures(browser, workflow_id)
    assert headline[0] == str(asked(browser, f"{workflow_id}/runs/summary")["total_runs"]) == "10"
    page = parsed(browser.open(f"/workflows/{workflow_id}/summary?days=all"))
    note = one(page, ".chart-note.odd")
    assert "1 run created on 31 Dec 9999 lies outside this chart, which shows 20 Nov 2026" in note.get_text()
    found = browser.open(str(one(note, "a")["href"]))
    assert [link.text for link in parsed(found).select("#runs tbody .run")] == ["#10"]
    overview = one(parsed(browser.open(f"/workflows/{workflow_id}/runs")), ".strip")
    assert "1 run is dated later" in " ".join(overview.get_text(" ").split())
    every_view(browser, workflow_id, run_ids[-2:])


def test_the_summary_of_all_is_of_all_however_long_ago(browser: Browser, history: Path) -> None:
    load_case(browser, history, "long-span.jsonl")
    workflow_id, run_ids = ids_in(history, "long-span.jsonl")
    headline, text = figures(browser, workflow_id)
    assert headline[:3] == ["4", "66.7 %", "1"]
    assert "1 Mar 2014 – 26 Nov 2026" in text
    assert "outside this chart" not in text
    every_view(browser, workflow_id, run_ids)


def test_a_pending_run_with_an_end_did_not_wait_until_now(browser: Browser, history: Path) -> None:
    load_case(browser, history, "long-span.jsonl")
    workflow_id, run_ids = ids_in(history, "long-span.jsonl")
    page = parsed(browser.open(f"/workflows/{workflow_id}/runs/{run_ids[-1]}"))
    facts = {
        one(row, "dt").text: one(row, "dd").get_text(" ", strip=True)
        for row in page.select(".headline > div")
    }
    assert facts["Waited"] == "2 m 05 s"
    assert "data-ticks" not in str(page)


@pytest.mark.slow
def test_history_far_apart_is_charted_where_most_of_it_lies(browser: Browser) -> None:
    runs = [run_line(str(day), created_at=f"2026-11-{day:02}T10:00:00Z") for day in range(1, 21)]
    epoch = run_line("epoch", created_at="1970-01-01T00:00:00Z")
    load(browser, workflow_line(), *runs, epoch)
    headline, text = figures(browser, WORKFLOW)
    assert headline[0] == "21"
    assert "1 run created on 1 Jan 1970 lies outside this chart, which shows 1 Nov 2026 – 20 Nov 2026" in text
    assert (
        len(parsed(browser.open(f"/workflows/{WORKFLOW}/summary?days=all")).select(".columns-chart a")) >= 20
    )


@pytest.mark.parametrize(
    "query", ["from=2026-11-01", "to=2026-11-20", "from=1900-01-01&to=2026-11-20", "days=7"]
)
def test_windows_with_open_ends_count_what_they_name(browser: Browser, query: str) -> None:
    far = [
        run_line("late", created_at="9999-12-31T23:59:59Z"),
        run_line("old", created_at="0002-01-01T00:00:00Z"),
    ]
    near = [run_line(str(hour), created_at=f"2026-11-10T{hour:02}:00:00Z") for hour in range(5)]
    load(browser, workflow_line(), *far, *near)
    headline, _ = figures(browser, WORKFLOW, query)
    expected = {"from=2026-11-01": 6, "to=2026-11-20": 6, "days=7": 0}.get(query, 5)
    assert headline[0] == str(expected)


@pytest.mark.parametrize(
    "only", ["0002-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59Z"]
)
@pytest.mark.slow
def test_a_single_run_at_the_edge_of_time_is_shown_everywhere(browser: Browser, only: str) -> None:
    ended = {"started_at": only, "completed_at": only}
    steps = [{"node_id": "a", "status": "running", "started_at": only}]
    load(browser, workflow_line(), run_line(created_at=only, **ended, steps=steps))
    shown = every_view(browser, WORKFLOW, [an_id("run")])
    assert "100 %" in shown[f"/workflows/{WORKFLOW}/summary?days=all"]


@pytest.mark.slow
def test_a_timeline_of_centuries_can_be_zoomed(browser: Browser) -> None:
    steps = [
        {
            "node_id": f"n{n}",
            "status": "completed",
            "started_at": f"{year}-01-01T00:00:00Z",
            "completed_at": f"{year}-06-01T00:00:00Z",
        }
        for n, year in enumerate(range(1000, 1050))
    ]
    steps.append({"node_id": "late", "status": "completed", "started_at": "9999-01-01T00:00:00Z"})
    load(browser, workflow_line(), run_line(steps=steps))
    page = parsed(browser.open(f"/workflows/{WORKFLOW}/runs/{an_id('run')}"))
    links = [str(link["href"]) for link in page.select(".timeline a[href]")]
    assert any("from_ms" in link for link in links)
    for link in links:
        assert browser.open(link).status_code == 200, link
    assert len(page.select(".axis text")) <= 8


def test_a_new_run_is_announced_whatever_its_number(browser: Browser, history: Path) -> None:
    load_case(browser, history, "lower-number-1.jsonl")
    workflow_id, _ = ids_in(history, "lower-number-1.jsonl")
    page = parsed(browser.open(f"/workflows/{workflow_id}/runs"))
    poll = str(one(page, "#runs-poll")["hx-get"])
    load_case(browser, history, "lower-number-2-while-open.jsonl")
    for _ in range(2):  # and again after the same lines have come in once more
        answer = parsed(browser.open(poll, headers=HTMX))
        news = one(answer, 'hx-partial[hx-target="#runs-news"]')
        assert news.get_text(strip=True) == "1 new run – show"
        assert one(answer, 'hx-partial[hx-target="#count-failed"]').text.strip() == "1"
        rows = parsed(browser.open(str(one(news, "a")["href"]))).select("#runs tbody .run")
        assert [row.text for row in rows] == ["#7", "#1,000"]
        load_case(browser, history, "lower-number-2-while-open.jsonl")


@pytest.mark.slow
def test_a_title_or_a_command_that_is_a_number_beyond_all_bounds_is_no_text(browser: Browser) -> None:
    step = {"node_id": "a", "status": "failed", "last_command": HUGE}
    load(browser, workflow_line(), run_line(status="failed", title=HUGE, labels=HUGE, steps=[step]))
    every_view(browser, WORKFLOW, [an_id("run")])
    for name in ("title", "steps/0/last_command"):
        path = f"/workflows/{WORKFLOW}/runs/{an_id('run')}/texts/{name}"
        assert browser.open(path).status_code == 404, name
