"""The log of a step: bounded, on single lines, and without secrets."""

from contextlib import suppress

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from portal.database.engine import db
from portal.database.models import Run, StepLogLine
from portal.database.transactions import writing
from portal.engine.reporting.step_log import END, MAX_CHARACTERS, MAX_LINES, StepLog, clean, mask
from portal.input.text import is_storable
from tests.factories import NOON, make_engine_run, make_workflow, make_workspace


@pytest.fixture
def run(app: Flask) -> Run:
    return make_engine_run(make_workflow(make_workspace()), "running")


def store(log: StepLog, run: Run, position: int = 0) -> None:
    with writing() as session:
        log.store(session, run.id, position)


def stored(run: Run, position: int = 0) -> list[tuple[int, str]]:
    lines = sa.select(StepLogLine.number, StepLogLine.message).where(
        StepLogLine.run_id == run.id, StepLogLine.position == position
    )
    found = [(row.number, row.message) for row in db.session.execute(lines.order_by(StepLogLine.number))]
    db.session.rollback()
    return found


def test_lines_are_numbered_within_a_step_over_all_attempts(run: Run) -> None:
    first, again, other = StepLog(), StepLog(), StepLog()
    first.write("one\r\ntwo\n", NOON)
    store(first, run)
    first.write("three", NOON)
    store(first, run)
    store(first, run)
    again.write("another attempt", NOON)
    store(again, run)
    other.write("elsewhere", NOON)
    store(other, run, position=1)
    assert stored(run) == [(1, "one"), (2, "two"), (3, "three"), (4, "another attempt")]
    assert stored(run, 1) == [(1, "elsewhere")]


def test_what_was_rolled_back_is_stored_with_the_next_transaction(run: Run) -> None:
    class Broken(Exception):
        pass

    log = StepLog()
    log.write("one", NOON)
    with suppress(Broken), writing() as session:
        log.store(session, run.id, 0)
        session.flush()
        raise Broken
    log.write("two", NOON)
    assert stored(run) == []
    store(log, run)
    assert stored(run) == [(1, "one"), (2, "two")]


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 7, 400, 5 * MAX_LINES])
def test_a_log_ends_with_a_line_that_says_so(run: Run, at_once: int) -> None:
    log = StepLog()
    written = 0
    while written < MAX_LINES + 10:
        log.write("\n".join(f"line {written + number}" for number in range(1, at_once + 1)), NOON)
        written += at_once
        if at_once > 1 or written % 100 == 0:
            store(log, run)
    store(log, run)
    lines = stored(run)
    assert lines[-2:] == [(MAX_LINES - 1, f"line {MAX_LINES - 1}"), (MAX_LINES, END)]


def test_a_full_log_that_says_all_has_no_such_line(run: Run) -> None:
    log = StepLog()
    log.write("x\n" * (MAX_LINES - 1), NOON)
    store(log, run)
    assert stored(run)[-1] == (MAX_LINES - 1, "x")


def test_a_long_line_is_cut_and_says_how_long_it_was() -> None:
    line = clean("x" * 5_000)
    assert len(line) == MAX_CHARACTERS
    assert line.endswith("xxx … [5,000 characters]")
    assert clean("x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("a\x00b\x7f", "a␀b␡"),
        ("tab\tstays", "tab\tstays"),
        ("\u202eright to left", "\\u202eright to left"),
        ("half \ud800", "half \\ud800"),
        ("\U000e0041 tag", "\\U000e0041 tag"),
        ("a\u00a0b\u3000c", "a b c"),
        ("می\u200cخواهم 👩\u200d🚀 ü", "می\u200cخواهم 👩\u200d🚀 ü"),
    ],
)
def test_control_characters_are_visible(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=300))
def test_any_message_can_be_stored_on_single_lines(message: str) -> None:
    for line in map(clean, message.splitlines()):
        assert is_storable(line)
        assert line.splitlines() in ([line], [])


def test_secrets_are_masked_as_they_are_and_in_addresses() -> None:
    secrets = ["k/e+y", "k/e+y-longer", ""]
    assert mask("with k/e+y-longer and k/e+y.", secrets) == "with [redacted] and [redacted]."
    assert mask("https://x.example/?a=k%2Fe%2By", secrets) == "https://x.example/?a=[redacted]"
    assert mask("Authorization: Bearer abc.def", []) == "Authorization: Bearer [redacted]"


def test_a_secret_is_masked_even_where_the_line_is_cut_within_it(run: Run) -> None:
    log = StepLog(["top-secret"])
    log.write("x" * (MAX_CHARACTERS - 30) + "top-secret" * 10, NOON)
    store(log, run)
    [(_, line)] = stored(run)
    assert "top" not in line
