"""Runs as CSV: read back by a parser it says what is stored, and no cell is a formula."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from portal.history.export import table
from portal.history.export.stored import StoredRun
from tests.factories import NOON
from tests.history.lines import an_id

COLUMNS: dict[str, Any] = {
    "id": UUID(an_id("run")),
    "workflow_id": UUID(an_id("workflow")),
    "run_number": 7,
    "status": "completed",
    "created_at": NOON,
    "started_at": NOON,
    "completed_at": datetime(2026, 3, 1, 12, 1, 0, 250_000, tzinfo=UTC),
    "total_steps": 3,
    "finished_steps": 2,
    "duration_ms": 60_250,
    **dict.fromkeys(
        ("outcome", "trigger", "paused_ms", "output_line_count", "delivered_audio_ms", "credits")
    ),
    **dict.fromkeys(("pause_reason", "error", "source_system", "usage_summary", "source")),
}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
risky = st.builds(str.__add__, st.sampled_from([*"=+-@\t\r\0", "'", '"', ",", "\n", "\r\n"]), texts)


def stored(person: str | None = None, **columns: Any) -> StoredRun:
    who = {"display_name": person, "kind": "bot"} if person is not None else None
    return StoredRun({**COLUMNS, **columns}, who, None)


def cells(run: StoredRun, name: str = "Nightly dub") -> dict[str, str]:
    """The row of a run as a parser reads it."""
    content = table.header() + table.rows([run], {run.run["workflow_id"]: name})
    [row] = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
    return row


def test_a_row_says_what_is_stored() -> None:
    ref = {"branch": "main", "tag": "v1", "commit": "abc", "pull_request": "12"}
    source = {"title": "Fix", "labels": {"os": "linux"}, "ref": ref, "attempt": 2, "external_id": "9"}
    assert cells(stored("Ada", source=source, usage_summary={"cpu": 1.5}, credits=0)) == {
        **dict.fromkeys(table.COLUMNS, ""),
        "workflow_id": an_id("workflow"),
        "workflow_name": "Nightly dub",
        "id": an_id("run"),
        "run_number": "7",
        "status": "completed",
        "title": "Fix",
        "triggered_by": "Ada",
        "triggered_by_kind": "bot",
        "created_at": "2026-03-01T12:00:00Z",
        "started_at": "2026-03-01T12:00:00Z",
        "completed_at": "2026-03-01T12:01:00.25Z",
        "duration_ms": "60250",
        "total_steps": "3",
        "finished_steps": "2",
        "credits": "0",
        "external_id": "9",
        "attempt": "2",
        **ref,
        "labels": '{"os":"linux"}',
        "usage_summary": '{"cpu":1.5}',
    }


@given(error=texts | risky, title=texts | risky, who=risky, name=risky)
@example(error="=1+1", title="'=1", who="@SUM(A1)", name="-2")
def test_every_text_is_read_back_and_none_is_a_formula(error: str, title: str, who: str, name: str) -> None:
    row = cells(stored(who, error=error, source={"title": title, "labels": {"=x": "=y"}}), name)
    assert [row[column] for column in ("error", "title", "triggered_by", "workflow_name")] == [
        harmless(text) for text in (error, title, who, name)
    ]
    assert not [cell for cell in row.values() if cell.startswith(tuple("=+-@\t\r\0"))]


def harmless(text: str) -> str:
    """Written apart from the portal's own, as ASVS 1.2.10 words it."""
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t", "\r", "\0"} else text


def test_lines_end_as_the_standard_has_it_and_nothing_needs_a_mark_of_order() -> None:
    assert table.header().startswith(b"workflow_id,")
    assert table.rows([stored()], {COLUMNS["workflow_id"]: 'a "b"\nc'}).endswith(b"\r\n")


def test_a_long_text_is_cut() -> None:
    assert cells(stored(error="x" * 10_000))["error"] == "x" * 1999 + "\u2026"
