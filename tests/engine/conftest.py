"""What tests of the engine share."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.engine.contract import Item
from tests.engine.provider_server import ProviderServer, provider_server
from tests.engine.step_context import StepContext, item
from tests.engine.takes import take_of


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
