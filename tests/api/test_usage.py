"""Usage over the API (contract part 2, 10); how it is added up is tested in tests/usage."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from portal import moments
from portal.database.models import Workflow
from tests.api.conftest import Api
from tests.factories import make_key, make_person, make_run


@pytest.fixture
def reader(api: Api) -> Api:
    return api.with_key(make_key(api.workspace, api.user, ("workspace:read",)))


def data(reader: Api, path: str, **query: str) -> Any:
    answer = reader.get(f"/usage/{path}", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["data"]


def test_the_summary_of_an_empty_workspace_is_all_zeros(reader: Api) -> None:
    found = data(reader, "summary")
    assert (found["range"], found["activity_view"], found["timezone"]) == ("30d", "daily", "UTC")
    assert found["credits"] == {"used": 0, "quota": None, "percent": None}
    assert found["lines"] == {"total": 0, "avg_chars_per_line": None}
    assert set(found["runs"].values()) == {0}
    chart = found["activity"]
    assert (chart["view"], chart["bucket_unit"], chart["range_label"]) == ("daily", "day", "Last 7 days")
    assert (chart["total"], chart["avg"], chart["peak"], len(chart["buckets"])) == (0, 0, None, 7)
    assert len(found["daily"]) == 30


def test_the_summary_adds_up_runs_and_says_where_most_went(reader: Api, workflow: Workflow) -> None:
    now = moments.now()
    for status, credits, days in (
        ("completed", 5, 0),
        ("failed", 8, 2),
        ("paused", 1, 40),
        ("completed", 3, 400),
    ):
        at = now - timedelta(days=days)
        make_run(
            workflow,
            status=status,
            credits=credits,
            output_line_count=2,
            delivered_audio_ms=10,
            created_at=at,
            started_at=at,
            completed_at=at,
        )
    found = data(reader, "summary", range="60d", activity_view="monthly", timezone="Asia/Kolkata")
    assert found["credits"]["used"] == 14
    assert (found["lines"]["total"], found["audio"]["total_ms"]) == (6, 10)
    assert found["runs"] == {
        "total": 3, "completed": 1, "failed": 1, "cancelled": 0, "running": 0, "pending": 0, "paused": 1,
    }  # fmt: skip
    chart = found["activity"]
    assert (chart["bucket_unit"], chart["total"], chart["avg"]) == ("month", 14, 1.2)
    assert chart["peak"]["value"] == max(bucket["credits"] for bucket in chart["buckets"])
    assert sum(day["runs"] for day in found["daily"]) == 3
    assert found["daily"][-1]["credits"] == 5


def test_by_language_takes_a_range_or_a_view(reader: Api) -> None:
    ranged = data(reader, "by-language", range="90d")
    assert (ranged["range"], ranged["activity_view"], ranged["languages"]) == ("90d", None, [])
    viewed = data(reader, "by-language", range="90d", activity_view="weekly")
    assert (viewed["range"], viewed["activity_view"]) == (None, "weekly")
    assert viewed["period"] != ranged["period"]


def test_the_activity_is_followed_by_links_and_by_cursors(reader: Api, workflow: Workflow) -> None:
    ada = make_person(reader.workspace, "Ada")
    runs = [make_run(workflow, ada, created_at=moments.now() - timedelta(hours=n)) for n in range(3)]
    make_run(workflow)
    query = {"user_id": str(ada.user_id), "limit": "2", "timezone": "Europe/Berlin", "type": "workflow_run"}
    first = reader.get("/usage/activity", query_string=query).get_json()
    assert [event["id"] for event in first["data"]] == [str(run.id) for run in runs[:2]]
    pages = first["pagination"]
    assert (set(pages), pages["limit"], pages["prev"]) == ({"limit", "next", "prev", "cursor"}, 2, None)
    asked = parse_qs(urlsplit(pages["next"]).query)
    assert asked == {
        name: [text] for name, text in (query | {"range": "30d", "cursor": pages["cursor"]}).items()
    }
    for more in ({"cursor": pages["cursor"]}, {name: texts[0] for name, texts in asked.items()}):
        last = reader.get("/usage/activity", query_string=query | more).get_json()
        assert [event["id"] for event in last["data"]] == [str(runs[2].id)]
        assert (last["pagination"]["next"], last["pagination"]["cursor"]) == (None, None)
    [event] = last["data"]
    assert event["user"] == {"id": str(ada.user_id), "name": "Ada"}
    assert event["resource"] == {"type": "workflow", "id": str(workflow.id), "name": workflow.name}


def test_what_is_not_on_offer_is_422_and_a_stranger_404(reader: Api, api: Api) -> None:
    for path in ("summary", "by-language", "activity"):
        for query in ("range=7d", "timezone=Mars", "timezone=", "range="):
            assert reader.get(f"/usage/{path}?{query}").status_code == 422
        assert api.get(f"/usage/{path}").status_code == 403
    bad = reader.get("/usage/activity?limit=101&cursor=x&user_id=x&type=odd&range=1d").get_json()
    assert sorted(each["field"] for each in bad["error"]["details"]) == [
        "cursor", "limit", "range", "type", "user_id",
    ]  # fmt: skip
    assert reader.get(f"/usage/activity?user_id={uuid4()}").status_code == 404
    assert reader.get(f"/usage/activity?user_id={api.user.id}").status_code == 200
