"""Data, outputs, analysis and overview of a run (contract 3.7 to 3.9)."""

from datetime import timedelta
from typing import Any

import pytest

from portal.database.models import Run, Workflow
from tests.api.conftest import Api
from tests.factories import NOON, make_detail, make_output, make_run, make_steps

GRAPH = {
    "graph": {
        "nodes": [
            {"id": "speak", "type": "operator_generator"},
            {"id": "check", "type": "validator_error_rate", "config": {"threshold": 0.9, "max_retries": 2}},
            {"id": "out", "type": "sink_preview", "name": "Ready"},
            {"id": "spare", "type": "sink_preview"},
        ],
        "edges": [],
    }
}
REFUSED = {"node_id": "check", "score": 0.5, "threshold": 0.9, "passed": False, "wer": 0.5, "cer": 0.25}
PASSED = {"node_id": "check", "score": 0.98, "threshold": 0.9, "passed": True, "transcript": "hallo"}


@pytest.fixture
def run(api: Api, workflow: Workflow) -> Run:
    """Two lines: one refused once and delivered in two languages, one dropped."""
    run = make_run(
        workflow,
        started_at=NOON,
        completed_at=NOON + timedelta(seconds=60),
        paused_ms=10_000,
        credits=12,
        usage_summary={"api_calls": 3, "region": "eu"},
    )
    make_detail(run, definition_snapshot=GRAPH)
    make_steps(
        run,
        {"node_id": "speak", "started_at": NOON, "completed_at": NOON + timedelta(seconds=5)},
        {"node_id": "speak", "iteration": 2, "started_at": NOON},
        {"node_id": "stray", "node_type": "odd", "status": "failed", "error": "boom"},
    )
    german = {"locale_code": "de-DE", "output_node_id": "out", "voice": "Lena"}
    make_output(
        run,
        api.workspace,
        {
            "script": "Hello Åsa",
            "line_id": "l1",
            "auto_corrected": 1,
            "takes": [
                german | {"status": "not_delivered", "duration_ms": 900, "validations": [REFUSED]},
                german | {"duration_ms": 1000, "audio": b"RIFF-one", "validations": [PASSED]},
                {"locale_code": "ja-JP", "output_node_id": "out", "audio": b"RIFF-two"},
            ],
        },
        {"script": "100 %", "takes": [german | {"status": "dropped", "validations": [REFUSED]}]},
        {},
    )
    return run


def read(api: Api, run: Run, what: str) -> Any:
    answer = api.get(f"/workflows/{run.workflow_id}/runs/{run.id}/{what}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_json()


def test_data_shows_lines_with_takes_and_what_was_said_of_them(api: Api, run: Run) -> None:
    answer = read(api, run, "data")
    data = answer["data"]
    assert answer["pagination"] == {"limit": 20, "total": 3, "next": None, "prev": None}
    assert data["partial"] == {"status": "available", "reason": None, "source": None}
    first, second, third = data["rows"]
    assert [row["line_index"] for row in data["rows"]] == [0, 1, 2]
    assert (first["script"], first["line_id"], first["auto_corrected"]) == ("Hello Åsa", "l1", 1)
    assert (third["script"], third["script_status"]) == (None, "unavailable")
    assert second["cards"] == []
    refused, delivered, silent = first["cards"]
    assert [card["status"] for card in first["cards"]] == ["not_delivered", "delivered", "delivered"]
    assert refused["rejected"]["verdicts"][0]["validator_node_id"] == "check"
    assert (refused["audio"]["status"], refused["audio"]["playback_url"]) == ("unavailable", None)
    assert delivered["rejected"] is delivered["dropped"] is None
    assert delivered["audio"]["status"] == "available"
    assert delivered["audio"]["playback_url"].startswith("http://127.0.0.1:8000/files/")
    assert delivered["validations"][0]["score"] == delivered["scores"]["accuracy"] == 0.98
    assert refused["scores"]["wer"] == 0.5
    assert silent["scores"]["accuracy_status"] == "unavailable"
    assert delivered["voice"] == {"display_name": "Lena", "status": "available", "reason": None}


def test_dropped_takes_are_shown_when_asked_for(api: Api, run: Run) -> None:
    rows = read(api, run, "data?include_dropped=true")["data"]["rows"]
    [dropped] = rows[1]["cards"]
    assert dropped["status"] == "dropped"
    assert dropped["dropped"] == dropped["rejected"]
    assert dropped["dropped"]["verdicts"][0] == {
        "validator_node_id": "check",
        "validator_kind": "wer",
        "validator_label": "wer",
        "score": 0.5,
        "threshold": 0.9,
    }


def test_a_language_narrows_cards_and_never_rows(api: Api, run: Run) -> None:
    for language, cards in (("de_DE", 2), ("de-DE", 2), ("ja-JP", 1), ("de-de", 0), ("de", 0)):
        answer = read(api, run, f"data?language={language}")
        assert answer["pagination"]["total"] == 3
        assert len(answer["data"]["rows"][0]["cards"]) == cards


def test_data_is_searched_and_paged_like_any_list(api: Api, run: Run) -> None:
    def lines(query: str) -> tuple[list[int], int]:
        answer = read(api, run, f"data?{query}")
        return [row["line_index"] for row in answer["data"]["rows"]], answer["pagination"]["total"]

    assert lines("search=%C3%A5SA") == ([0], 1)
    assert lines("search=%25") == ([1], 1)
    assert lines("search=hallo") == ([], 0)
    assert lines("limit=1&offset=1") == ([1], 3)
    assert lines(f"offset={2**70}") == ([], 3)
    following = read(api, run, "data?limit=1&search=&language=de_DE")["pagination"]["next"]
    assert following.endswith("/data?offset=1&limit=1&search=&language=de-DE")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        (f"search={'x' * 101}", "search"),
        ("language=%00", "language"),
        ("include_dropped=", "include_dropped"),
    ],
)
def test_data_refuses_bad_parameters(api: Api, run: Run, query: str, field: str) -> None:
    answer = api.get(f"/workflows/{run.workflow_id}/runs/{run.id}/data?{query}")
    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.get_json()["error"]["details"]] == [field]


