"""How files are taken apart: JSON values in any arrangement, within bounds; and what is wrong is named."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.history.files.retrieve import Unreadable
from portal.history.parsing.readers import BadField
from portal.history.sources.reading import documents
from portal.history.sources.reading.documents import json_values, text_lines
from portal.history.sources.reading.fitting import fitted
from portal.history.sources.reading.lines import lines_of
from portal.history.sources.reading.reader import Input, Made, Reading, Source, each, without_none
from portal.history.sources.reading.record import Record
from portal.history.sources.reading.registry import reader
from tests.factories import NOON


def source(text: str | bytes) -> Input:
    raw = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    return Input("file", io.BufferedReader(raw), Reading(reader("github"), NOON))  # type: ignore[arg-type]


def values(text: str | bytes, **options: Any) -> list[Any]:
    return [
        (each.field, str(each)) if isinstance(each, BadField) else each.value
        for each in json_values(source(text), **options)
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}\n{"a": 2}\n',
        '{"a": 1}{"a": 2}',
        '{"a": 1} \n\n {"a": 2}',
        '{\n "a": 1\n}\n{\n "a": 2\n}\n',
        '{\n "a": 1\n}{\n "a": 2\n}',
        '\ufeff{"a": 1}\r\n{"a": 2}\r\n',
    ],
)
def test_values_are_told_apart_in_any_arrangement(text: str) -> None:
    assert values(text) == [{"a": 1}, {"a": 2}]


def test_brackets_and_quotes_in_texts_count_for_nothing() -> None:
    odd = {"a": 'x"}]\\', "b": ["{", '\\"']}
    assert values(json.dumps(odd, indent=1) + "\n" + json.dumps(odd)) == [odd, odd]


def test_a_wrong_line_is_named_and_the_others_are_read() -> None:
    assert values('{"a": 1}\n{"a": }\nhello\n{"a": 2}\n') == [
        {"a": 1},
        ("line 2", "is not JSON: Expecting value (line 2, column 7)."),
        ("line 3", "is not JSON: Expecting value (line 3, column 1)."),
        {"a": 2},
    ]


def test_a_value_of_several_lines_that_is_broken_ends_the_file() -> None:
    with pytest.raises(Unreadable, match=r"What begins in line 2 is not JSON: .* \(line 3, column 2\)"):
        values('{"a": 1}\n{\n nothing\n}\n')
    with pytest.raises(Unreadable, match="What begins in line 1 is not JSON"):
        values('{"a": [1, 2')


def test_a_byte_that_is_no_utf_8_is_named() -> None:
    assert values(b'{"a": 1}\n{"a": "\xff"}\n')[1] == ("line 2", "is not UTF-8 (byte 8).")


def test_a_value_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 100)
    with pytest.raises(Unreadable, match="Line 1 has over"):
        values(json.dumps({"a": "x" * 200}))
    with pytest.raises(Unreadable, match="What begins in line 1 has over"):
        values(json.dumps({"a": list(range(100))}, indent=1))
    assert len(values('{"a": 1}\n' * 1000)) == 1000


def test_deep_nesting_is_a_fault_and_no_crash() -> None:
    [found] = values("[" * 100_000 + "]" * 100_000)
    assert found == ("line 1", "is nested deeper than 64 levels.")


def test_only_one_value_is_held_at_a_time() -> None:
    class Endless(io.RawIOBase):
        """A file that never ends."""

        read_so_far = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            line = b'{"a": 1}\n'
            count = len(buffer) // len(line) * len(line)
            buffer[:count] = line * (count // len(line))
            self.read_so_far += count
            return count

    endless = Endless()
    found = json_values(Input("-", io.BufferedReader(endless, 900), Reading(reader("github"), NOON)))
    for _ in range(1000):
        next(found)
    assert endless.read_so_far <= 10_000


def test_bytes_of_a_log_that_are_no_utf_8_are_shown() -> None:
    assert list(text_lines(source(b"caf\xe9\r\nx"))) == [(1, "caf\\xe9"), (2, "x")]


def test_a_long_line_of_a_log_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_TEXT_LINE", 10)
    with pytest.raises(Unreadable, match="Line 2 is longer"):
        list(text_lines(source("short\n" + "x" * 20)))


def test_a_line_says_nothing_of_what_is_none_but_keeps_parameters_as_they_are() -> None:
    line = {"a": None, "b": {"c": None}, "parameters": {"x": None}, "steps": [{"d": None, "e": 1}]}
    assert without_none(line) == {"parameters": {"x": None}, "steps": [{"e": 1}]}


def test_an_item_that_fails_half_way_gives_no_half_lines() -> None:
    def make(number: int) -> Iterator[dict[str, object]]:
        yield {"number": number}
        if number == 1:
            raise BadField("x", "is wrong.")

    made: list[Made] = list(each([0, 1, 2], make))
    assert [str(one) if isinstance(one, BadField) else one["number"] for one in made] == [0, "is wrong.", 2]


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2016-08-12 15:23:28 UTC", "2016-08-12T15:23:28Z"),
        ("2016-08-12 15:23:28 +0200", "2016-08-12T13:23:28Z"),
        ("2016-08-12T15:23:28.123456789+02:00", "2016-08-12T13:23:28.123456Z"),
    ],
)
def test_times_with_blanks_are_read(said: str, moment: str) -> None:
    assert Record({"at": said}).moment("at") == moment


@pytest.mark.parametrize("said", ["2016-08-12 15:23:28", "12.08.2016", "2016-13-01T00:00:00Z", 5])
def test_a_time_without_its_zone_is_none(said: object) -> None:
    with pytest.raises(BadField) as fault:
        Record({"at": said}, "runs[3]").moment("at")
    assert fault.value.field == "runs[3].at"


def test_lines_are_numbered_and_gzip_is_unpacked(tmp_path: Path) -> None:
    import gzip

    file = tmp_path / "runs.json.gz"
    file.write_bytes(gzip.compress(b'{"total": 1}\n{"total": 2}\n'))
    lines = list(lines_of(file, Reading(reader("github"), NOON)))
    assert [(line.number, line.fault and line.fault[0]) for line in lines] == [(1, ""), (2, "line 2: ")]


def test_half_a_character_is_left_for_the_parser_to_name(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("x")
    odd = Source("odd", "Odd", "odd files", (), lambda _: iter([{"type": "run", "title": "\ud800"}]))
    [line] = lines_of(file, Reading(odd, NOON))
    assert b'"title": "\\ud800"' in (line.text or b"")


@pytest.mark.parametrize(
    ("beginning", "reason"),
    [(b"PK\x03\x04", "ZIP"), (b"SQLite format 3\0", "SQLite"), (b"\xff\xfe[\0", "UTF-16")],
)
def test_files_of_other_kinds_are_refused_by_name(tmp_path: Path, beginning: bytes, reason: str) -> None:
    file = tmp_path / "runs.json"
    file.write_bytes(beginning + bytes(600))
    with pytest.raises(Unreadable, match=reason):
        list(lines_of(file, Reading(reader("github"), NOON)))


def test_long_texts_are_cut_and_kept_whole_beside_and_long_nodes_stay_apart() -> None:
    long = "x" * 2000
    line = {
        "type": "run",
        "created_at": "2026-03-01T12:00:00Z",
        "title": long,
        "ref": {"branch": long},
        "workflow": {"name": "CI", "path": long},
        "artifacts": [{"name": long}] * 201,
        "steps": [{"node_id": f"{long}{number}", "worker": long} for number in (1, 2)],
    }
    found: Any = fitted(line, "2026-03-02T12:00:00Z")
    assert (len(found["title"]), found["cut"]) == (500, {"title": long})
    assert (len(found["ref"]["branch"]), len(found["workflow"]["path"])) == (500, 500)
    assert (len(found["artifacts"]), found["artifacts_left_out"]) == (200, 1)
    first, second = found["steps"]
    assert first["node_id"] != second["node_id"]
    assert (len(first["node_id"]), len(first["worker"])) == (1000, 200)
    assert "at" not in found


def test_a_line_without_any_moment_is_of_when_the_file_was_written() -> None:
    found = fitted({"type": "step", "node_id": "a"}, "2026-03-02T12:00:00Z")
    assert (found["at"], found["at_from"]) == ("2026-03-02T12:00:00Z", "the file")
