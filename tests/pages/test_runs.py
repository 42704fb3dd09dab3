"""The run list as a browser without JavaScript sees it, and its fragment as htmx does."""

from datetime import timedelta
from uuid import uuid4

import pytest

from portal import moments
from portal.database.models import RunDetail
from portal.database.transactions import writing
from tests.factories import NOON, make_person, make_run, make_workflow, make_workspace
from tests.pages.conftest import HTMX, Browser, numbers, one, parsed, text_of
from tests.statements import statements


def make_runs(browser: Browser, count: int, **columns: object) -> None:
    for number in range(1, count + 1):
        created = NOON + timedelta(minutes=number)
        make_run(browser.workflow, run_number=number, created_at=created, **columns)


@pytest.mark.slow
def test_a_list_shows_its_runs_newest_first(browser: Browser) -> None:
    make_runs(browser, 3)
    answer = browser.runs()
    assert answer.status_code == 200
    assert numbers(answer) == ["#3", "#2", "#1"]
    assert "1–3 of 3 runs" in " ".join(one(parsed(answer), ".pager p").text.split())


@pytest.mark.slow
def test_the_page_and_its_fragment_hold_the_same_section(browser: Browser) -> None:
    make_runs(browser, 3)
    page, fragment = browser.runs("status=completed"), browser.fragment("status=completed")
    assert str(one(parsed(page), "#runs")) == str(one(parsed(fragment), "#runs"))
    assert "<html" not in fragment.text


def test_status_chips_combine_as_a_plain_form_sends_them(browser: Browser) -> None:
    for number, status in enumerate(("failed", "paused", "completed"), start=1):
        make_run(browser.workflow, run_number=number, status=status)
    answer = browser.runs("status=failed&status=paused&search=&from=&to=&sort=created_at&order=desc")
    assert sorted(numbers(answer)) == ["#1", "#2"]
    checked = [box["value"] for box in parsed(answer).select("input[name=status][checked]")]
    assert sorted(checked) == ["failed", "paused"]


@pytest.mark.slow
def test_a_bare_date_is_the_whole_day_in_utc(browser: Browser) -> None:
    day = NOON.replace(hour=0)
    for number, created in enumerate(
        (
            day - timedelta(microseconds=1),
            day,
            day + timedelta(days=1, microseconds=-1),
            day + timedelta(days=1),
        ),
        start=1,
    ):
        make_run(browser.workflow, run_number=number, created_at=created)
    answer = browser.runs("from=2026-03-01&to=2026-03-01")
    assert numbers(answer) == ["#3", "#2"]
    assert one(parsed(answer), "#from")["value"] == "2026-03-01"
    assert one(parsed(answer), "#to")["value"] == "2026-03-01"
    assert one(parsed(answer), "#to")["type"] == "date"


def test_a_moment_that_is_no_whole_day_stays_in_its_field(browser: Browser) -> None:
    field = one(parsed(browser.runs("from=2026-03-01T10:30:00Z")), "#from")
    assert (field["type"], field["value"]) == ("text", "2026-03-01T10:30:00Z")


def test_search_finds_people_by_part_of_their_name(browser: Browser) -> None:
    make_run(browser.workflow, make_person(browser.workspace, "Åsa Öberg"), run_number=1)
    make_run(browser.workflow, make_person(browser.workspace, "Grace Hopper"), run_number=2)
    assert numbers(browser.runs("search=ÖBERG")) == ["#1"]


def test_only_the_sorted_column_is_marked_and_its_link_turns_the_order(browser: Browser) -> None:
    make_runs(browser, 2)
    soup = parsed(browser.runs("sort=started_at&order=asc&status=completed"))
    header = one(soup, "th[aria-sort]")
    assert header["aria-sort"] == "ascending"
    assert header.a is not None
    assert header.a["href"] == f"{browser.list_path}?status=completed&sort=started_at"
    assert one(soup, "#sort-created_at")["href"] == f"{browser.list_path}?status=completed"


@pytest.mark.parametrize(
    ("query", "links"),
    [
        ("limit=2", {"next": "limit=2&offset=2", "last": "limit=2&offset=4"}),
        (
            "limit=2&offset=2",
            {
                "first": "limit=2",
                "previous": "limit=2",
                "next": "limit=2&offset=4",
                "last": "limit=2&offset=4",
            },
        ),
        ("limit=2&offset=4", {"first": "limit=2", "previous": "limit=2&offset=2"}),
    ],
)
def test_the_pager_offers_only_links_that_lead_somewhere(
    browser: Browser, query: str, links: dict[str, str]
) -> None:
    make_runs(browser, 5)
    found = parsed(browser.runs(query)).select("nav.moves a")
    assert {str(link["id"]).removeprefix("pager-"): str(link["href"]) for link in found} == {
        name: f"{browser.list_path}?{args}" for name, args in links.items()
    }


