"""Logs of Snakemake: two that it wrote, and what else it says."""

from typing import Any

import pytest

from portal.history.files.retrieve import Unreadable
from tests.history.sources.reading import HERE, faults, read_files, read_text

RETRIED, FAILED = sorted((HERE / "snakemake").glob("*.log"))
BEGIN = """[Thu Jul  2 00:55:14 2026]
rule work:
    output: a.txt
    jobid: 1
    wildcards: sample=a

"""


def run_of(text: str, **options: Any) -> dict[str, Any]:
    [line] = read_text("snakemake", text, **options)
    assert isinstance(line, dict), str(line)
    return line


def test_a_job_that_was_restarted_is_a_later_attempt() -> None:
    [run] = read_files("snakemake", RETRIED)
    assert [(step["node_id"], step["iteration"], step["status"]) for step in run["steps"]] == [
        ("work (s=a)", 1, "completed"),
        ("work (s=b)", 1, "completed"),
        ("flaky", 1, "failed"),
        ("flaky", 2, "completed"),
        ("all", 1, "completed"),
    ]
    assert (run["status"], run["total_steps"], run["finished_steps"], "error" in run) == (
        "completed",
        4,
        4,
        False,
    )


def test_a_failed_run_says_what_its_job_said() -> None:
    [run] = read_files("snakemake", FAILED)
    assert (run["status"], run["outcome"], run["finished_steps"]) == ("failed", "failed", 1)
    assert run["error"].endswith("returned non-zero exit status 1.")
    assert run["steps"][1]["error"] == run["error"]


def test_the_log_says_who_ran_it_and_where() -> None:
    [run] = read_files("snakemake", RETRIED)
    assert run["workflow"] == {"name": "dubbing"}
    assert run["triggered_by"] == {"id": "snakemake:ada", "name": "ada", "kind": "person"}
    assert run["external_id"] == "2026-11-28T203413.568340"


def test_times_are_in_the_zone_of_the_command_which_the_run_says() -> None:
    run = run_of(BEGIN, zone="Europe/Berlin")
    assert (run["started_at"], run["assumed_zone"]) == ("2026-07-01T22:55:14Z", "Europe/Berlin")


def test_a_log_without_an_end_is_of_a_run_that_goes_on() -> None:
    run = run_of(BEGIN)
    assert (run["status"], run["status_from"]) == ("running", "the log, which has no end")
    assert [step["status"] for step in run["steps"]] == ["running"]
    assert "completed_at" not in run


@pytest.mark.parametrize(
    ("end", "status", "outcome"),
    [
        ("Exiting because a job execution failed. Look above for error messages\n", "failed", "failed"),
        ("Terminating processes on user request, this might take some time.\n", "cancelled", "aborted"),
        (
            "MissingInputException in rule all in file Snakefile, line 1:\nMissing input files\n",
            "failed",
            "failed",
        ),
        ("[Thu Jul  2 00:55:20 2026]\nFinished job 1.\n1 of 1 steps (100%) done\n", "completed", "succeeded"),
    ],
)
def test_each_end_has_its_outcome(end: str, status: str, outcome: str) -> None:
    run = run_of(BEGIN + end)
    assert (run["status"], run["outcome"]) == (status, outcome)


def test_a_job_that_the_log_leaves_open_is_not_said_to_run() -> None:
    [step] = run_of(BEGIN + "Terminating processes on user request, this might take some time.\n")["steps"]
    assert (step["status"], step["outcome"]) == ("cancelled", "stale")
    assert step["status_from"] == "the log, which ends without it"


def test_a_job_whose_beginning_is_not_in_the_log_is_kept() -> None:
    [step] = run_of("[Thu Jul  2 00:55:20 2026]\nFinished jobid: 3 (Rule: work)\n3 of 4 steps (75%) done\n")[
        "steps"
    ]
    assert (step["node_id"], step["status"], "started_at" in step) == ("work #3", "completed", False)


def test_nothing_to_do_is_a_run_that_succeeded() -> None:
    text = "Building DAG of jobs...\nNothing to be done (all requested files are present and up to date).\n"
    assert run_of(text)["status"] == "completed"


def test_a_job_of_a_cluster_keeps_its_number_there() -> None:
    [step] = run_of(BEGIN + "Submitted job 1 with external jobid '4953690'.\n")["steps"]
    assert step["external_jobid"] == "4953690"


def test_a_dry_run_is_no_run() -> None:
    made = read_text(
        "snakemake", BEGIN + "This was a dry-run (flag -n). The order of jobs does not reflect…\n"
    )
    assert faults(made) == [("", "is the log of a dry run, in which nothing ran.")]
    assert len(made) == 1


def test_another_file_is_refused() -> None:
    with pytest.raises(Unreadable, match="no log of Snakemake"):
        read_text("snakemake", "hello\n")
