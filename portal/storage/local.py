"""The artifact store in a local folder."""

import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, NoReturn

from portal.errors import NotFound, Unavailable
from portal.storage.stored_object import StoredObject

_CHUNK_BYTES = 256 * 1024
_UNFINISHED = ".new-"
_KEY = re.compile(rf"[0-9a-zA-Z-]+(/[0-9a-zA-Z-]+)*(/{re.escape(_UNFINISHED)}\w+)?")


class LocalStore:
    is_local = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, content: BinaryIO) -> None:
        path = self._path(key)
        with _failures("written"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_UNFINISHED, delete=False) as file:
                try:
                    copyfileobj(content, file, _CHUNK_BYTES)
                    file.flush()
                    os.fsync(file.fileno())  # durable before a row refers to it
                    Path(file.name).replace(path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise

    def size(self, key: str) -> int | None:
        with _failures("read"):
            found = _stat(self._path(key))
        return found.st_size if found is not None else None

    def read(self, key: str, first: int = 0, length: int | None = None) -> Iterator[bytes]:
        with _failures("read"):
            try:
                file = self._path(key).open("rb")
            except FileNotFoundError:
                raise NotFound("The stored file is gone.") from None
            file.seek(first)
        return _read_chunks(file, length)

    def delete(self, key: str) -> None:
        with _failures("written"):
            self._path(key).unlink(missing_ok=True)

    def objects(self, folder: str) -> Iterator[StoredObject]:
        top = self._path(folder)
        with _failures("read"):
            if not top.exists():
                return
            for parent, folders, names in os.walk(top, onerror=_fail):
                folders.sort()
                for path in (Path(parent, name) for name in sorted(names)):
                    found = _stat(path)
                    if found is not None:
                        changed_at = datetime.fromtimestamp(found.st_mtime, UTC)
                        key = path.relative_to(self._folder).as_posix()
                        yield StoredObject(key, found.st_size, changed_at)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError("a key of the artifact store is plain names joined by slashes")
        return self._folder / key


def _stat(path: Path) -> os.stat_result | None:
    """The status of a regular file; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _read_chunks(file: BinaryIO, length: int | None) -> Iterator[bytes]:
    with _failures("read"), file:
        while chunk := file.read(_CHUNK_BYTES if length is None else min(_CHUNK_BYTES, length)):
            yield chunk
            if length is not None:
                length -= len(chunk)


def _fail(error: OSError) -> NoReturn:
    raise error


@contextmanager
def _failures(action: str) -> Iterator[None]:
    """Translate OSError to Unavailable with the system's reason, without the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unavailable(f"The artifact store cannot be {action}: {reason}.") from error
