"""The JSON Schema of the import format takes what the parser takes, and is the one in the documentation."""

import copy
import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import orjson
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from portal.history.demo.sample import demo_lines
from portal.history.parsing.lines import parse_line
from portal.history.parsing.readers import BadField
from portal.history.parsing.schema import import_schema
from tests.factories import NOON
from tests.history.lines import ARRIVAL, an_id, encode, run_line, upload_line, workflow_line
from tests.history.test_importer import BAD

SCHEMA = import_schema()
DOCUMENTED = Path(__file__).parents[3] / "docs" / "import.schema.json"
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)

AT = "2026-03-01T12:00:00.5+01:00"
STEP = {
    "node_id": "a", "node_type": "t", "name": "A", "status": "failed", "iteration": 2, "error": "x",
    "created_at": AT, "started_at": AT, "completed_at": AT, "active_ports": ["p"], "locales": ["de"],
    "pause_reason": "user", "pause_error": "x", "result": {"a": 1}, "extra": 1,
}  # fmt: skip
VALIDATION = {
    "kind": "wer", "node_id": "v", "label": "x", "score": 0.5, "threshold": 0.1, "passed": True,
    "reason": "x", "wer": 0.5, "cer": 1, "transcript": "x", "scored_on": "x", "inherited_from_take": 0,
    "segments": [{"text": "x", "status": "word_error", "start": 0, "end": 1}],
    "error_counts": {"substitutions": 1, "insertions": 0, "deletions": 0, "reference_units": 5},
}  # fmt: skip
TAKE = {
    "locale": "de_DE", "status": "dropped", "duration_ms": 1, "retry_count": 0, "output_node_id": "out",
    "script": "x", "voice": "x", "provider": "x", "model": "x", "normalized": False,
    "validations": [VALIDATION],
    "audio": {"path": "a/b.WAV", "sha256": "0" * 64, "name": "x", "node_id": "n"},
}  # fmt: skip
OUTPUT_LINE = {"script": "x", "line_id": "x", "source_line_id": "x", "auto_corrected": 1, "takes": [TAKE]}
PERSON = {"id": "u", "name": "Ada", "email": "ada@acme.example", "kind": "bot"}
FACTS = {
    "outcome": "timed_out", "source_status": "TIMED_OUT", "url": "https://ci.example/1",
    "log_url": "http://ci.example/1/log", "duration_ms": 5,
}  # fmt: skip
STEP |= FACTS | {
    "parent_node_id": "p", "path": ["p", "a"], "exit_code": -9, "worker": "w", "map_index": 0,
    "allowed_to_fail": True,
}  # fmt: skip
OTHER_RUN = {"id": an_id("other"), "source": "ci", "external_id": "6", "attempt": 1, "step": "a"}
NAMED = {"source": "ci", "external_id": "7", "attempt": 2, "at": AT, "replace": False}
NAMED_WORKFLOW = {
    "name": "W",
    "external_id": "w",
    "source": "ci",
    "url": "https://ci.example/w",
    "path": "a/w.yml",
}
RUN = run_line(
    run_number=1, ordinal=1, updated_at=AT, triggered_by=PERSON, total_steps=1, finished_steps=1,
    total_nodes=1, finished_nodes=1, usage_summary={}, error="x", credits=1, output_line_count=1,
    delivered_audio_ms=1,
    pause_requested_at=AT, paused_at=AT, paused_ms=1, pause_reason="user", pause_error="x",
    definition_snapshot={}, token_cost=1, credits_absorbed=0.5,
    held_nodes=[{"node_id": "n", "locales": ["de"]}], steps=[STEP],
    output_lines=[OUTPUT_LINE], files=[TAKE["audio"]],
    parent=OTHER_RUN, rerun_of=OTHER_RUN, trigger="schedule", trigger_name="0 2 * * *",
    ref={"branch": "b", "tag": "t", "commit": "c", "pull_request": "5", "url": "https://ci.example/c"},
    parameters={"a": 1}, environment="prod", title="x", labels={"a": "b"}, waiting_for="a machine",
    scheduled_for=AT, last_heard_at=AT, expires_after=60,
    artifacts=[{"name": "x", "url": "https://ci.example/x", "size_bytes": 1, "expires_at": AT}],
    **FACTS, **NAMED,
)  # fmt: skip
UPLOAD = upload_line(
    path="a/b.txt", sha256="0" * 64, content_type="text/plain", format="txt", size_bytes=1, char_count=1,
    line_count=1, detected_language="de", uploaded_by=PERSON, updated_at=AT,
)  # fmt: skip
STEP_LINE = STEP | NAMED | {"type": "step", "run_id": an_id("run"), "workflow": NAMED_WORKFLOW}
EXPECTED = {"cron": "0 2 * * *", "zone": "UTC", "grace": 60}
W = workflow_line(
    description="x", definition={}, created_at=AT, expected=EXPECTED, **NAMED_WORKFLOW | {"name": "x"}
)
FULL = [W, W | {"expected": {"period": 60}}, UPLOAD, RUN, STEP_LINE]
"""Lines that say everything."""

