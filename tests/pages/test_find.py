"""The search box of the header."""

from uuid import UUID

from bs4 import BeautifulSoup

from tests.factories import make_run, make_workflow
from tests.pages.conftest import Browser, one, parsed, text_of

RUN = UUID("abcdef12-3456-4789-8abc-000000000001")


def test_a_single_hit_opens_at_once(browser: Browser) -> None:
    run = make_run(browser.workflow, id=RUN, run_number=42)
    for text in (str(RUN), "abcdef", "%2342", f"http://elsewhere.example/runs/{RUN}"):
        answer = browser.open(f"/find?q={text}")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{browser.list_path}/{run.id}")


def test_a_pasted_list_keeps_its_filters_and_never_leaves_the_portal(browser: Browser) -> None:
    pasted = f"https://evil.example{browser.list_path}%3Fstatus=failed%26limit=500"
    assert browser.open(f"/find?q={pasted}").headers["Location"] == browser.list_path
    pasted = f"https://evil.example{browser.list_path}%3Fstatus=failed"
    assert browser.open(f"/find?q={pasted}").headers["Location"] == f"{browser.list_path}?status=failed"


def test_several_hits_are_listed(browser: Browser) -> None:
    other = make_workflow(browser.workspace, "Another")
    runs = [make_run(browser.workflow, run_number=7), make_run(other, run_number=7)]
    soup = parsed(browser.open("/find?q=7"))
    links = {str(link["href"]).rsplit("/", 1)[-1] for link in soup.select(".found-group .run")}
    assert links == {str(run.id) for run in runs}


def test_the_box_knows_the_workflow_that_is_open(browser: Browser) -> None:
    run = make_run(browser.workflow, run_number=7)
    make_run(make_workflow(browser.workspace, "Another"), run_number=7)
    form = one(parsed(browser.runs()), "form.find")
    assert one(form, "[name=workflow]")["value"] == str(browser.workflow.id)
    answer = browser.open(f"/find?q=7&workflow={browser.workflow.id}")
    assert answer.headers["Location"] == f"{browser.list_path}/{run.id}"


def test_nothing_found_says_what_was_tried_and_what_can_be(browser: Browser) -> None:
    text = one(parsed(browser.open("/find?q=123456")), ".notice").get_text(" ")
    assert "run number 123,456" in text
    assert "ids that begin with 123456" in text
    assert "run number such as 1204" in text
    for odd in ("", "%00", "x" * 3000, "%ff", "&workflow=x"):
        assert browser.open(f"/find?q={odd}").status_code == 200


def test_parts_of_names_are_listed_in_groups_and_the_text_stays_in_the_box(browser: Browser) -> None:
    found = make_workflow(browser.workspace, "Weekly dub of <trailers>")
    make_run(found, run_number=1199)
    soup = parsed(browser.open("/find?q=DUB+week"))
    [link] = soup.select("#main .found-group a")
    assert (link.get_text(), link["href"]) == ("Weekly dub of <trailers>", f"/workflows/{found.id}/runs")
    assert one(soup, "form.find input")["value"] == "DUB week"
    [run] = parsed(browser.open("/find?q=weekly+1199")).select("#main .found-group .run")
    assert "#1,199 Weekly dub of <trailers>" in text_of(run)


def test_suggestions_are_a_fragment_for_the_box_and_a_page_for_everybody_else(browser: Browser) -> None:
    make_workflow(browser.workspace, "Weekly dub")

    def offered(text: str) -> BeautifulSoup:
        return parsed(browser.open(f"/find/suggestions?q={text}", headers={"HX-Request": "true"}))

    assert [text_of(link) for link in offered("week").select("a")] == ["Weekly dub", "All results"]
    assert not offered("week").select("html")
    assert offered("nowhere").get_text().strip() == "Nothing found."
    assert offered("").get_text().strip() == ""
    assert browser.open("/find/suggestions?q=dub").headers["Location"] == "/find?q=dub"
