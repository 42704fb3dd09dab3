"""What a handler may use while it works, over a folder: a context without database, queue and worker."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from portal import moments
from portal.definitions.catalog import CATALOG
from portal.engine.contract import (
    Cancelled,
    Item,
    Pronunciation,
    Refused,
    Script,
    StepInput,
    StoredFile,
    TimedOut,
)
from portal.engine.environment import Environment


@dataclass
class StepContext:
    """A `portal.engine.contract.Context` whose files lie in a folder and whose log is a list."""

    root: Path
    environment: Environment = field(default_factory=Environment)
    uploads: Sequence[Script] = ()
    dictionary: Mapping[str, Mapping[str, Pronunciation]] = field(default_factory=dict)
    """By locale, then by word in lower case."""
    deadline: datetime = field(default_factory=lambda: moments.now() + timedelta(minutes=10))
    is_cancelled: Callable[[], bool] = lambda: False
    logged: list[str] = field(default_factory=list)
    progressed: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._store = self.root / "store"
        self._store.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=self.root))

    def cancelled(self) -> bool:
        return self.is_cancelled()

    def check(self) -> None:
        if self.cancelled():
            raise Cancelled
        if moments.now() > self.deadline:
            raise TimedOut("The step took too long.")

    def progress(self, done: int, total: int) -> None:
        self.progressed.append((done, total))

    def log(self, message: str) -> None:
        self.logged.append(message)

    def key(self, part: str) -> str:
        return f"step:{part}"

    def store(self, content: BinaryIO, content_type: str) -> StoredFile:
        read = content.read()
        sha256 = hashlib.sha256(read).hexdigest()
        (self._store / sha256).write_bytes(read)
        return StoredFile(sha256, len(read), content_type)

    def open(self, file: StoredFile) -> BinaryIO:
        return (self._store / file.sha256).open("rb")

    def scripts(self, upload_ids: Sequence[str]) -> list[Script]:
        if not upload_ids:
            return list(self.uploads[-1:])
        found = {script.upload_id: script for script in self.uploads}
        if missing := [each for each in upload_ids if each not in found]:
            raise Refused(f"There is no script {missing[0]}.")
        return [found[each] for each in upload_ids]

    def pronunciations(self, locale: str) -> Mapping[str, Pronunciation]:
        return self.dictionary.get(locale, {})


def step(slug: str, items: Sequence[Item] = (), **config: Any) -> StepInput:
    """A first step of a node of this type."""
    return StepInput(node_id="node", node_type=CATALOG[slug], config=config, iteration=1, items=items)


def item(text: str, locale: str = "en-us", line: int = 0, **fields: Any) -> Item:
    """A line of the source `source`."""
    return Item(source="source", line=line, locale=locale, text=text, **fields)
