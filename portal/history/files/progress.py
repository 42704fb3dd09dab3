"""Progress bars on a terminal, with rate and remaining time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from portal.history.files.retrieve import size_of
from portal.history.summary import Progress


@contextmanager
def progress_bar(files: Sequence[Path]) -> Iterator[Progress]:
    """A bar over the bytes of these files on standard error, if that is a terminal."""
    total = sum(size_of(file) for file in files)
    with tqdm(total=total, unit="B", unit_scale=True, disable=None, desc="Importing") as bar:

        def show(bytes_read: int, _total_bytes: int, lines: int) -> None:
            bar.set_postfix_str(f"{lines:,} lines", refresh=False)
            bar.update(bytes_read - bar.n)

        yield show


@contextmanager
def mirroring_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over the runs of a mirror."""
    with tqdm(unit=" runs", disable=None, desc=name) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


@contextmanager
def checking_bar() -> Iterator[Progress]:
    """A bar over the bytes of all stored files."""
    with tqdm(unit="B", unit_scale=True, disable=None, desc="Reading files") as bar:

        def show(bytes_read: int, total_bytes: int, files: int) -> None:
            bar.total = total_bytes
            bar.set_postfix_str(f"{files:,} files", refresh=False)
            bar.update(bytes_read - bar.n)

        yield show
