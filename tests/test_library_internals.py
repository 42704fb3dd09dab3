"""What the portal uses of libraries beyond their documented interface: each test says where and why.

A test that fails here after an upgrade names the code that must be looked at before the upgrade is taken.
"""

import inspect
from typing import Any
from uuid import UUID, SafeUUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from dbos import _workflow_commands
from flask import Flask
from flask.json.provider import DefaultJSONProvider
from joserfc.jwt import JWTClaimsRegistry


def test_a_uuid_consists_of_its_number_and_whether_it_is_safe() -> None:
    changed = (
        "uuid.UUID has other attributes than before. The column type Id sets them without calling UUID(), "
        "whose checks cost more than the rest of a row on SQLite: set the new attributes there too."
    )
    assert set(UUID.__slots__) == {"int", "is_safe", "__weakref__"}, changed
    whole, made = uuid4(), UUID.__new__(UUID)
    object.__setattr__(made, "int", whole.int)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    assert (made, hash(made), str(made), repr(made)) == (whole, hash(whole), str(whole), repr(whole)), changed


def test_psycopg_waits_for_every_answer_of_the_server_in_wait(postgres_url: str) -> None:
    changed = (
        "psycopg no longer waits for the server in Connection.wait(gen, interval, timeout). The portal's "
        "connection overrides it to give up when a request has waited long enough: a silent server "
        "would block every thread. Find where psycopg waits now and put the limit there."
    )
    parameters = inspect.signature(psycopg.Connection.wait).parameters
    assert list(parameters) == ["self", "gen", "interval", "timeout"], changed

    class Counting(psycopg.Connection[Any]):
        waits = 0

        def wait(self, *arguments: Any, **named: Any) -> Any:
            type(self).waits += 1
            return super().wait(*arguments, **named)

    url = sa.make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with Counting.connect(url) as connection:
        for act in (lambda: connection.execute("SELECT 1"), connection.commit, connection.rollback):
            before = Counting.waits
            connection.execute("SELECT 1")
            act()
            assert Counting.waits - before >= 2, changed


def test_flask_prepares_an_answer_in_a_method_of_its_provider() -> None:
    changed = (
        "Flask's DefaultJSONProvider no longer has _prepare_response_obj or _app. The portal's JSON provider "
        "overrides response() to write with orjson and takes the arguments of jsonify apart with that method."
    )
    app = Flask("guard")
    provider = DefaultJSONProvider(app)
    assert getattr(provider, "_app", None) == app, changed
    prepare = getattr(provider, "_prepare_response_obj", None)
    assert prepare is not None, changed
    assert (prepare((), {"a": 1}), prepare(([1],), {}), prepare((), {})) == ({"a": 1}, [1], None), changed


def test_authlib_keeps_a_sign_in_in_the_session_under_a_known_name() -> None:
    changed = (
        "Authlib stores a sign-in in progress in another way. The portal finds the entries by name and "
        "'exp', to let them expire and to drop the oldest before the cookie passes 4,096 bytes."
    )
    session: dict[str, Any] = {}
    integration = FlaskIntegration("portal")
    integration.set_state_data(session, "s", {"nonce": "n"})
    assert list(session) == ["_state_portal_s"], changed
    assert set(session["_state_portal_s"]) == {"data", "exp"}, changed
    assert session["_state_portal_s"]["data"] == {"nonce": "n"}, changed
    assert hasattr(integration, "_clear_session_state"), changed


def test_authlib_loads_metadata_with_its_own_session_and_address() -> None:
    changed = (
        "Authlib's client lacks _get_session, _server_metadata_url or load_server_metadata. The portal "
        "overrides the last one to check the provider's metadata and to renew them after ten minutes."
    )
    client = FlaskOAuth2App(FlaskIntegration("portal"), "portal", server_metadata_url="https://id.example/x")
    assert getattr(client, "_server_metadata_url", None) == "https://id.example/x", changed
    assert client.server_metadata == {}, changed
    for name in ("_get_session", "load_server_metadata"):
        assert callable(getattr(client, name, None)), changed


@pytest.mark.parametrize("name", ["azp", "sts"])
def test_joserfc_checks_a_claim_with_the_method_of_its_name(name: str) -> None:
    changed = (
        "joserfc's claims registry no longer calls validate_<claim>. The portal refuses lists as azp and sts "
        "with such methods: without them a token made for several parties would be taken."
    )

    seen = []
    registry = type("Guard", (JWTClaimsRegistry,), {f"validate_{name}": lambda _, value: seen.append(value)})
    registry(0).validate({name: "x"})
    assert seen == ["x"], changed


def test_dbos_looks_for_delayed_work_as_often_as_a_constant_says() -> None:
    changed = (
        "dbos._workflow_commands no longer has _BACKGROUND_JOBS_INTERVAL_SEC. The portal's queue sets it, so "
        "that an idle worker looks for delayed deliveries every two seconds and uses less of the processor."
    )
    source = inspect.getsource(_workflow_commands.background_jobs_thread)
    assert isinstance(_workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC, float), changed
    assert "_BACKGROUND_JOBS_INTERVAL_SEC" in source, changed