@pytest.mark.slow
def test_following_next_shows_each_run_once(browser: Browser) -> None:
    make_runs(browser, 7)
    seen, path = [], f"{browser.list_path}?limit=3"
    while path:
        answer = browser.open(path)
        seen += numbers(answer)
        links = parsed(answer).select("#pager-next")
        path = str(links[0]["href"]) if links else ""
    assert seen == [f"#{number}" for number in range(7, 0, -1)]


def test_a_page_number_leads_to_the_address_of_its_first_row(browser: Browser) -> None:
    answer = browser.runs("limit=10&page=7&status=failed")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{browser.list_path}?status=failed&limit=10&offset=60"


def test_the_fragment_takes_a_page_number_at_once(browser: Browser) -> None:
    make_runs(browser, 5)
    answer = browser.fragment("limit=2&page=2")
    assert numbers(answer) == ["#3", "#2"]
    assert answer.headers["HX-Push-Url"] == f"{browser.list_path}?limit=2&offset=2"


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", "", "٣"])
def test_a_bad_page_number_is_said_at_its_field(browser: Browser, page: str) -> None:
    answer = browser.runs(f"page={page}")
    assert answer.status_code == 422
    assert one(parsed(answer), "#page[aria-invalid=true]")["value"] == page


BAD = [
    ("status=Completed", "status"),
    ("status=failed,,paused", "status"),
    ("limit=500", "limit"),
    ("limit=0", "limit"),
    ("offset=-1", "offset"),
    ("sort=duration_ms", "sort"),
    ("order=up", "order"),
    ("from=yesterday", "from"),
    ("to=2026-02-30", "to"),
    ("to=2026-02-01T10:00:00", "to"),
    ("from=2026-02-02&to=2026-02-01", "from"),
    ("search=" + "x" * 101, "search"),
]


@pytest.mark.parametrize("surface", ["page", "fragment"])
@pytest.mark.parametrize(("query", "field"), BAD)
def test_a_bad_value_is_said_at_its_field(browser: Browser, surface: str, query: str, field: str) -> None:
    make_runs(browser, 1)
    answer = browser.runs(query) if surface == "page" else browser.fragment(query)
    assert answer.status_code == 422
    soup = parsed(answer)
    marked = one(soup, "[aria-invalid=true]")
    assert marked["aria-describedby"] == f"{field}-error"
    assert "must" in one(soup, f"#{field}-error").text
    assert numbers(answer) == []


def test_what_was_valid_stays_in_the_form_and_in_the_corrected_link(browser: Browser) -> None:
    answer = browser.runs("status=failed&search=ada&from=2026-03-01&limit=500&order=up")
    soup = parsed(answer)
    assert one(soup, "#search")["value"] == "ada"
    assert one(soup, "#from")["value"] == "2026-03-01"
    assert one(soup, "#status-failed").has_attr("checked")
    corrected = one(soup, "#corrected")["href"]
    assert corrected == f"{browser.list_path}?status=failed&search=ada&from=2026-03-01T00:00:00Z"
    assert browser.open(str(corrected)).status_code == 200


