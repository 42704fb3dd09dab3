"""An entry in the listing of a store."""

from datetime import datetime
from typing import NamedTuple


class StoredObject(NamedTuple):
    """A stored file, possibly the temporary file of an interrupted upload."""

    key: str
    size: int
    changed_at: datetime