def test_outputs_name_every_output_node_in_graph_order(api: Api, run: Run) -> None:
    data = read(api, run, "outputs")["data"]
    assert (data["run_id"], data["run_status"], data["credits"]) == (str(run.id), "completed", 12)
    out, spare = data["outputs"]
    assert (out["node_id"], out["display_name"], out["line_count"], out["truncated"]) == (
        "out",
        "Ready",
        2,
        False,
    )
    assert (spare["lines"], spare["line_count"], spare["status"]) == ([], 0, "skipped")
    german, japanese = out["lines"]
    assert german["recommended_audio_file_index"] == 1
    assert german["delivery"] == {"passed": True, "failing_checks": []}
    assert [take["status"] for take in german["audio_files"]] == ["not_delivered", "delivered"]
    assert german["audio_files"][0]["url"] is None
    assert japanese["audio_files"][0]["url"]


def test_analysis_adds_up_what_was_delivered_and_never_guesses(api: Api, run: Run) -> None:
    data = read(api, run, "analysis")["data"]
    assert (data["run"]["duration_ms"], data["run"]["paused_ms"]) == (50_000, 10_000)
    audio = data["audio"]
    assert (audio["status"], audio["delivered_total_ms"], audio["generated_total_ms"]) == (
        "partial",
        1000,
        1900,
    )
    assert audio["delivered_missing_take_count"] == 1
    assert [each["locale_code"] for each in audio["by_locale"]] == ["de-DE", "ja-JP"]
    [check] = data["validators"]
    assert (check["node_id"], check["kind"], check["threshold"], check["max_retries"]) == (
        "check",
        "wer",
        0.9,
        2,
    )
    assert check["retry_count"] == 2
    assert [(each["locale_code"], each["pass_count"]) for each in check["locales"]] == [("de-DE", 1)]
    assert (data["credits"]["status"], data["credits"]["charged"]) == ("partial", 12)


def test_overview_claims_no_queue_time_where_the_creation_was_not_recorded(
    api: Api, workflow: Workflow
) -> None:
    run = make_run(workflow, started_at=NOON, completed_at=NOON)
    make_detail(run, source={"created_at_from": "started_at"})
    sections = read(api, run, "overview")["data"]["metric_sections"]
    [queued] = [each for section in sections for each in section["metrics"] if each["key"] == "queue_time"]
    assert (queued["status"], queued["value"]) == ("unavailable", None)


def test_overview_shows_each_node_by_its_latest_attempt(api: Api, run: Run) -> None:
    data = read(api, run, "overview")["data"]
    assert data["workflow"] == {"id": str(run.workflow_id), "name": "Nightly dub"}
    assert data["workflow_snapshot"]["definition"] == GRAPH
    states = {state["node_id"]: state for state in data["workflow_snapshot"]["node_states"]}
    assert list(states) == ["speak", "check", "out", "spare", "stray"]
    assert (states["speak"]["iteration"], states["speak"]["duration_ms"]) == (2, None)
    assert states["check"]["status"] == "skipped"
    assert (states["stray"]["node_type"], states["stray"]["error"]) == ("odd", "boom")
    metrics = {each["key"]: each for section in data["metric_sections"] for each in section["metrics"]}
    assert (metrics["duration"]["value"], metrics["duration"]["formatted_value"]) == (50_000, "50 s")
    assert (metrics["output_lines"]["status"], metrics["output_lines"]["value"]) == ("unavailable", None)
    assert metrics["api_calls"]["value"] == 3
    assert "region" not in metrics
    assert data["audio_by_language"][0] == {
        "locale_code": "de-DE",
        "line_count": 1,
        "total_duration_ms": 1000,
        "avg_duration_ms": 1000,
    }
    [check] = data["validators"]
    assert (check["pass_rate"], check["status"]) == (1.0, "available")


def test_a_run_about_which_nothing_is_known_says_so_everywhere(api: Api, workflow: Workflow) -> None:
    ended, going = make_run(workflow), make_run(workflow, status="running")
    assert read(api, ended, "data")["data"]["partial"]["status"] == "unavailable"
    assert read(api, going, "data")["data"]["partial"]["status"] == "not_ready"
    assert read(api, ended, "outputs")["data"]["outputs"] == []
    analysis = read(api, ended, "analysis")["data"]
    assert (analysis["audio"]["status"], analysis["credits"]["status"]) == ("unavailable", "unavailable")
    assert analysis["run"]["duration_ms"] is None
    overview = read(api, going, "overview")["data"]
    assert overview["workflow_snapshot"]["definition"]["graph"] == {"nodes": [], "edges": []}
    assert overview["workflow_snapshot"]["node_states"] == []
