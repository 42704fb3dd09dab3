"""The package of docs/handlers.md: installed without a network, and named in the settings of a portal."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portal.definitions.catalog import OURS
from tests.conftest import settings_for
from tests.definitions.graphs import GENERATOR, SCRIPT, SINK, edge, graph, node

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "run-portal-example-handlers"
SPELL_OUT, PACE = "operator_spell_out", "validator_pace"

PORTAL = """
import json, sys
from pathlib import Path
from portal import create_app
from portal.engine.contract import StoredFile, Take
from portal.engine.handlers.registry import handler_for
from portal.definitions.preflight import Surroundings, preflight_definition
from portal.definitions.shape import read_stored
from tests.engine.step_context import StepContext, item, step

folder = Path(sys.argv[1])
app = create_app(instance=folder)
nodes = app.test_client().get("/api/v1/nodes").get_json()["data"]
context = StepContext(folder)

def take(milliseconds):
    audio = StoredFile("0" * 64, 1, "audio/flac")
    return Take(audio=audio, duration_ms=milliseconds, voice="Ada", provider="p", model="m")

def run(slug, *items, **config):
    return handler_for(slug).run(step(slug, items, **config), context)

with app.app_context():
    lines = [item("The FAQ of NASA, a HANDBOOK"), item("FAQ", line=1, markup="the F A Q")]
    plain = run("operator_spell_out", *lines)
    chosen = run("operator_spell_out", *lines, longest=8, separator="-", spoken_as_words=["NASA"])
    text = "x" * 170
    preflight = preflight_definition(read_stored(json.load(sys.stdin)), Surroundings())
    judged = run("validator_pace", item(text, take=take(10_000)), item(text, take=take(5_000)), item(text))
    answer = {
        "nodes": [node["node_type"] for node in nodes],
        "errors": [finding.rule for finding in preflight.errors],
        "able": [handler_for(s).ability(None).unavailable for s in ("operator_spell_out", "validator_pace")],
        "plain": [each.text for each in plain.items],
        "chosen": [each.text for each in chosen.items],
        "result": plain.result,
        "progress": context.progressed[:2],
        "verdicts": [[each.passed, each.score, each.reason] for each in judged.verdicts],
        "audio_ms": judged.usage.audio_ms,
    }
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the example in it."""
    folder = tmp_path_factory.mktemp("packages")
    installation = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-cache", "--no-deps"]
    subprocess.run([*installation, "--target", folder, EXAMPLE], check=True, capture_output=True)
    return folder


def definition() -> dict[str, Any]:
    nodes = [node(SCRIPT, text="x"), node(SPELL_OUT), node(GENERATOR), node(PACE), node(SINK)]
    edges = [
        edge(SCRIPT, SPELL_OUT),
        edge(SPELL_OUT, GENERATOR),
        edge(GENERATOR, PACE),
        edge(PACE, SINK, "pass"),
        edge(PACE, GENERATOR, "fail"),
    ]
    return graph(nodes, edges)


def start(packages: Path, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = settings_for(f"sqlite:///{folder / 'portal.sqlite3'}") | settings
    return subprocess.run(
        [sys.executable, "-c", PORTAL, str(folder)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(packages), **environment},
        cwd=ROOT,
        input=json.dumps(definition()),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_example_is_installed_listed_validated_and_run(packages: Path, tmp_path: Path) -> None:
    started = start(packages, tmp_path, PORTAL_HANDLER_PLUGINS="run-portal-example-handlers")
    assert started.returncode == 0, started.stderr
    assert json.loads(started.stdout) == {
        "nodes": [*OURS, SPELL_OUT, PACE],
        "errors": [],
        "able": [None, None],
        "plain": ["The F A Q of N A S A, a HANDBOOK", "FAQ"],
        "chosen": ["The F-A-Q of NASA, a H-A-N-D-B-O-O-K", "FAQ"],
        "result": {"spelled_lines": 1},
        "progress": [[1, 2], [2, 2]],
        "verdicts": [
            [True, 100.0, "17.0 characters a second."],
            [False, 50.0, "34.0 characters a second."],
            [None, None, "There is no audio to judge."],
        ],
        "audio_ms": 15_000,
    }


@pytest.mark.slow
def test_an_installed_package_that_nobody_named_is_not_there(packages: Path, tmp_path: Path) -> None:
    started = start(packages, tmp_path)
    assert started.returncode != 0
    assert "the node type operator_spell_out is missing here" in started.stderr.lower()
