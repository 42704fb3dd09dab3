"""Every sample of a system that has a reader is read with no record lost, and says what its source says."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.history.sources.expected import RECORDINGS, SAMPLES, Run
from tests.history.sources.reading import HERE, read_files

OTHER_WAYS = {"kestra", "n8n", "cdevents", "healthchecks", "openlineage"}
"""Systems without a reader yet, or with another way in."""


@pytest.fixture(scope="session")
def samples(history: Path) -> Path:
    """The folder of samples."""
    return history / "sources"


def fold(lines: Iterable[dict[str, Any]]) -> list[Run]:
    """The runs that these lines make, in order."""
    found: dict[tuple[str, str, int], Run] = {}
    steps: dict[tuple[str, str, int], set[tuple[str, int | None, int]]] = {}
    for line in lines:
        if line["type"] == "workflow":
            continue
        key = (line["source"], line["external_id"], line.get("attempt", 1))
        run = found.setdefault(key, Run(line["workflow"]["name"], key[1], None, None, 0))
        if line["type"] == "run":
            found[key] = run._replace(status=line["status"], outcome=line.get("outcome"))
        for step in line.get("steps", []) if line["type"] == "run" else [line]:
            identity = (step["node_id"], step.get("map_index"), step.get("iteration", 1))
            steps.setdefault(key, set()).add(identity)
    return [run._replace(steps=len(steps.get(key, ()))) for key, run in found.items()]


def files_of(folder: Path, sample: str) -> tuple[str, list[Path]]:
    """The system of a sample and its files, which are all in its folder."""
    system, _, names = sample.partition("/")
    return system, [folder / system / name for name in names.split()]


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_says_what_its_source_says(samples: Path, sample: str) -> None:
    system, files = files_of(samples, sample)
    assert fold(read_files(system, *files)) == list(SAMPLES[sample])


@pytest.mark.parametrize("sample", RECORDINGS)
def test_a_recording_says_what_was_run(sample: str) -> None:
    system, files = files_of(HERE, sample)
    assert fold(read_files(system, *files)) == list(RECORDINGS[sample])


def test_every_sample_is_in_the_table_or_has_another_way_in(samples: Path) -> None:
    named = {file for sample in SAMPLES for file in files_of(samples, sample)[1]}
    assert {
        file
        for file in samples.rglob("*")
        if file.is_file() and file.parent != samples and file.parent.name not in OTHER_WAYS
    } == named


def test_reading_a_file_twice_gives_the_same_lines() -> None:
    for sample in RECORDINGS:
        system, files = files_of(HERE, sample)
        assert read_files(system, *files) == read_files(system, *files)


def test_recordings_hold_no_names_of_machines_or_folders() -> None:
    for file in HERE.rglob("*"):
        if file.suffix in (".json", ".log"):
            text = file.read_text()
            assert not any(word in text for word in ("/root/", "/home/")), file
            assert file.suffix == ".log" or json.loads(text)
