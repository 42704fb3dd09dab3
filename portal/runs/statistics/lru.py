"""An LRU cache that the requests of a process share."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Lru(Generic[Key, Value]):
    """Values by keys that name all they depend on, so that they never expire."""

    def __init__(self, size: int) -> None:
        self._size, self._values, self._lock = size, OrderedDict[Key, Value](), Lock()

    def find(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Those that are cached."""
        found = {}
        with self._lock:
            for key in keys:
                if key in self._values:
                    self._values.move_to_end(key)
                    found[key] = self._values[key]
        return found

    def add(self, values: Mapping[Key, Value]) -> None:
        with self._lock:
            self._values.update(values)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
