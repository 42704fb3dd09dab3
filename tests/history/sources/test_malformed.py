"""Whatever a file holds, a reader makes lines of it or says what is wrong: it never breaks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.history.files.retrieve import Unreadable
from portal.history.parsing.readers import BadField
from portal.history.sources.reading.lines import encode
from tests.history.sources import (
    test_airflow,
    test_argo,
    test_github,
    test_gitlab,
    test_jenkins,
    test_nextflow,
    test_slurm,
    test_wfformat,
)
from tests.history.sources.reading import HERE, read_text

MODIFIED = "2026-03-01T12:00:00Z"
DOCUMENTS: list[tuple[str, Any]] = [
    ("github", {"workflow_runs": [test_github.a_run(), test_github.a_run(run_attempt=2)]}),
    ("github", {"jobs": [test_github.a_job(steps=[{"name": "a", "number": 1, "status": "queued"}])]}),
    ("gitlab", [test_gitlab.a_pipeline(), test_gitlab.a_job()]),
    ("gitlab", test_gitlab.an_event(builds=[{"id": 1, "name": "a", "status": "failed", "stage": "b"}])),
    ("jenkins", {"builds": [test_jenkins.a_build(artifacts=[{"fileName": "a", "relativePath": "b"}])]}),
    ("airflow", {"dag_runs": [test_airflow.a_run(conf={"a": 1})]}),
    ("airflow", {"task_instances": [test_airflow.a_task()]}),
    ("argo", test_argo.a_workflow(test_argo.node("a", "Retry", children=["a(0)"]), test_argo.node("a(0)"))),
    ("wfformat", test_wfformat.a_document()),
    *(
        ("prefect", json.loads((HERE / "prefect" / f"{name}.json").read_text())[:2])
        for name in ("flow_runs", "task_runs")
    ),
    ("dagster", json.loads((HERE / "dagster" / "runs.json").read_text())),
]
TEXTS = [
    ("nextflow", "\t", test_nextflow.trace({}, {"status": "CACHED"})),
    ("slurm", "|", test_slurm.HEAD + test_slurm.row("12") + test_slurm.row("12.batch")),
    *(("snakemake", ": ", file.read_text()) for file in sorted((HERE / "snakemake").glob("*.log"))),
]
ODD: list[Any] = [
    *(None, "", 0, -1, 1.5, 1e300, True, [], {}, [1], [None], {"a": 1}, "x", "x" * 3000, "\ud800"),
    *(
        10**30,
        float("nan"),
        "javascript:x",
        "2026-13-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
    ),
]
ODD_TEXTS = [
    "",
    "-",
    "x",
    "-1",
    "9" * 400,
    "é",
    "١",
    "\x00",
    "[Thu Jul 99 00:55:14 2026]",
    "9999-99-99 00:00:00",
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*at, key))


def changed(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """The same value with another one at this place."""
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = changed(copy[at[0]], at[1:], new)
    return copy


def read(system: str, text: str) -> None:
    try:
        for made in read_text(system, text):
            if not isinstance(made, BadField):
                encode(made, MODIFIED)
    except Unreadable:
        pass


@pytest.mark.parametrize(("system", "document"), DOCUMENTS)
@given(data=st.data())
def test_an_odd_value_anywhere_breaks_no_reader(system: str, document: Any, data: st.DataObject) -> None:
    found = list(places(document))
    for at in data.draw(st.lists(st.sampled_from(found), min_size=1, max_size=2)):
        if at in set(places(document)):
            document = changed(document, at, data.draw(st.sampled_from(ODD)))
    read(system, json.dumps(document))


@pytest.mark.parametrize(("system", "separator", "text"), TEXTS)
@given(data=st.data())
def test_an_odd_cell_or_line_breaks_no_reader(
    system: str, separator: str, text: str, data: st.DataObject
) -> None:
    lines = text.splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    cells = lines[number].split(separator)
    cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(st.sampled_from(ODD_TEXTS))
    lines[number] = separator.join(cells)
    del lines[data.draw(st.integers(0, len(lines) - 1))]
    read(system, "\n".join(lines))
