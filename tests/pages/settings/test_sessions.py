"""Where somebody is signed in."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from portal.database.models import User
from tests.pages.settings.conftest import Visitor


def test_all_other_sessions_are_ended_at_once(admin: Visitor, sign_in: Callable[[User], FlaskClient]) -> None:
    elsewhere = sign_in(admin.user)
    page = admin.soup("/settings/sessions")
    assert len(page.select("tbody tr")) == 2
    assert len([row for row in page.select("tbody tr") if "(this one)" in row.get_text()]) == 1
    assert admin.send("/settings/sessions/end-others").status_code == 303
    assert elsewhere.get("/").status_code == 302
    assert len(admin.soup("/settings/sessions").select("tbody tr")) == 1


@pytest.mark.slow
def test_others_sessions_are_neither_shown_nor_ended(admin: Visitor, visit: Callable[..., Visitor]) -> None:
    other = visit("viewer", "grace@acme.example")
    assert len(admin.soup("/settings/sessions").select("tbody tr")) == 1
    admin.send("/settings/sessions/end-others")
    assert other.get("/").status_code == 200
