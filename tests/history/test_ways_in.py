"""How a file comes in: through pipes, joined, with marks; and what is said of one that is not JSON Lines."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.database.models import Workspace
from portal.history.files.file_kinds import BOM
from portal.history.files.retrieve import Line, Unreadable, read_lines
from portal.history.importer import import_files
from portal.history.parsing import chunks
from tests.factories import NOON, make_workspace
from tests.history.lines import encode, run_line, workflow_line, write

ROOT = Path(__file__).parents[2]
W = workflow_line()
TEXT = encode(W, run_line("a"), run_line("b"))


def texts(file: Path) -> list[bytes | None]:
    return [line.text for line in read_lines(file)]


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def file_with(folder: Path, content: bytes) -> Path:
    file = folder / "runs.jsonl"
    file.write_bytes(content)
    return file


def refusal(file: Path) -> str:
    """What is said of a file of which not one line is read."""
    lines = read_lines(file)
    with pytest.raises(Unreadable) as refused:
        next(lines)
    return str(refused.value)


def a_zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("runs.jsonl", content)
    return buffer.getvalue()


def a_tar(content: bytes, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        entry = tarfile.TarInfo("runs.jsonl")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def an_old_tar(content: bytes) -> bytes:
    """As tar wrote it before it had a word to be known by."""
    block = bytearray(a_tar(content, tarfile.USTAR_FORMAT))
    block[257:265] = bytes(8)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "a ZIP archive": a_zip,
    "a bzip2 file": bz2.compress,
    "an xz file": lzma.compress,
    "a Zstandard file": lambda content: b"\x28\xb5\x2f\xfd" + content,
    "a 7z archive": lambda content: b"7z\xbc\xaf\x27\x1c\0\x04" + content,
    "a tar archive": a_tar,
    "a gzip file": lambda content: gzip.compress(gzip.compress(content)),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_pipe_is_read_like_a_file(tmp_path: Path, packed: bool) -> None:
    content = gzip.compress(TEXT) if packed else TEXT
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def one_byte_first() -> None:
        with pipe.open("wb", buffering=0) as end:
            end.write(content[:1])
            end.write(content[1:])

    writer = threading.Thread(target=one_byte_first)
    writer.start()
    lines = list(read_lines(pipe))
    writer.join()
    assert [line.text for line in lines] == lines_of(TEXT)
    assert lines[-1].bytes_read == len(content)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_pipe_among_files_is_imported_and_progress_only_grows(
    workspace: Workspace, tmp_path: Path, packed: bool
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=write, args=(pipe, W, run_line("a")), kwargs={"packed": packed})
    writer.start()
    seen: list[tuple[int, int, int]] = []
    files = [pipe, write(tmp_path / "b.jsonl", run_line("b"))]
    summary = import_files(
        workspace.id, files, now=NOON, progress=lambda *report: seen.append(report), batch_size=1
    )
    writer.join()
    assert summary.ok
    assert summary.total.runs_new == 2
    assert seen == sorted(seen)


def run_import(
    environment: dict[str, str], *words: str, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "flask", "--app", str(ROOT / "app.py"), "import", *words]
    return subprocess.run(
        command,
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_is_imported(environment: dict[str, str], name: str) -> None:
    done = run_import(environment, name, input=gzip.compress(TEXT))
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Runs: 2 new" in done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_long_file_as_standard_input_comes_in_whole(
    environment: dict[str, str], tmp_path: Path, name: str
) -> None:
    long = "x" * (1 << 20)
    lines = [run_line(str(number), title=long) for number in range(chunks.LONG_FILE // len(long))]
    with write(tmp_path / "runs.jsonl", W, *lines).open("rb") as file:
        done = run_import(environment, name, stdin=file)
    assert done.returncode == 0
    assert f"Runs: {len(lines)} new".encode() in done.stdout


def test_bad_lines_of_standard_input_are_named_by_a_dash(app: Flask) -> None:
    make_workspace()
    done = app.test_cli_runner().invoke(args=["import", "-"], input=TEXT + b"{\n")
    assert done.exit_code == 1
    assert done.output.startswith("-:4: is not JSON")


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_joined_files_may_each_begin_with_a_byte_order_mark(tmp_path: Path, packed: bool) -> None:
    pack = gzip.compress if packed else bytes
    first, second = encode(W, run_line("a")), encode(run_line("b"))
    joined = pack(BOM + first) + pack(BOM) + pack(BOM + second) + pack(BOM)
    assert texts(file_with(tmp_path, joined)) == lines_of(first + second)


def test_a_byte_order_mark_within_a_line_is_text(tmp_path: Path) -> None:
    line = encode(run_line(title="\ufeffx")).replace(b"\\ufeff", BOM)
    assert texts(file_with(tmp_path, line)) == [line]


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_file_is_named_with_what_to_do(tmp_path: Path, kind: str) -> None:
    message = refusal(file_with(tmp_path, PACKED[kind](TEXT)))
    what = "What the gzip file holds" if kind == "a gzip file" else "The file"
    assert message == f"{what} is {kind}: unpack it first."


def test_an_archive_in_gzip_is_named(tmp_path: Path) -> None:
    for make in (a_tar, an_old_tar):
        message = refusal(file_with(tmp_path, gzip.compress(make(TEXT))))
        assert message == "What the gzip file holds is a tar archive: unpack it first."


@pytest.mark.parametrize("mark", [False, True], ids=["no mark", "mark"])
@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"])
@pytest.mark.parametrize("begin", ["", " ", "\r\n"])
def test_other_encodings_are_named_with_what_to_do(
    tmp_path: Path, encoding: str, mark: bool, begin: str
) -> None:
    content = (("\ufeff" if mark else "") + begin + TEXT.decode()).encode(encoding)
    name = encoding[:6] if mark else encoding
    for packed in (content, gzip.compress(content)):
        message = refusal(file_with(tmp_path, packed))
        assert f"is {name}, not UTF-8: convert it first, as with iconv -f {name} -t UTF-8." in message


@pytest.mark.parametrize(
    "content", [b"SQLite format 3\0", b"PAR1\x15\x04", b"%PDF-1.7", bytes(600), b"\x89PNG\r\n\x1a\n\0\0"]
)
def test_a_binary_file_is_refused_as_one(tmp_path: Path, content: bytes) -> None:
    assert refusal(file_with(tmp_path, content)).endswith(", not JSON Lines.")


def test_gzip_after_plain_lines_and_the_other_way_round_is_said(tmp_path: Path) -> None:
    after = read_lines(file_with(tmp_path, TEXT + gzip.compress(TEXT)))
    found: list[Line] = []
    with pytest.raises(Unreadable, match="From line 4 on, the file is a gzip file: unpack it first"):
        found.extend(after)
    before = read_lines(file_with(tmp_path, gzip.compress(TEXT) + TEXT))
    with pytest.raises(Unreadable, match="What follows its gzip part is not gzip"):
        list(before)


def test_a_first_line_that_is_only_bad_is_a_bad_line(tmp_path: Path) -> None:
    for bad in (b'{"a": "\0"}\n', b"not json\n", b"\xc5sa\n", b"\n", b"[\n"):
        assert texts(file_with(tmp_path, bad + TEXT))[-3:] == lines_of(TEXT)


def test_a_small_gzip_file_that_is_cut_off_keeps_its_whole_lines(tmp_path: Path) -> None:
    packed = gzip.compress(encode(W) + b"x" * 300, compresslevel=0)
    found: list[Line] = []
    with pytest.raises(Unreadable, match="cut off"):
        found.extend(read_lines(file_with(tmp_path, packed[: len(encode(W)) + 50])))
    assert [line.text for line in found] == [encode(W)]


@pytest.mark.slow
@pytest.mark.parametrize("apart", [False, True], ids=["here", "in a process of its own"])
def test_a_file_that_is_none_of_ours_is_one_error_and_no_bad_line(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: bool
) -> None:
    if apart:
        monkeypatch.setattr(chunks, "LONG_FILE", 0)
    files = [tmp_path / "a.zip", tmp_path / "b.jsonl", write(tmp_path / "c.jsonl", W, run_line())]
    files[0].write_bytes(a_zip(TEXT))
    files[1].write_bytes(TEXT.decode().encode("UTF-16"))
    summary = import_files(workspace.id, files, now=NOON)
    assert [each.error and each.error.partition(":")[0] for each in summary.files] == [
        "The file is a ZIP archive",
        "The file is UTF-16, not UTF-8",
        None,
    ]
    assert (summary.total.bad_lines, summary.total.lines, summary.total.runs_new) == (0, 2, 1)
    assert not summary.ok