VALUES = st.one_of(
    st.sampled_from(
        [
            None, True, False, 0, 1, -1, 2**53 - 1, 2**53, 10**30, 0.5, -0.5, 1e300, "", "a", "completed",
            "Completed", "delivered", "user", "script", "run", "upload", "workflow", "a/", "x.mp3", "x.html",
            "wav",
            "0" * 64, "G" * 64, an_id("x"), an_id("x").upper(), "{" + an_id("x") + "}", an_id("x") + "\n", AT,
            "2026-03-01T12:00:00Z", "2026-03-01t12:00:00z", "2026-03-01T12:00:00", "2026-03-01",
            "2026-13-01T12:00:00Z", "0001-01-01T00:00:00Z", "0000-12-31T16:07:02-07:52",
            "2026-03-01T24:00:00Z", "2026-03-01T12:00:60Z", "2026-03-01T12:00:00.1234567891Z",
            "2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+05:99", [], {}, [1], ["a"], [None], [{}], [[]],
            {"id": 7}, {"id": None}, {"path": "a.wav"}, {"path": "a"}, {"kind": "x"}, {"a": [{"b": None}]},
        ]
    ),
    st.sampled_from([20, 35, 100, 200, 254, 255, 500, 1000, 5000]).flatmap(
        lambda length: st.sampled_from(["é" * length, "é" * (length + 1)])
    ),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer()),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
)  # fmt: skip


@st.composite
def a_line(draw: st.DrawFn) -> dict[str, Any]:
    """A line that says everything, with up to three places spoilt, or only changed."""
    line: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(FULL)))
    for _ in range(draw(st.integers(0, 3))):
        place, key = draw(st.sampled_from(list(places(line))))
        if isinstance(place, dict) and draw(st.booleans()):
            del place[key]
        else:
            place[key] = copy.deepcopy(draw(VALUES))
    return line


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside a value: what holds it, and where."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield value, key
        yield from places(inner)


def is_taken(line: bytes) -> bool:
    try:
        parse_line(line, ARRIVAL)
    except BadField:
        return False
    return True


@pytest.mark.slow
def test_the_documented_schema_is_the_one_that_is_printed_and_is_valid(app: Flask) -> None:
    """If this fails: flask import --schema > docs/import.schema.json"""
    printed = app.test_cli_runner().invoke(args=["import", "--schema"]).output
    assert printed == DOCUMENTED.read_text()
    assert json.loads(printed) == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_lines_that_say_everything_are_taken_and_name_every_field() -> None:
    said = {key for line in FULL for _, key in places(line)}
    known = {
        name
        for place, key in places(SCHEMA)
        if key == "properties" and "id" not in place
        for name in place[key]
    }
    assert known <= said
    for line in FULL:
        assert is_taken(encode(line))
        VALIDATOR.validate(line)


@pytest.mark.parametrize("value", [2**63 - 1, 2**63, -(2**63), 10**250, 1e300, "é" * 200, "é" * 201])
def test_a_persons_id_has_the_same_bounds_in_both(value: object) -> None:
    line = run_line(triggered_by={"id": value})
    assert VALIDATOR.is_valid(line) == is_taken(encode(line))


@given(line=a_line())
def test_the_schema_takes_a_line_if_and_only_if_the_parser_does(line: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(line) == is_taken(encode(line)) or names_no_time(line)


def names_no_time(line: dict[str, Any]) -> bool:
    """Whether what is wrong is a cron expression that is none, or a zone that does not exist."""
    try:
        parse_line(encode(line), ARRIVAL)
    except BadField as error:
        return error.field in ("expected.cron", "expected.zone")
    return False


def test_the_schema_finds_the_faults_that_an_import_finds_in_one_line() -> None:
    for line, _ in BAD:
        if isinstance(line, dict) and not beyond_a_schema(line):
            assert VALIDATOR.is_valid(line) == is_taken(encode(line)), line


def beyond_a_schema(line: dict[str, Any]) -> bool:
    """Whether a line holds what JSON or a database cannot, or writes a whole number as another one."""
    written = json.dumps(line)
    return any(odd in written for odd in ("e+17", "NaN", "Infinity", "\\u0000", "\\ud800", "\\udc00"))


@pytest.mark.slow
def test_the_sample_is_what_the_schema_says() -> None:
    for line in demo_lines(NOON):
        VALIDATOR.validate(line)


@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("bitcoin-core-ci", 1),
        ("ionic-stencil-nightly", 1),
        ("kth-sp2-1996", 20),
        ("lpc-egee-2004", 100),
        ("wfinstances", 4),
    ],
)
def test_real_histories_are_what_the_schema_says(history: Path, name: str, every: int) -> None:
    with gzip.open(history / name / "runs.jsonl.gz") as lines:
        for line in islice(lines, 0, None, every):
            VALIDATOR.validate(orjson.loads(line))
            assert is_taken(line)
