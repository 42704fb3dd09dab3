"""What people see when something does not work: what happened, what to do, and an id to name."""

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal.auth.gate import public
from portal.errors import Forbidden, PortalError
from tests.pages.conftest import HTMX, one, parsed

FAILURES: dict[str, tuple[Exception, int, str]] = {
    "forbidden": (Forbidden(), 403, "Not allowed"),
    "broken": (ZeroDivisionError(), 500, "Something went wrong"),
    "down": (sa.exc.OperationalError("SELECT secret", {}, Exception("gone")), 503, "Not available right now"),
    "other": (PortalError("Odd."), 500, "Something went wrong"),
}


@pytest.fixture
def failing(sqlite_app: Flask) -> FlaskClient:
    """A browser, and a portal with a page for each failure."""
    for name, (error, _, _) in FAILURES.items():

        @public
        def fail(error: Exception = error) -> str:
            raise error

        sqlite_app.add_url_rule(f"/fail/{name}", name, fail)
    sqlite_app.config["PROPAGATE_EXCEPTIONS"] = False
    return sqlite_app.test_client()


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_a_page_that_says_what_to_do(failing: FlaskClient, name: str) -> None:
    _, status, title = FAILURES[name]
    answer = failing.get(f"/fail/{name}?q=1")
    soup = parsed(answer)
    assert answer.status_code == status
    assert one(soup, "h1").text == title
    assert one(soup, "title").text == f"{title} · Run Portal"
    assert answer.headers["X-Request-Id"] in soup.text
    assert "secret" not in answer.text
    links = {link.text: link["href"] for link in soup.select(".choices a")}
    assert links["Go to the workflows"] == "/"
    assert links.get("Try again") == (f"/fail/{name}?q=1" if status >= 500 else None)


@pytest.mark.slow
def test_a_form_that_failed_offers_no_link_that_sends_it_again(sqlite_app: Flask) -> None:
    answer = sqlite_app.test_client().post(
        "/theme", data={"theme": "x"}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403
    assert "Try again" not in [link.text for link in parsed(answer).select(".choices a")]


def test_htmx_gets_a_fragment_of_it(failing: FlaskClient) -> None:
    answer = failing.get("/fail/down", headers=HTMX)
    assert answer.status_code == 503
    assert "<html" not in answer.text
    assert answer.headers["X-Request-Id"] in answer.text


def test_a_method_that_is_not_taken_says_so(sqlite_app: Flask) -> None:
    answer = sqlite_app.test_client().get("/theme")
    assert answer.status_code == 405
    assert one(parsed(answer), "h1").text == "Not possible here"
