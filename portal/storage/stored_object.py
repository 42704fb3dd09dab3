"""What a store lists."""

from datetime import datetime
from typing import NamedTuple


class StoredObject(NamedTuple):
    """Content that lies in a store, or what is left of an attempt to put some there."""

    key: str
    size: int
    changed_at: datetime
