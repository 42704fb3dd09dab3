"""Recordings of real clients and samples of others: what runs and steps they are."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from portal.ingest.lineage.folding.difference import difference, lines_of
from portal.ingest.lineage.folding.fold import FoldedRun, fold
from tests.ingest.lineage.folding.merging import MergedStore
from tests.ingest.lineage.folding.test_difference import settled
from tests.ingest.lineage.makers import events, recorded, samples

UPSTREAM = ("failed", "upstream_failed")
FAILED, SUCCEEDED = ("failed", "failed"), ("completed", "succeeded")

RECORDED: dict[str, list[tuple[str, str, tuple[str, str], dict[Any, tuple[str, str]]]]] = {
    "airflow": [
        (
            "airflow",
            "nightly_dub/manual__2026-11-27T22:47:01.158269+00:00_drANvI0n",
            FAILED,
            {
                ("flaky", None, 1): FAILED,
                ("langs", None, 1): FAILED,
                ("flaky", None, 2): FAILED,
                ("bad", None, 1): UPSTREAM,
                ("publish", None, 1): UPSTREAM,
                ("skip", None, 1): UPSTREAM,
                ("speak", None, 1): UPSTREAM,
            },
        ),
        (
            "airflow",
            "nightly_dub/manual__2026-11-27T22:47:46.459682+00:00_jmHh89aI",
            FAILED,
            # Its last event lost the states of its tasks.
            {("flaky", None, 1): FAILED, ("langs", None, 1): FAILED, ("flaky", None, 2): FAILED},
        ),
    ],
    "openlineage-python": [
        (
            "openlineage:prod-airflow",
            "5f3adf3c-c533-41ef-b7d3-dc06896c4862",
            SUCCEEDED,
            {("nightly_dub.translate", None, 1): FAILED, ("nightly_dub.translate", None, 2): SUCCEEDED},
        )
    ],
}
"""Source, external id, how the run ended, and how its steps did."""

RUNNING, PENDING = ("running", None), ("pending", None)
SAMPLES: dict[str, list[tuple[str, tuple[str, str | None], dict[tuple[str, str | None], int]]]] = {
    "dbt": [
        ("dbt-run-jaffle_shop", FAILED, {FAILED: 2, SUCCEEDED: 1}),
        ("dbt-run-jaffle_shop", SUCCEEDED, {SUCCEEDED: 35}),
    ],
    "marquez-1": [("myjob", RUNNING, {})],
    "marquez-1_pick_apples": [("gather_apples", SUCCEEDED, {})],
    "marquez-2": [("myjob", SUCCEEDED, {})],
    "marquez-2_apple_filling": [("prepare_apple_filling", SUCCEEDED, {})],
    "marquez-3_apple_cider": [("prepare_apple_cider", SUCCEEDED, {})],
    "marquez-5_apple_vinegar": [("prepare_vinegar", SUCCEEDED, {})],
    "marquez-6_apple_pie": [("prepare_apple_pie", SUCCEEDED, {})],
    "marquez-7_pick_different_apples": [("gather_apples", SUCCEEDED, {})],
    "marquez-8_apple_filling": [("prepare_apple_filling", SUCCEEDED, {})],
    "marquez-9_apple_pie": [("prepare_apple_pie", SUCCEEDED, {})],
    "marquez-event_additional_facet": [("myjob.mytask", RUNNING, {RUNNING: 1})],
    "marquez-event_dataset_event": [],
    "marquez-event_full": [("myjob.mytask", RUNNING, {SUCCEEDED: 1})],
    "marquez-event_job_event": [],
    "marquez-event_namespace_naming": [("myjob.mytask", RUNNING, {SUCCEEDED: 1})],
    "marquez-event_required_nanoseconds": [("myjob", PENDING, {})],
    "marquez-event_required_no_timezone": [("myjob", PENDING, {})],
    "marquez-event_required_only": [("myjob", PENDING, {})],
    "marquez-event_simple": [("myjob", SUCCEEDED, {})],
    "marquez-event_unicode": [("myjob.buggy_task🕷", SUCCEEDED, {})],
    "marquez-event_without_schema_url": [("myjob", SUCCEEDED, {})],
    "marquez-null_nominal_end_time": [("myjob.task", RUNNING, {})],
}
"""The workflow of each run of a sample, how it stands, and how many of its steps stand how."""


def stands(fields: Any) -> tuple[str, str | None]:
    outcome = fields.said.get("outcome")
    return fields.status.value, outcome and outcome.value


def steps(run: FoldedRun) -> dict[Any, tuple[str, str | None]]:
    return {key: stands(run.steps[key]) for key, _ in lines_of(run) if key is not None}


@pytest.mark.parametrize("client", RECORDED)
def test_what_a_recording_is(history: Path, client: str) -> None:
    found = fold(events(*recorded(history, client)))
    assert [
        (run.identity.source, run.identity.external_id, stands(run.fields), steps(run)) for run in found
    ] == RECORDED[client]


def test_what_each_sample_is(history: Path) -> None:
    by_file: dict[str, list[dict[str, Any]]] = {}
    for name, event in samples(history):
        by_file.setdefault(name, []).append(event)
    assert {
        name: [
            (run.identity.workflow_name, stands(run.fields), Counter(steps(run).values()))
            for run in fold(events(*bodies))
        ]
        for name, bodies in by_file.items()
    } == SAMPLES


@pytest.mark.parametrize("source", [*RECORDED, "samples"])
def test_shuffled_doubled_and_cut_it_comes_to_the_same(history: Path, source: str) -> None:
    bodies = [each for _, each in samples(history)] if source == "samples" else recorded(history, source)
    random = Random(source)
    known = list({event.key: event for event in events(*bodies)}.values())
    for _ in range(10):
        sent = random.sample(known, len(known)) + random.choices(known, k=len(known) // 2)
        cut = random.sample(known, random.randrange(len(known)))
        store, before, arrived = MergedStore(), fold([]), list(cut)
        store.apply(difference(before, fold(cut)))
        assert store.view() == settled(cut)
        for size in range(0, len(sent), 7):
            before = fold(arrived)
            arrived += sent[size : size + 7]
            store.apply(difference(before, fold(arrived)))
        assert store.view() == settled(known)