def test_what_a_link_says_is_shown_as_text_only(browser: Browser) -> None:
    answer = browser.runs("from=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text


def test_a_workflow_without_runs_says_how_to_bring_them_in(browser: Browser) -> None:
    assert "flask import --workspace acme" in browser.runs().text


def test_what_a_run_was_about_stands_in_its_row(browser: Browser) -> None:
    titled, labelled = make_run(browser.workflow, run_number=1), make_run(browser.workflow, run_number=2)
    labels = {"branch": "main", "commit": "c" * 40, "runner": 3, "free": {"a": 1}}
    with writing() as session:
        session.add(RunDetail(run_id=titled.id, source={"title": "x" * 497, "labels": labels}))
        session.add(RunDetail(run_id=labelled.id, source={"labels": labels}))
    soup = parsed(browser.runs())
    assert one(soup, f"#run-{titled.id} .about").text == "x" * 497
    assert one(soup, f"#run-{labelled.id} .labels").get_text(" ").split() == ["branch", "main", "runner", "3"]


def test_chips_count_each_status_under_the_other_filters(browser: Browser) -> None:
    ada = make_person(browser.workspace, "Ada")
    for person, status in ((ada, "failed"), (ada, "completed"), (ada, "failed"), (None, "failed")):
        make_run(browser.workflow, person, status=status)
    soup = parsed(browser.runs("search=ada&status=completed"))
    counts = {chip["id"]: chip.text for chip in soup.select(".chip b")}
    expected = dict.fromkeys(("running", "pending", "paused", "cancelled"), "0")
    expected |= {"all": "3", "failed": "2", "completed": "1"}
    assert counts == {f"count-{name}": text for name, text in expected.items()}
    assert one(soup, "#status-all")["href"] == f"{browser.list_path}?search=ada"


def test_the_list_says_how_the_api_gives_it(browser: Browser) -> None:
    line = one(parsed(browser.runs("status=failed&search=%27ada&limit=50")), ".api-call pre code").text
    assert line == (
        'curl -H "Authorization: Bearer $PORTAL_API_KEY" '
        f"'http://127.0.0.1:8000/api/v1{browser.list_path}?status=failed&search='\"'\"'ada&limit=50'"
    )


@pytest.mark.slow
def test_a_page_of_a_hundred_runs_takes_no_more_reads_than_one_of_a_single_run(browser: Browser) -> None:
    def reads(query: str) -> int:
        with statements() as found:
            assert browser.runs(query).status_code == 200
        return sum(statement.text.startswith("SELECT") for statement in found)

    person = make_person(browser.workspace, "Ada")
    for number in range(1, 101):
        # Moments of their own: where a page cuts runs of one moment, one more read orders them.
        make_run(browser.workflow, person, run_number=number, created_at=NOON + timedelta(hours=number))
    assert reads("") <= 15
    assert reads("limit=1") == reads("limit=100") <= 8  # the overview is cached by now


@pytest.mark.slow
def test_each_filter_that_nothing_matches_can_be_taken_off(browser: Browser) -> None:
    make_runs(browser, 1)
    soup = parsed(browser.runs("status=failed,paused&search=zzz&to=2026-03-01&sort=status"))
    found = {" ".join(one(link, "bdi").text.split()): str(link["href"]) for link in soup.select(".facets a")}
    to, path = "to=2026-03-01T23:59:59.999999Z", browser.list_path
    assert found == {
        "Failed or Paused": f"{path}?search=zzz&{to}&sort=status",
        "“zzz”": f"{path}?status=failed,paused&{to}&sort=status",
        "1 Mar 2026, 23:59:59 UTC": f"{path}?status=failed,paused&search=zzz&sort=status",
    }


def test_a_filter_that_nothing_matches_can_be_cleared(browser: Browser) -> None:
    make_runs(browser, 1)
    soup = parsed(browser.runs("status=failed&limit=50"))
    assert "No run matches" in one(soup, "#runs-notice").text
    assert one(soup, "#runs-notice a")["href"] == f"{browser.list_path}?limit=50"


@pytest.mark.parametrize("offset", ["4", "99999999999999999999999"])
def test_past_the_end_a_link_leads_to_the_last_page(browser: Browser, offset: str) -> None:
    make_runs(browser, 4)
    answer = browser.runs(f"limit=3&offset={offset}")
    assert answer.status_code == 200
    assert one(parsed(answer), "#runs-notice a")["href"] == f"{browser.list_path}?limit=3&offset=3"


def test_a_fragment_opened_as_a_page_leads_to_the_page(browser: Browser) -> None:
    query = "status=failed&status=paused&search=%26"
    answer = browser.open(f"{browser.list_path}/table?{query}&workflow_id=x&_external=1")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{browser.list_path}?{query}"


def test_restoring_history_gives_whole_pages(browser: Browser) -> None:
    restoring = HTMX | {"HX-History-Restore-Request": "true"}
    assert "<html" in browser.open(browser.list_path, headers=restoring).text
    assert browser.open(f"{browser.list_path}/table", headers=restoring).status_code == 303


def test_the_page_is_whole_whatever_htmx_says(browser: Browser) -> None:
    assert "<html" in browser.open(browser.list_path, headers=HTMX).text


def test_the_address_pushed_is_the_short_one_of_the_page(browser: Browser) -> None:
    query = "sort=created_at&order=desc&search=&from=2026-03-01&to=&status=paused&status=failed&limit=20"
    answer = browser.fragment(query)
    expected = f"{browser.list_path}?status=paused,failed&from=2026-03-01T00:00:00Z"
    assert answer.headers["HX-Push-Url"] == expected
    assert "HX-Replace-Url" not in answer.headers


def test_typing_replaces_the_address(browser: Browser) -> None:
    answer = browser.fragment("search=ad", headers={"HX-Source": "input#search"})
    assert answer.headers["HX-Replace-Url"] == f"{browser.list_path}?search=ad"
    assert "HX-Push-Url" not in answer.headers


def test_the_same_address_is_not_pushed_again(browser: Browser) -> None:
    current = f"http://localhost{browser.list_path}?search=ad"
    answer = browser.fragment("search=ad", headers={"HX-Current-URL": current})
    assert answer.headers["HX-Replace-Url"] == f"{browser.list_path}?search=ad"


def test_history_that_breaks_the_rules_is_shown_honestly(browser: Browser) -> None:
    make_run(
        browser.workflow,
        run_number=1,
        started_at=NOON,
        completed_at=NOON - timedelta(hours=1),
        finished_steps=9,
        total_steps=4,
    )
    make_run(browser.workflow, run_number=2, status="failed", started_at=NOON, completed_at=None)
    make_run(browser.workflow, run_number=3, started_at=None, completed_at=NOON)
    make_run(browser.workflow, run_number=4, status="pending")
    soup = parsed(browser.runs())
    rows = {one(row, ".run").text: row for row in soup.select("#runs tbody tr")}
    said = {number: [note.text for note in row.select(".odd")] for number, row in rows.items()}
    assert said == {
        "#1": ["more than planned", "ends before its start"],
        "#2": ["no end recorded"],
        "#3": ["no start recorded"],
        "#4": [],
    }
    assert all("–" in one(row, ".c-duration").text for row in rows.values())
    assert "9 of 4" in text_of(rows["#1"])
    assert "Not recorded" in one(rows["#4"], ".c-who").text


@pytest.mark.parametrize("path", ["/workflows/nonsense/runs", "/workflows/nonsense/runs?limit=500"])
def test_a_garbled_workflow_id_is_a_plain_404_page(browser: Browser, path: str) -> None:
    answer = browser.open(path)
    assert answer.status_code == 404
    assert one(parsed(answer), "h1").text == "Not found"


def test_a_foreign_workflow_looks_like_an_absent_one(browser: Browser) -> None:
    foreign = make_workflow(make_workspace("other", "Other"), "Secret plans")
    answers = [browser.open(f"/workflows/{id_}/runs") for id_ in (foreign.id, uuid4())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert "Secret plans" not in answers[0].text


def test_bad_values_are_said_before_a_missing_workflow_and_name_nothing(browser: Browser) -> None:
    foreign = make_workflow(make_workspace("other", "Other"), "Secret plans")
    for workflow_id in (foreign.id, uuid4()):
        answer = browser.open(f"/workflows/{workflow_id}/runs?limit=500")
        assert answer.status_code == 422
        assert "Secret plans" not in answer.text


@pytest.mark.slow
def test_rows_lead_to_runs_and_back_to_the_same_list(browser: Browser) -> None:
    make_runs(browser, 3)
    link = parsed(browser.runs("limit=1&offset=1")).select(".run")[0]
    run_page = parsed(browser.open(str(link["href"])))
    assert one(run_page, "h1").text == "Run #2"
    assert one(run_page, "#back")["href"] == f"{browser.list_path}?limit=1&offset=1"


def test_list_home_and_run_page_hold_a_run_against_one_usual_duration(browser: Browser) -> None:
    begun, took = moments.now() - timedelta(days=2), timedelta(seconds=463)
    for _ in range(10):
        end = begun + timedelta(seconds=62)
        make_run(browser.workflow, created_at=begun, started_at=begun, completed_at=end)
    slow = make_run(
        browser.workflow,
        created_at=(started := moments.now() - took),
        started_at=started,
        completed_at=started + took,
    )
    with statements() as found:
        page = parsed(browser.runs())
    assert len([each for each, _ in found if "wanted" in each]) == 1
    assert [text_of(cell) for cell in page.select(".c-duration") if "×" in cell.text] == [
        "7× the usual, 7 m 43 s"
    ]
    assert "1 m 02 s" in text_of(one(parsed(browser.open("/")), "tbody tr:not(.band)"))
    assert "1 m 02 s" in text_of(one(parsed(browser.open(f"{browser.list_path}/{slow.id}")), ".headline"))
    with statements() as again:
        browser.runs("limit=10")
    assert not [each for each, _ in again if "wanted" in each]
