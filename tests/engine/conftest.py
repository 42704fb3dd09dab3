"""What tests of the engine share."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from portal.definitions.catalog import CATALOG
from portal.engine.contract import Item
from tests.engine.provider_server import ProviderServer, provider_server
from tests.engine.step_context import StepContext, item
from tests.engine.takes import take_of
from tests.engine.torture.processes import environment


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with provider_server() as server:
        yield server


Speak = Callable[..., Item]


@pytest.fixture
def spoken(tmp_path: Path) -> Speak:
    """Makes an item whose take eSpeak NG spoke: `spoken(context, text, said=…, voice=…, …)`."""
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("the program espeak-ng is not installed")

    def speak(
        context: StepContext, text: str, said: str | None = None, voice: str = "en-us", **fields: object
    ) -> Item:
        file = tmp_path / "spoken.wav"
        subprocess.run([program, "-v", voice, "-w", file, said or text], check=True)
        return item(text, take=take_of(context, file.read_bytes()), **fields)

    return speak


@pytest.fixture(params=["sqlite", "postgresql"])
def worker_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'portal.sqlite3'}"
    found: str = request.getfixturevalue("fresh_postgres_url")
    return found


@pytest.fixture
def worker_settings(
    worker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mapping[str, str]]:
    """What workers and the portal have in common."""
    made = environment(tmp_path, worker_url)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    yield made
    CATALOG.install([])
