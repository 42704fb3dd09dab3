"""The API, the page and its partial give the same rows and the same refusals over every parameter."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.database.models import User, Workflow
from tests.factories import (
    NOON,
    make_key,
    make_member,
    make_person,
    make_run,
    make_user,
    make_workflow,
    make_workspace,
)

Ask = Callable[[str, str], TestResponse]

GOOD = [
    "",
    "limit=3",
    "limit=3&offset=2",
    "offset=5",
    "status=failed",
    "status=failed,completed",
    "status=running,pending,paused&limit=2",
    "search=ada",
    "search=%C3%85SA",
    "search=%25",
    "search=nobody",
    "search=",
    "sort=started_at",
    "sort=started_at&order=asc",
    "sort=completed_at&order=asc&limit=4&offset=3",
    "sort=status&order=asc",
    "sort=status",
    "order=asc",
    "from=2026-03-01T12:02:00Z",
    "to=2026-03-01T12:02:00Z",
    "from=2026-03-01T12:01:00Z&to=2026-03-01T14:03:00%2B02:00&sort=status",
    "sort=duration&order=asc",
    "min_duration=1m&max_duration=2h&sort=duration",
    "outcome=skipped",
    "outcome=timed_out,skipped&status=failed,cancelled&sort=status",
    "outcome=stale",
    "trigger=schedule",
    "trigger=unknown,event&sort=status",
    "trigger=unknown",
    "source=github:acme/web",
    "source=github:acme",
    "branch=feature/x%20y&sort=completed_at&order=asc",
    "branch=Feature/x%20y",
    "label=env%3Dprod",
    "label=env%3Dprod&label=tier%3D1&status=failed,completed&limit=2&offset=1",
    "label=env%3Dprod&label=tier%3D2",
    "step_failed=build",
    "error=00000000-0000-4000-8000-000000000000&status=failed",
    "step_failed=Build%20it",
    "branch=x&branch=feature/x%20y",
    "text=DUB",
    "text=no%20match",
    "text=100%25_",
    "text=%C3%89cole&status=failed&sort=status",
    "limit=x&limit=2",
    "unknown=1",
]
BAD = {
    "offset=-1": "offset",
    "offset=": "offset",
    "offset=1e3": "offset",
    "limit=0": "limit",
    "limit=101": "limit",
    "limit=x": "limit",
    "limit=%EF%BC%92": "limit",
    "status=a,,b": "status",
    "status=Completed": "status",
    "status=completed,": "status",
    "status=draft": "status",
    "status=": "status",
    "search=" + "x" * 101: "search",
    "search=%00": "search",
    "sort=": "sort",
    "sort=name": "sort",
    "order=": "order",
    "order=DESC": "order",
    "min_duration=soon": "min_duration",
    "max_duration=1.5h": "max_duration",
    "min_duration=2m&max_duration=90s": "min_duration",
    "outcome=skipped,": "outcome",
    "outcome=Skipped": "outcome",
    "outcome=completed": "outcome",
    "trigger=cron": "trigger",
    "trigger=schedule,": "trigger",
    "source=" + "x" * 201: "source",
    "branch=" + "x" * 501: "branch",
    "branch=%00": "branch",
    "label=prod": "label",
    "error=prod": "error",
    "label=%3Dprod": "label",
    "label=env%3Dprod&label=prod": "label",
    "&".join(f"label={number}%3D" for number in range(11)): "label",
    "step_failed=%00": "step_failed",
    "text=ab": "text",
    "text=" + "x" * 101: "text",
    "text=%00%00%00": "text",
    "text=e%CC%81a": "text",
    "from=yesterday": "from",
    "to=2026-03-01T12:00:00": "to",
    "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z": "from",
}


@pytest.fixture
def shelf(app: Flask) -> tuple[User, Workflow, str]:
    """Nine runs with every status, with and without a person, some times missing, some alike."""
    workspace, user = make_workspace(), make_user(first_name="Ada")
    make_member(workspace, user)
    workflow = make_workflow(workspace)
    people = [make_person(workspace, "Ada Lovelace"), make_person(workspace, "Åsa", "asa@x.example"), None]
    statuses = [
        "completed",
        "failed",
        "cancelled",
        "running",
        "pending",
        "paused",
        "completed",
        "failed",
        "running",
    ]
    for number, status in enumerate(statuses):
        at = NOON + timedelta(minutes=number // 2)
        started = None if status == "pending" else at
        make_run(
            workflow,
            people[number % 3],
            status=status,
            created_at=at,
            started_at=started,
            completed_at=started,
            outcome={"failed": "timed_out", "cancelled": "skipped"}.get(status),
            trigger={"failed": "schedule", "completed": "event"}.get(status),
            source_system="github:acme/web" if number % 2 else None,
            branch="feature/x y" if number % 3 else None,
            source={"labels": {"env": "prod", "tier": number % 2}, "title": f"Nightly dub {number}"},
            error="École: 100%_ done" if number % 2 else None,
            steps=[{"node_id": "build", "name": "Build it", "status": status}],
        )
    return user, workflow, make_key(workspace, user)


@pytest.fixture
def ask(app: Flask, shelf: tuple[User, Workflow, str], sign_in: Callable[[User], FlaskClient]) -> Ask:
    user, workflow, key = shelf
    browser = sign_in(user)
    path = f"/workflows/{workflow.id}/runs"

    def ask(surface: str, query: str) -> TestResponse:
        if surface == "api":
            return app.test_client().get(f"/api/v1{path}?{query}", headers={"Authorization": f"Bearer {key}"})
        if surface == "page":
            return browser.get(f"{path}?{query}")
        return browser.get(f"{path}/table?{query}", headers={"HX-Request": "true"})

    return ask


def rows(answer: TestResponse) -> list[str]:
    """The ids of the runs that an answer shows, in order."""
    if answer.content_type == "application/json":
        return [row["id"] for row in answer.get_json()["data"]]
    links = BeautifulSoup(answer.text, "html.parser").select("#runs tbody a.run")
    return [str(link["href"]).split("?")[0].rsplit("/", 1)[-1] for link in links]


@pytest.mark.parametrize("query", GOOD)
@pytest.mark.slow
def test_every_surface_gives_the_same_rows(ask: Ask, query: str) -> None:
    answers = {surface: ask(surface, query) for surface in ("api", "page", "fragment")}
    expected = rows(answers["api"])
    assert {
        surface: (answer.status_code, rows(answer)) for surface, answer in answers.items()
    } == dict.fromkeys(answers, (200, expected))


@pytest.mark.parametrize(("query", "field"), BAD.items())
def test_every_surface_refuses_the_same(ask: Ask, query: str, field: str) -> None:
    for surface in ("api", "page", "fragment"):
        answer = ask(surface, query)
        assert answer.status_code == 422, surface
        if surface == "api":
            assert [detail["field"] for detail in answer.get_json()["error"]["details"]] == [field]
            message = answer.get_json()["error"]["details"][0]["message"]
        else:
            text = BeautifulSoup(answer.text, "html.parser").get_text(" ", strip=True)
            assert " ".join(message.split()).lower() in " ".join(text.split()).lower(), surface


@pytest.mark.slow
def test_a_plain_form_may_say_more_than_the_api_takes(ask: Ask) -> None:
    whole_day = "from=2026-03-01T00:00:00Z&to=2026-03-01T23:59:59.999999Z"
    for form, canonical in (
        ("status=failed&status=completed", "status=failed,completed"),
        ("from=&to=", ""),
        ("from=2026-03-01&to=2026-03-01", whole_day),
        ("search=&sort=created_at&order=desc&limit=20", ""),
    ):
        for surface in ("page", "fragment"):
            answer = ask(surface, form)
            assert answer.status_code == 200, form
            assert rows(answer) == rows(ask("api", canonical))
    assert ask("api", "from=2026-03-01").status_code == 422
