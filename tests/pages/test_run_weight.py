"""No page and no fragment of a run is heavy, whatever is stored of it; the whole is one click away."""

import json
import re
import tracemalloc
from collections import Counter, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Run
from portal.history.importer import import_files
from portal.history.parsing import chunks
from tests.factories import NOON, make_output, make_run, make_steps
from tests.history import extremes
from tests.history.extremes import EXTREMES, FACE, LONG, written
from tests.history.lines import WORKFLOW, run_line, workflow_line, write
from tests.pages.conftest import HTMX, Browser, one, parsed, text_of

pytestmark = pytest.mark.slow

MOST = 1_500_000
FOLLOWED_ALIKE = 2
"""Links with the same parameters of which so many are followed."""
MOST_FOLLOWED = 16


@pytest.fixture(autouse=True)
def _parsed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process for each file: that takes longer than all the rest, and no page depends on it."""
    monkeypatch.setattr(chunks, "LONG_FILE", 1 << 40)


def imported(browser: Browser, folder: Path, *lines: dict[str, Any]) -> str:
    """The path of the first of these runs."""
    file = write(folder / "runs.jsonl", workflow_line(), *(written(line) for line in lines))
    summary = import_files(browser.workspace.id, [file], now=NOON)
    assert summary.total.runs_new == len(lines)
    return f"/workflows/{WORKFLOW}/runs/{lines[0]['id']}"


def weighed(browser: Browser, address: str) -> str:
    """What stands under an address that must not be heavy."""
    fragment = urlsplit(address).path.endswith(("/view", "/live"))
    answer = browser.open(address, headers=HTMX if fragment else {})
    assert answer.status_code == 200, address
    assert len(answer.data) <= MOST, (address, len(answer.data))
    return answer.text


def kind_of(address: str) -> str:
    parts = urlsplit(address)
    return " ".join([parts.path, *sorted(name for name, _ in parse_qsl(parts.query))])


def crawl(browser: Browser, path: str) -> None:
    """Open the page, and what its links to itself lead to, as page and as fragment."""
    waiting, seen = deque([path, f"{path}/live"]), Counter[str]()
    opened = 0
    while waiting and opened < MOST_FOLLOWED:
        address, opened = waiting.popleft(), opened + 1
        text = weighed(browser, address)
        for link in re.findall(r'href="([^"#]+)[^"]*" hx-get="([^"]+)"', text):
            for target in map(unescape, link):
                seen[kind_of(target)] += 1
                if seen[kind_of(target)] <= FOLLOWED_ALIKE:
                    waiting.append(target)


@pytest.mark.parametrize("make", EXTREMES, ids=lambda make: make.__name__)
def test_no_page_and_no_fragment_of_a_run_is_heavy(
    browser: Browser, tmp_path: Path, make: Callable[[], dict[str, Any]]
) -> None:
    crawl(browser, imported(browser, tmp_path, make()))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "make", [extremes.many_takes, extremes.many_attempts], ids=lambda make: make.__name__
)
def test_statistics_from_before_a_heavy_run_came_do_not_slow_its_page(
    browser: Browser, tmp_path: Path, make: Callable[[], dict[str, Any]]
) -> None:
    path = imported(browser, tmp_path, make())
    with db.engine.connect() as connection:
        # Dead rows that are still in their pages: the planner then expects a single row, however many come.
        connection.execute(sa.delete(Run))
        connection.commit()
        connection.exec_driver_sql("ANALYZE")
    imported(browser, tmp_path, make())
    weighed(browser, path)


def test_not_even_links_with_all_that_an_address_may_carry_make_a_page_heavy(
    browser: Browser, tmp_path: Path
) -> None:
    path = imported(browser, tmp_path, extremes.everything())
    kind, language, search = (quote(text) for text in ("7" + FACE * 23, "0" + FACE * 23, FACE * 100))
    asked = f"search={search}&language={language}&step_result=7"
    for query in (asked, f"{asked}&node_type={kind}"):
        for address in (path, f"{path}/view", f"{path}/live"):
            weighed(browser, f"{address}?{query}")


@pytest.mark.parametrize("name", ["node_type", "language"])
def test_a_name_too_long_for_links_is_refused_and_never_linked(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    path = imported(browser, tmp_path, extremes.long_ids())
    assert browser.open(f"{path}?{name}={'x' * 201}").status_code == 422
    assert browser.open(f"{path}?{name}={quote(FACE * 26)}").status_code == 422
    assert browser.open(f"{path}?{name}={'x' * 200}").status_code == 200
    assert not parsed(browser.open(path)).select("a.lane-name")


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (extremes.long_texts, extremes.many_keys),
        (extremes.drawn_definition, extremes.great_definition),
        (extremes.everything, extremes.long_ids),
        (extremes.everything, extremes.drawn_definition),
        (extremes.many_takes, extremes.many_outputs),
    ],
    ids=lambda make: make.__name__,
)
def test_no_comparison_is_heavy(
    browser: Browser, tmp_path: Path, here: Callable[[], Any], there: Callable[[], Any]
) -> None:
    lines = here(), there()
    path = imported(browser, tmp_path, *lines)
    for query in ("", "&all_steps=true", "&all_steps=true&page=2"):
        weighed(browser, f"{path}/compare?with={lines[1]['id']}{query}")


def test_a_text_that_is_cut_leads_to_the_whole(browser: Browser, tmp_path: Path) -> None:
    line = extremes.long_texts()
    path = imported(browser, tmp_path, line)
    page = parsed(browser.open(path))
    assert page.select("#failure pre")[0].text == f"{LONG[:4000]}…"
    links = {
        urlsplit(str(link["href"])).path.split("/texts/")[1]: str(link["href"])
        for link in page.select("a.all-of-it")
    }
    step = line["steps"][7]
    for name, text in {
        "error": LONG,
        "title": LONG,
        "pause_error": LONG,
        "steps/0/last_command": LONG,
        "steps/7/name": step["name"],
        "steps/7/error": step["error"],
    }.items():
        answer = browser.open(links[name])
        assert answer.data == text.encode(), name
        assert answer.content_type == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_keys_that_are_left_out_are_counted_and_lead_to_the_whole(browser: Browser, tmp_path: Path) -> None:
    line = extremes.many_keys()
    path = imported(browser, tmp_path, line)
    for section, name, more in (("usage", "usage", 99_900), ("source", "source", 99_901)):
        rest = one(parsed(browser.open(path)), f"[aria-labelledby={section}] p")
        assert f"And {more:,} more" in text_of(rest)
        answer = browser.open(str(one(rest, "a")["href"]))
        assert answer.content_type == "application/json; charset=utf-8"
        assert json.loads(answer.data).items() >= line["usage_summary"].items(), name
    for position, words in ((0, "Shortened"), (1, "And 300 more")):
        opened = parsed(browser.open(f"{path}?step_result={position}"))
        rest = opened.select(f"#result-{position} ~ p")[-1]
        assert words in text_of(rest)
        assert browser.open(str(one(rest, "a")["href"])).json == line["steps"][position]["result"]


def test_nodes_that_are_left_out_are_counted_and_lead_to_the_whole(browser: Browser, tmp_path: Path) -> None:
    line = extremes.great_definition()
    page = parsed(browser.open(imported(browser, tmp_path, line)))
    rows = page.select("#definition tbody tr")
    assert len(rows) == 200
    assert "and 99,990 more" in text_of(rows[0])
    rest = one(page, "#definition details > p:has(a)[class=muted]:not(pre + p)")
    assert "And 99,800 more" in text_of(rest)
    assert browser.open(str(one(rest, "a")["href"])).json == line["definition_snapshot"]


def test_takes_and_languages_that_are_left_out_are_counted_and_lead_to_all(
    browser: Browser, tmp_path: Path
) -> None:
    page = parsed(browser.open(imported(browser, tmp_path, extremes.many_takes())))
    first, second = page.select(".lines > li")[:2]
    assert len(first.select(".take")) == 12
    assert "9,988 more takes, also in 4,988 other languages" in text_of(first)
    assert len(browser.open(str(first.select("a.all-of-it")[-1]["href"])).json or ()) == 10_000
    assert len(second.select(".scores li")) == 11
    more = one(second, ".scores a")
    assert text_of(more) == "990 more as JSON"
    assert len(browser.open(str(more["href"])).json or ()) == 1000
    languages = browser.open(str(one(page, ".languages a.all-of-it")["href"])).json
    assert languages is not None
    assert len(languages) == 5001


def test_delivered_takes_and_refusals_are_among_the_few_that_are_shown(browser: Browser) -> None:
    run = make_run(browser.workflow)
    passed, refused = {"kind": "wer", "passed": True}, {"kind": "noise", "passed": False, "reason": "hiss"}
    takes: list[dict[str, Any]] = [{"status": "not_delivered", "locale_code": "de"} for _ in range(20)]
    takes[2] |= {"status": "delivered", "validations": [passed] * 15 + [refused]}
    make_output(run, browser.workspace, {"script": "x", "takes": takes})
    line = one(parsed(browser.open(f"{browser.list_path}/{run.id}")), ".lines > li")
    assert "Delivered" in one(line, ".takes > .take").text
    assert "hiss" in one(line, ".takes > .take").text
    attempts = [str(fact.text) for fact in line.select("details .take-facts")]
    assert ["attempt 20" in fact for fact in attempts] == [False] * 10 + [True]


def test_what_a_source_calls_things_is_escaped_once(browser: Browser) -> None:
    said = {"a & b": "<c>"}
    runs = [
        make_run(browser.workflow, usage_summary=usage, run_number=n) for n, usage in ((1, said), (2, {}))
    ]
    path = f"{browser.list_path}/{runs[0].id}"
    assert "A & b" in one(parsed(browser.open(path)), "[aria-labelledby=usage]").text
    assert "A & b" in one(parsed(browser.open(f"{path}/compare?with=2")), ".differences").text


def test_the_error_of_the_failed_step_is_shown_unless_the_run_has_the_same(browser: Browser) -> None:
    for error, wanted in ((None, ["boom"]), ("boom", ["boom"]), ("boom at 3", ["boom at 3", "boom"])):
        run = make_run(browser.workflow, status="failed", error=error)
        make_steps(run, {"status": "failed", "error": "boom"})
        page = parsed(browser.open(f"{browser.list_path}/{run.id}"))
        assert [each.text for each in page.select("#failure pre")] == wanted


@pytest.mark.parametrize(
    "name", ["nothing", "steps/99/error", "steps/0/error", "steps/x/error", "pause_error"]
)
def test_there_are_only_texts_that_the_run_has(browser: Browser, name: str) -> None:
    run = make_run(browser.workflow, error="boom")
    make_steps(run, {"name": "Write"})
    path = f"{browser.list_path}/{run.id}/texts"
    assert browser.open(f"{path}/error").text == "boom"
    assert browser.open(f"{path}/steps/0/name").text == "Write"
    assert browser.open(f"{path}/{name}").status_code == 404


def test_following_a_run_reads_little_however_much_is_stored(browser: Browser, tmp_path: Path) -> None:
    line = extremes.long_texts() | {"usage_summary": {"a": LONG}, "definition_snapshot": {"a": LONG}}
    path = imported(browser, tmp_path, line)
    browser.open(f"{path}/live", headers=HTMX)
    tracemalloc.start()
    try:
        browser.open(f"{path}/live", headers=HTMX)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


def test_a_heavy_run_costs_as_many_queries_as_a_light_one(
    browser: Browser, tmp_path: Path, count_queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    few = {"script": "x", "takes": [{"locale": "de", "validations": [{"kind": "wer"}]}]}
    step = {"node_id": "a", "status": "failed"}
    graph = {"graph": {"nodes": []}}
    light = run_line("light", status="failed", output_lines=[few], steps=[step], definition_snapshot=graph)
    heavy = extremes.everything()
    path = imported(browser, tmp_path, light, heavy)
    numbers = []
    for address in (path, path.replace(light["id"], heavy["id"])):
        browser.open(address)
        with count_queries() as queries:
            browser.open(address)
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 31
