"""The artifact store in a folder of this machine."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from portal.errors import NotFound

_PIECE = 256 * 1024
_KEY = re.compile(r"[0-9a-zA-Z-]+(/[0-9a-zA-Z-]+)*")


class LocalStore:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, content: BinaryIO) -> None:
        path = self._path(key)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
            try:
                copyfileobj(content, file, _PIECE)
                file.flush()
                os.fsync(file.fileno())  # a row may point here a moment later
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def has(self, key: str) -> bool:
        return self._path(key).is_file()

    def read(self, key: str, first: int = 0, length: int | None = None) -> Iterator[bytes]:
        try:
            file = self._path(key).open("rb")
        except FileNotFoundError:
            raise NotFound("The stored file is gone.") from None
        file.seek(first)
        return _pieces(file, length)

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError("a key of the artifact store is plain names joined by slashes")
        return self._folder / key


def _pieces(file: BinaryIO, length: int | None) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE if length is None else min(_PIECE, length)):
            yield piece
            if length is not None:
                length -= len(piece)
