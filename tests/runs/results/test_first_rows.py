"""The first keys of a list: known ones in their order, then others by name."""

import pytest

from portal.runs.results.first_rows import first_keys

KNOWN = {"b": 1, "a": 2}


@pytest.mark.parametrize(
    ("found", "limit", "expected"),
    [
        ([], 2, (["b", "a"], False)),
        (["a", "z", "c"], 4, (["b", "a", "c", "z"], False)),
        (["z", "c"], 3, (["b", "a", "c"], True)),
        ([], 1, (["b"], True)),
    ],
)
def test_known_keys_come_first_and_the_rest_is_announced(
    found: list[str], limit: int, expected: tuple[list[str], bool]
) -> None:
    assert first_keys(KNOWN, found, limit) == expected
