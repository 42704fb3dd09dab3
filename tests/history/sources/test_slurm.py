"""Jobs of Slurm: steps below their job, arrays, exit codes, local times, and jobs queued again."""

from typing import Any

import pytest

from portal.history.files.retrieve import Unreadable
from tests.history.sources.reading import faults, read_text

HEAD = "JobID|JobName|User|State|ExitCode|Submit|Start|End|Elapsed|NodeList\n"
TIMES = "2026-07-02T00:55:14|2026-07-02T00:56:00|2026-07-02T00:57:00|00:01:00|n1"


def row(
    job: str, state: str = "COMPLETED", exit_code: str = "0:0", user: str = "ada", times: str = TIMES
) -> str:
    return f"{job}|align|{user}|{state}|{exit_code}|{times}\n"


def read(*rows: str, head: str = HEAD, **options: Any) -> list[Any]:
    return read_text("slurm", head + "".join(rows), **options)


def test_rows_of_steps_belong_to_their_job() -> None:
    job, batch, extern, first = read(
        row("12"), row("12.batch", user=""), row("12.extern", user=""), row("12.0", user="")
    )
    assert (job["type"], job["external_id"], job["workflow"]) == ("run", "12", {"name": "align"})
    assert [(step["type"], step["external_id"], step["node_id"]) for step in (batch, extern, first)] == [
        ("step", "12", "batch"),
        ("step", "12", "extern"),
        ("step", "12", "0"),
    ]
    assert batch["workflow"] == job["workflow"]


def test_an_exit_code_is_that_of_the_step() -> None:
    job, step = read(row("12", "FAILED", "255:0"), row("12.0", "FAILED", "255:0"))
    assert (job["slurm"]["exitcode"], step["exit_code"]) == ("255:0", 255)


def test_tasks_of_an_array_are_runs_of_one_workflow() -> None:
    lines = read(
        row("12_3"), row("12_[4-9%2]", "PENDING", times="2026-07-02T00:55:14|Unknown|Unknown|00:00:00|")
    )
    assert [(line["external_id"], line["labels"], line["status"]) for line in lines] == [
        ("12_3", {"array": "12"}, "completed"),
        ("12_[4-9%2]", {"array": "12"}, "pending"),
    ]
    assert not {"started_at", "completed_at", "duration_ms"} & lines[1].keys()


def test_a_job_that_was_queued_again_is_its_second_attempt() -> None:
    first, step, second, later = read(
        row("12", "REQUEUED"), row("12.batch", "CANCELLED"), row("12"), row("12.batch")
    )
    assert (first["attempt"], first["outcome"]) == (1, "superseded")
    assert (second["attempt"], second["rerun_of"]) == (2, {"external_id": "12", "attempt": 1})
    assert (step["attempt"], later["attempt"]) == (1, 2)


def test_times_are_in_the_zone_of_the_command_which_the_run_says() -> None:
    [job] = read(row("12"), zone="America/New_York")
    assert (job["started_at"], job["assumed_zone"]) == ("2026-07-02T04:56:00Z", "America/New_York")
    [zoned] = read(row("12", times="||2026-07-02T00:57:00+0200|00:01:00|n1"))
    assert (zoned["completed_at"], "assumed_zone" in zoned) == ("2026-07-01T22:57:00Z", False)


def test_a_job_without_times_keeps_how_long_it_ran() -> None:
    [job] = read("12|align|FAILED|1-02:03:04\n", head="JobID|JobName|State|Elapsed\n")
    assert (job["duration_ms"], "started_at" in job) == (93_784_000, False)


@pytest.mark.parametrize(
    ("said", "status", "outcome"),
    [
        ("CANCELLED by 1000", "cancelled", "aborted"),
        ("CANCELLED+", "cancelled", "aborted"),
        ("TIMEOUT", "failed", "timed_out"),
        ("OUT_OF_MEMORY", "failed", "crashed"),
        ("OUT_OF_ME+", "failed", "crashed"),
        ("OOM", "failed", "crashed"),
        ("NODE_FAIL", "failed", "crashed"),
        ("PREEMPTED", "cancelled", "aborted"),
        ("SUSPENDED", "paused", None),
        ("COMPLETING", "running", None),
    ],
)
def test_each_state_has_its_own(said: str, status: str, outcome: str | None) -> None:
    [job] = read(row("12", said))
    assert (job["status"], job.get("outcome"), job["source_status"]) == (status, outcome, said)


def test_rows_that_end_with_a_bar_are_read() -> None:
    """As `sacct --parsable` prints them."""
    [job] = read("12|align|COMPLETED|\n", head="JobID|JobName|State|\n")
    assert job["external_id"] == "12"


def test_clusters_are_sources_of_their_own() -> None:
    [job] = read("12|align|COMPLETED|west\n", head="JobID|JobName|State|Cluster\n")
    assert job["source"] == "slurm:west"


def test_a_wrong_row_is_named_by_its_line_and_the_others_go_in() -> None:
    made = read(row("1"), row("2", "ODD"), "3|4\n", row("5", times="noon|||00:00:00|"))
    assert faults(made) == [
        ("line 3 State", "is ODD, which this reader does not know."),
        ("line 4", "has 2 columns; the first line has 10."),
        ("line 5 submit", "must be a time such as 2026-07-02T00:55:14."),
    ]


def test_rows_without_the_names_of_columns_are_refused() -> None:
    with pytest.raises(Unreadable, match="without --noheader"):
        read(row("12"), head="")
    with pytest.raises(Unreadable, match="empty"):
        read(head="\n")


def test_a_step_whose_job_is_not_in_the_file_is_refused() -> None:
    reason = "is of a step of job 12, whose own row does not come before."
    assert faults(read(row("12.batch"))) == [("line 2 JobID", reason)]
