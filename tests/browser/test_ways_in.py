"""Runs of other systems, followed in a browser from their beginning: a cron job, and a DAG of Airflow."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from portal import moments
from portal.history.identity import workflow_id
from tests.browser.conftest import GUARD_MS, OpenBrowser, Portal
from tests.factories import make_ingest_key
from tests.ingest.lineage.makers import Body, body, dag_facets, link, task_facets

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Followed:
    """A list of runs in a browser that is never loaded again; its clock runs ahead."""

    page: Page

    @property
    def newest(self) -> Locator:
        return self.page.locator("#runs tbody tr").first

    def until(self, shown: Callable[[], bool]) -> None:
        """Let time pass in the browser until something shows."""
        deadline = time.monotonic() + GUARD_MS / 1000
        while not shown():
            assert time.monotonic() < deadline, self.page.locator("#runs").inner_text()
            self.page.clock.run_for(1000)
            self.page.wait_for_timeout(20)

    def show_new_run(self) -> None:
        """Wait for the notice that a run has come, and ask for it."""
        self.until(self.page.locator("#show-new").is_visible)
        expect(self.page.locator("#show-new")).to_have_text("1 new run – show")
        self.page.locator("#show-new").click()

    def expect_state(self, word: str) -> None:
        """Wait until the newest run is said to be in this state."""
        self.until(lambda: word in (self.newest.locator(".c-state").text_content() or ""))

    def open_newest(self) -> None:
        self.newest.locator(".run").click()
        self.page.wait_for_url("**/runs/*-*")


Follow = Callable[[UUID], Followed]


@pytest.fixture
def follow(portal: Portal, open_browser: OpenBrowser) -> Follow:
    """Open the list of a workflow on which nothing runs."""

    def follow(found: UUID) -> Followed:
        page = open_browser()
        page.clock.install()
        page.goto(portal.list_of(found))
        expect(page.locator("#live-word")).to_have_text("Nothing is running")
        return Followed(page)

    return follow


@dataclass(frozen=True)
class Cron:
    """A machine whose crontab has one line, about a job that fails while its disk is full."""

    home: Path
    environment: dict[str, str]

    def __post_init__(self) -> None:
        os.mkfifo(self.home / "go-on")
        self._script(
            "dump.sh", 'echo "Dumping app"\ncat go-on\n[ -e space ] || { echo "No space" >&2; exit 3; }\n'
        )

    def _script(self, name: str, text: str) -> None:
        (self.home / name).write_text(text)

    def begin(self, *line: str) -> subprocess.Popen[bytes]:
        """Start the line of the crontab; the job waits to be told to go on."""
        return subprocess.Popen(line, cwd=self.home, env=self.environment, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)  # fmt: skip

    def end(self, process: subprocess.Popen[bytes], *, space: bool) -> int:
        """Let the job go on; returns its exit status."""
        if space:
            (self.home / "space").touch()
        else:
            (self.home / "space").unlink(missing_ok=True)
        (self.home / "go-on").write_text("Half of it\n")
        return process.wait(GUARD_MS / 1000)

    def run(self, *line: str) -> None:
        assert self.end(self.begin(*line), space=True) == 0


@pytest.fixture
def cron(portal: Portal, tmp_path: Path) -> Cron:
    with portal.inside():
        keys = {kind: make_ingest_key(portal.workspace, kind) for kind in ("history", "ping")}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "RUN_PORTAL_URL": portal.url,
        "RUN_PORTAL_KEY": keys["history"],
        "PING": f"{portal.url}/ping/{keys['ping']}/dump",
    }
    return Cron(tmp_path, environment)


def fail_and_succeed(cron: Cron, followed: Followed, *line: str) -> None:
    """Two nights of a job: one that fails, and the next."""
    job = cron.begin(*line)
    followed.show_new_run()
    followed.expect_state("Running")
    assert cron.end(job, space=False) in (0, 3)
    followed.expect_state("Failed")
    expect(followed.newest).to_contain_text("xit status 3")
    job = cron.begin(*line)
    followed.show_new_run()
    followed.expect_state("Running")
    assert cron.end(job, space=True) == 0
    followed.expect_state("Completed")


def open_failed(page: Page) -> None:
    """From the list to the page of the run before the newest, with the output of its step."""
    page.locator("#runs tbody tr").nth(1).locator(".run").click()
    page.locator("#result-0").click()


def test_a_cron_job_wrapped_by_exec_is_followed_from_its_start_to_its_failure_and_the_next_run(
    portal: Portal, follow: Follow, cron: Cron
) -> None:
    line = (sys.executable, "-IS", str(ROOT / "run_portal.py"), "exec", "--workflow", "Nightly dump",
            "--source", "exec:db1", "--trigger", "schedule", "--", "sh", "dump.sh")  # fmt: skip
    cron.run(*line)
    followed = follow(workflow_id(portal.workspace.id, "exec:db1", "Nightly dump"))
    fail_and_succeed(cron, followed, *line)
    open_failed(followed.page)
    expect(followed.page.locator("#run")).to_contain_text("Exit status 3")
    expect(followed.page.locator("#run")).to_contain_text("Half of it")
    expect(followed.page.locator("#run")).to_contain_text("No space")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_cron_job_that_pings_by_curl_is_followed_from_its_start_to_its_failure_and_the_next_run(
    portal: Portal, follow: Follow, cron: Cron
) -> None:
    line = ("sh", "-c", 'curl -fsS "$PING/start?create=1"; out=$(sh dump.sh 2>&1); '
            'curl -fsS --data-raw "$out" "$PING/$?"')  # fmt: skip
    cron.run(*line)
    followed = follow(workflow_id(portal.workspace.id, "ping", "dump"))
    fail_and_succeed(cron, followed, *line)
    open_failed(followed.page)
    expect(followed.page.locator("#run")).to_contain_text("Exit status 3")
    expect(followed.page.locator("#run")).to_contain_text("No space")


@dataclass(frozen=True)
class Airflow:
    """A scheduler whose provider for OpenLineage says of one DAG what happens, as it happens."""

    url: str
    key: str
    began: datetime

    def of_dag(self, number: int, kind: str, second: int, **facets: Any) -> None:
        self._send(number, kind, second, "orders", dag_facets(f"scheduled__{number}", "orders"), facets)

    def of_task(self, number: int, task: str, attempt: int, kind: str, second: int, **facets: Any) -> None:
        said = task_facets(task, attempt, f"scheduled__{number}", "orders", log_url=log_of(task, attempt))
        within = {"parent": link(number, "orders")}
        own = number * 100 + attempt * 10 + len(task)
        self._send(own, kind, second, f"orders.{task}", said, within | facets)

    def _send(self, run: int, kind: str, second: int, name: str, said: Body, facets: Body) -> None:
        at = moments.format_moment(self.began + timedelta(seconds=second))
        event = body(run, kind, 0, name, facets=said | facets, eventTime=at)
        headers = {"Authorization": f"Bearer {self.key}"}
        sent = requests.post(
            f"{self.url}/api/v1/lineage", json=event, headers=headers, timeout=GUARD_MS / 1000
        )
        assert (sent.status_code, sent.json()["taken"]) == (201, True)


def log_of(task: str, attempt: int) -> str:
    return f"https://airflow.acme.example/dags/orders/runs/tasks/{task}?try_number={attempt}"


def test_a_run_of_airflow_is_followed_through_a_failed_task_and_its_retry_and_leads_to_the_original(
    portal: Portal, follow: Follow
) -> None:
    with portal.inside():
        key = make_ingest_key(portal.workspace, source="airflow")
    airflow = Airflow(portal.url, key, moments.now() - timedelta(minutes=2))
    airflow.of_dag(1, "START", 0)
    airflow.of_dag(1, "COMPLETE", 5)
    followed = follow(workflow_id(portal.workspace.id, "airflow", "orders"))
    page = followed.page

    airflow.of_dag(2, "START", 10)
    airflow.of_task(2, "extract", 1, "START", 11)
    followed.show_new_run()
    followed.expect_state("Running")
    followed.open_newest()
    airflow.of_task(2, "extract", 1, "FAIL", 20, errorMessage={"message": "Connection refused"})
    followed.until(lambda: "Connection refused" in (page.locator("#run").text_content() or ""))
    airflow.of_task(2, "extract", 2, "START", 30)
    airflow.of_task(2, "extract", 2, "COMPLETE", 40)
    airflow.of_task(2, "load", 1, "START", 41)
    airflow.of_task(2, "load", 1, "COMPLETE", 49)
    airflow.of_dag(2, "COMPLETE", 50)
    followed.until(lambda: page.locator("#run-state").get_attribute("data-status") == "completed")

    attempts = page.locator("#steps tbody tr", has_text="extract")
    expect(attempts).to_have_count(2)
    expect(attempts.nth(0)).to_have_class("failed")
    expect(attempts.nth(1)).to_have_class("completed")
    for attempt in (1, 2):
        original = page.locator(f'a[href="{log_of("extract", attempt)}"]')
        expect(original).to_be_visible()
        expect(original).to_have_attribute("rel", "noreferrer noopener")
