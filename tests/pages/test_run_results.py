"""What a run gave, on its page: lines with players and scores, files, results of steps."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup

from portal.database.models import Run, StepResult
from portal.database.transactions import writing
from portal.storage import artifact_store, object_key
from tests.factories import make_artifact, make_detail, make_key, make_output, make_run, make_steps
from tests.pages.conftest import HTMX, Browser, one, parsed
from tests.pages.test_run import text_of

SINK = {"id": "out", "type": "sink_preview", "name": "Preview"}
ERROR_RATE = {"id": "v", "type": "validator_error_rate", "name": "Error rate"}


def path_of(browser: Browser, run: Run, query: str = "") -> str:
    return f"{browser.list_path}/{run.id}{query}"


def results(browser: Browser, run: Run, query: str = "") -> BeautifulSoup:
    return BeautifulSoup(
        str(one(parsed(browser.open(path_of(browser, run, query))), "#results")), "html.parser"
    )


def take(locale: str = "de-DE", status: str = "delivered", **columns: Any) -> dict[str, Any]:
    return {"locale_code": locale, "status": status, **columns}


def spoken_run(browser: Browser, *lines: dict[str, Any], **columns: Any) -> Run:
    run = make_run(browser.workflow, **columns)
    make_detail(run, definition_snapshot={"graph": {"nodes": [SINK, ERROR_RATE]}})
    make_output(run, browser.workspace, *lines)
    return run


@pytest.mark.slow
def test_a_line_has_players_scores_and_its_text(browser: Browser) -> None:
    refused = {"node_id": "v", "score": 0.5, "threshold": 0.9, "passed": False, "reason": "too far off"}
    passed = {"node_id": "v", "score": 0.953, "wer": 0.047, "threshold": 0.9, "passed": True}
    takes = [
        take(status="not_delivered", validations=[refused | {"transcript": "Gute Torte"}]),
        take(audio=b"RIFF", duration_ms=1500, voice="Lena", script="<b>Guten</b> Tag", validations=[passed]),
        take("fr-FR", audio=b"RIFF2"),
    ]
    run = spoken_run(browser, {"script": "**Good** <i>day</i>", "takes": takes})
    page = results(browser, run)
    players = page.select("audio")
    assert [str(player["src"]).rsplit("/", 1)[1] for player in players] == [
        "0000000000000001",
        "0000000000000002",
    ]
    assert {(player.get("preload"), player.has_attr("controls")) for player in players} == {("none", True)}
    text = text_of(page)
    assert "1 line in 2 languages, 1 s of audio delivered, the length of 1 not recorded" in text
    assert "**Good** <i>day</i>" in text
    assert "<b>Guten</b> Tag" in text
    assert "Passed: Accuracy 0.953 WER 0.047" in text
    assert "Error rate 0.953 threshold 0.9 1 of 1 1 de-DE 0.953" in text
    other = text_of(one(page, "details"))
    assert "1 other attempt" in other
    assert "too far off Heard: “Gute Torte”" in other


@pytest.mark.slow
def test_a_player_and_a_download_get_a_link_that_is_signed_when_asked_for(browser: Browser) -> None:
    run = spoken_run(browser, {"takes": [take(audio=b"RIFF")]})
    page = results(browser, run)
    for link in (str(one(page, "audio")["src"]), str(one(page, "#download")["href"])):
        answer = browser.open(link)
        assert answer.status_code == 302
        assert answer.headers["Cache-Control"] == "no-store"
        assert "signature=" in answer.headers["Location"]
        assert browser.open(answer.headers["Location"]).status_code == 200


@pytest.mark.slow
def test_a_player_and_a_download_whose_file_is_gone_name_it(browser: Browser) -> None:
    run = spoken_run(browser, {"takes": [take(audio=b"RIFF", name="one.wav")]})
    page = results(browser, run)
    artifact_store().delete(object_key(browser.workspace.id, sha256(b"RIFF").digest()))
    for link in (str(one(page, "audio")["src"]), str(one(page, "#download")["href"])):
        answer = browser.open(link)
        assert answer.status_code == 404
        assert "one.wav" in answer.text


@pytest.mark.slow
def test_audio_of_a_run_that_failed_can_be_heard_and_not_downloaded_whole(browser: Browser) -> None:
    run = spoken_run(browser, {"takes": [take(audio=b"RIFF")]}, status="failed")
    page = results(browser, run)
    assert browser.open(str(one(page, "audio")["src"])).status_code == 302
    assert not page.select("#download")
    assert browser.open(path_of(browser, run, "/download")).status_code == 409


@pytest.mark.slow
def test_a_run_that_gave_nothing_shows_no_results(browser: Browser) -> None:
    run = make_run(browser.workflow)
    assert not parsed(browser.open(path_of(browser, run))).select("#results")
    assert browser.open(path_of(browser, run, "/audio/0000000000000000")).status_code == 404
    assert browser.open(path_of(browser, run, "/download")).status_code == 404


@pytest.mark.slow
def test_dropped_lines_are_told(browser: Browser) -> None:
    lines = [
        {"script": "kept", "takes": [take(), take(status="dropped")]},
        {"script": "lost", "takes": [take(status="dropped"), take("fr-FR")]},
    ]
    page = results(browser, spoken_run(browser, *lines))
    assert text_of(one(page, "#dropped")) == "1 line was dropped: 1 in de-DE."
    assert "Dropped" in text_of(page.select(".lines > li")[1])


@pytest.mark.slow
def test_many_lines_come_in_pages_and_by_language(browser: Browser) -> None:
    takes = [take(), take("fr-FR")]
    run = spoken_run(browser, *({"script": f"line {n}", "takes": list(takes)} for n in range(12)))
    page = results(browser, run, "?status=completed&line_page=2")
    assert [text_of(line) for line in page.select(".line-text")] == [f"line {n}" for n in range(5, 10)]
    assert "Lines 6–10 of 12" in text_of(page)
    french = next(link for link in page.select(".languages a") if "fr-FR" in link.text)
    assert (
        french["href"] == path_of(browser, run, "?status=completed&line_page=2&language=fr-FR") + "#results"
    )
    answer = browser.open(str(french["hx-get"]), headers=HTMX)
    assert {text_of(each) for each in parsed(answer).select("#results .locale")} == {"fr-FR"}
    assert answer.headers["HX-Push-Url"] == str(french["href"]).split("#", maxsplit=1)[0]
    past = results(browser, run, "?line_page=9")
    assert "No line here" in text_of(past)
    assert browser.open(path_of(browser, run, "?line_page=0")).status_code == 422


@pytest.mark.slow
def test_a_line_in_very_many_languages_is_folded(browser: Browser) -> None:
    takes = [take(f"l{n:02}") for n in range(11)]
    page = results(browser, spoken_run(browser, {"script": "x", "takes": takes}))
    assert text_of(one(page, ".rest summary")) == "3 more languages"
    assert len(page.select(".lines .language")) == 11


@pytest.mark.slow
def test_other_files_are_named_and_nodes_have_downloads_of_their_own(browser: Browser) -> None:
    run = make_run(browser.workflow)
    nodes = [SINK, {"id": "text/1", "type": "sink_text", "name": "Texts"}]
    make_detail(run, definition_snapshot={"graph": {"nodes": nodes}})
    make_artifact(
        browser.workspace, run, "notes.md", b"# Notes", node_id="text/1", content_type="text/markdown"
    )
    page = results(browser, run)
    assert "1 other file in the ZIP: notes.md (7 B)" in text_of(page)
    [link] = page.select(".sinks a")
    assert browser.open(str(link["href"])).status_code == 302


@pytest.mark.slow
def test_the_result_of_a_step_is_shown_when_asked_for_as_text(browser: Browser) -> None:
    run = make_run(browser.workflow)
    make_steps(run, {"name": "Write"}, {"name": "Check"})
    markdown = "# Title\n\n<script>alert(1)</script> [x](javascript:alert(1))"
    with writing() as session:
        session.add(StepResult(run_id=run.id, position=0, result={"summary_text": markdown, "lines": [1]}))
    page = parsed(browser.open(path_of(browser, run)))
    assert len(page.select(".result-link")) == 1
    assert markdown.splitlines()[0] not in page.text
    opened = parsed(browser.open(str(one(page, ".result-link")["href"]).split("#")[0]))
    assert opened.select(".result pre")[0].text == markdown
    assert not opened.select(".result script, .result a")
    assert text_of(one(opened, ".result-link")) == "Hide the result of Write"
    assert browser.open(path_of(browser, run, "?step_result=x")).status_code == 422


@pytest.mark.slow
def test_results_cost_the_same_number_of_queries_however_many_there_are(
    browser: Browser, count_queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    judged = take(validations=[{"node_id": "v", "score": 1.0}])
    few = spoken_run(browser, {"script": "x", "takes": [dict(judged)]})
    many = spoken_run(browser, *({"script": "x", "takes": [dict(judged), take("fr-FR")]} for _ in range(12)))
    numbers = []
    for run in (few, many):
        browser.open(path_of(browser, run))
        with count_queries() as queries:
            browser.open(path_of(browser, run))
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 30


@pytest.mark.slow
def test_the_answer_of_the_api_is_one_click_away(browser: Browser, app: Any) -> None:
    run = make_run(browser.workflow, error="<b>")
    page = parsed(browser.open(path_of(browser, run)))
    answer = browser.open(str(one(page, "#raw")["href"]))
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json is not None
    key = make_key(browser.workspace, browser.user)
    address = f"/api/v1{path_of(browser, run)}"
    of_api = app.test_client().get(address, headers={"Authorization": f"Bearer {key}"}).json
    assert answer.json["data"] == of_api["data"]
    assert answer.json.keys() == of_api.keys()
    assert address in one(page, "#curl").text
    assert browser.open(f"{browser.list_path}/{uuid4()}.json").status_code == 404
    assert browser.open(f"{browser.list_path}/garbled.json").status_code == 404
    signed_out = app.test_client().get(f"{path_of(browser, run)}.json")
    assert signed_out.status_code == 302


@pytest.mark.slow
def test_only_outputs_with_something_to_fetch_have_a_download(browser: Browser) -> None:
    sinks = [{"id": name, "type": "sink_preview", "name": name} for name in ("Heard", "Silent", "Refused")]
    takes = [
        take(output_node_id="Heard", audio=b"RIFF"),
        take("fr-FR", output_node_id="Silent"),
        take("it-IT", "not_delivered", output_node_id="Refused", audio=b"RIFF2"),
    ]
    run = make_run(browser.workflow)
    make_detail(run, definition_snapshot={"graph": {"nodes": sinks}})
    make_output(run, browser.workspace, {"script": "Hi", "takes": takes})
    page = results(browser, run)
    links = [str(link["href"]) for link in page.select('a[href*="/nodes/"]')]
    assert links == [f"{path_of(browser, run)}/nodes/Heard/download"]
    assert browser.open(links[0]).status_code == 302


@pytest.mark.slow
def test_a_run_whose_audio_was_not_delivered_offers_no_archive(browser: Browser) -> None:
    run = spoken_run(browser, {"script": "Hi", "takes": [take(status="not_delivered", audio=b"RIFF")]})
    assert not results(browser, run).select("#download")
    assert browser.open(f"{path_of(browser, run)}/download").status_code == 404
