"""The LRU cache that requests share."""

from portal.runs.statistics.lru import Lru


def test_what_was_used_least_recently_goes_first() -> None:
    cache: Lru[str, int] = Lru(2)
    cache.add({"a": 1, "b": 2})
    assert cache.find(["a", "c"]) == {"a": 1}
    cache.add({"c": 3})
    assert cache.find(["a", "b", "c"]) == {"a": 1, "c": 3}
