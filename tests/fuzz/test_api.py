"""schemathesis asks the API whatever its description allows and forbids, with all of its checks.

`PORTAL_TEST_FUZZ_EXAMPLES` says how many cases an operation gets at most; `make fuzz` sets it high, and asks
with both credentials on each database.
"""

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from portal.auth.principals import SCOPES
from portal.database.engine import db
from tests.auth.provider_keys import claims, sign
from tests.definitions.graphs import checked
from tests.factories import (
    CAN_ALL,
    make_key,
    make_member,
    make_person,
    make_run,
    make_user,
    make_worker,
    make_workflow,
    make_workspace,
)
from tests.provider_voices import voice_with_clip, voices_file
from tests.session_tokens import KEY, let_in, portal_with_tokens

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = os.environ.get("PORTAL_TEST_FUZZ_EXAMPLES", "3")
CREDENTIALS = {"sqlite": ["key"], "postgresql": ["token"]}
"""Who asks on which database, unless PORTAL_TEST_FUZZ_CREDENTIALS names others."""
LEAST = int(os.environ.get("PORTAL_TEST_FUZZ_LEAST", "2000"))
SEED = os.environ.get("PORTAL_TEST_FUZZ_SEED", "1")
SECONDS = int(os.environ.get("PORTAL_TEST_FUZZ_SECONDS", "1200"))


@dataclass
class Target:
    """A portal to ask, what is in it, and two credentials for it."""

    url: str
    ids: dict[str, str]
    credentials: dict[str, dict[str, str]]


@pytest.fixture
def target(environment: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Target]:
    no_limits = {"PORTAL_RATE_LIMIT_PER_MIN": "0", "PORTAL_RATE_LIMIT_ATTEMPTS_PER_MIN": "0"}
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    voices = {"PORTAL_PROVIDER_VOICES": str(voices_file(tmp_path))}
    settings = environment | no_limits | voices | {"PORTAL_BASE_URL": url}
    with portal_with_tokens(settings, tmp_path) as app:
        server.app = app
        for name in ("werkzeug", "portal"):  # a line for each of thousands of refusals helps nobody
            caplog.set_level(logging.ERROR, name)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield _furnished(app, url)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _furnished(app: Flask, url: str) -> Target:
    workspace, user = make_workspace(), let_in(make_user(first_name="Ada"))
    for member in (make_user("owner@acme.example"), user):  # who asks is no owner, so cannot delete it
        make_member(workspace, member)
    make_worker(abilities=CAN_ALL)  # in word only: what is started waits
    workflow = make_workflow(workspace, description="Dubs", definition=checked())
    run = make_run(workflow, make_person(workspace, "Ada"), usage_summary={"api_calls": 3})
    for status in ("pending", "failed", "paused"):
        make_run(workflow, status=status, started_at=None)
    ids = {
        "workspace_id": workspace.id,
        "workflow_id": workflow.id,
        "run_id": run.id,
        "voice_id": voice_with_clip(),
    }
    token = sign(KEY, claims(sub=str(user.id), exp=int(time.time()) + 36_000))
    return Target(
        url,
        {name: str(value) for name, value in ids.items()},
        {
            "token": {"Authorization": f"Bearer {token}", "X-Workspace-Id": str(workspace.id)},
            "key": {"Authorization": f"Bearer {make_key(workspace, user, SCOPES)}"},
        },
    )


def test_whatever_is_asked_the_answer_is_one_that_is_described(target: Target, tmp_path: Path) -> None:
    named = os.environ.get("PORTAL_TEST_FUZZ_CREDENTIALS", "").split()
    credentials = named or CREDENTIALS[db.engine.dialect.name]
    with ThreadPoolExecutor(len(credentials)) as threads:
        generated = list(threads.map(lambda name: _ask(target, name, tmp_path), credentials))
    assert sum(generated) >= LEAST


def _ask(target: Target, credential: str, folder: Path) -> int:
    """Let schemathesis ask with this credential: how many cases it made."""
    headers = [word for pair in target.credentials[credential].items() for word in ("-H", ": ".join(pair))]
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "st"),
            *("run", f"{target.url}/openapi.json", *headers, "--checks", "all"),
            *("--max-examples", EXAMPLES, "--seed", SEED, "--workers", "1", "--warnings", "off"),
        ],
        cwd=folder,  # one worker: Python 3.11 fails at times when two threads parse source at once
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "NO_COLOR": "1",
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
            "PORTAL_TEST_FUZZ_IDS": json.dumps(target.ids),
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    print(f"{credential}: {done.stdout[done.stdout.rindex('Test cases:') :]}")
    made = re.search(r"([\d,]+) generated, ([\d,]+) passed", done.stdout)
    assert made is not None, done.stdout[-2000:]
    assert made[1] == made[2]
    return int(made[1].replace(",", ""))
