"""Values at the edges of what an import accepts: numbers, moments, texts, names, drawn by chance."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from portal.definitions.catalog import OURS
from portal.history.parsing.readers import MAX_NUMBER

Choice = TypeVar("Choice")

COUNTS = (
    *(0, 1, 2, 999, 1000, 60_000, 86_400_000, 2**31 - 1, 2**31, 2**31 + 1, 2**32, 10**12, 10**15),
    *(MAX_NUMBER - 1, MAX_NUMBER),
)
MEASURES = (
    *(0, 1, -1, 0.5, -0.0, 1e-9, 5e-324, 2.2250738585072014e-308, 1e15, 1e16, 1e17, 0.1 + 0.2, 1e300),
    *(1.7976931348623157e308, -1.7976931348623157e308, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63)),
    *(2**64, 10**30, 10**308, 10**309, -(10**400), 10**400, 10**4299, -(10**4299)),
)
SCORES = (0, 1, 0.5, -0.0, 5e-324, 0.9999999, 1e-300, MAX_NUMBER, -MAX_NUMBER, 1e15, 100)
FIRST_MOMENT, LAST_MOMENT = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"
MOMENTS = (
    *(FIRST_MOMENT, "0001-01-01T23:59:00+23:59", "0001-01-01T00:00:00.000001Z", "0001-01-02T00:00:00Z"),
    *("0099-12-31T23:59:59Z", "1000-01-01T00:00:00-23:59", "1582-10-10T12:00:00Z", "1900-01-01T00:00:00Z"),
    *("1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z"),
    *("2000-02-29T23:59:59.999999+23:59", "2014-01-01T00:00:00-23:59", "2038-01-19T03:14:07Z"),
    *("2038-01-19T03:14:08Z", "2262-04-11T23:47:16.854775807Z", "2999-12-31T23:59:59.9Z"),
    *("9000-01-01T00:00:00Z", "9999-12-31T00:00:00Z", LAST_MOMENT, "9998-12-31t23:59:59.1z"),
)
SAFE_MOMENTS = tuple(each for each in MOMENTS if not each.startswith("0001"))
"""Moments that nobody takes for "not yet"."""

FRAGMENTS = (
    *("x", "<", "&", '"', "'", "`", "\\", "%", "_", "\n", "\t", "\r\n", " ", "<b>", "&amp;", "</script>"),
    *("\u200b", "\u202e", "\u2800", "\u3164", "\u00ad", "\ufeff", "\u0301", "\u2028", "\u0085", "\u00a0"),
    *("\U0001f3a7", "\U00010348", "\U000e0041", "\U0010ffff", "\uffff", "\u05d0\u05d1 ", "\u0627\u0644 "),
    *("\x01", "\x08", "\x0b", "\x1b[31m", "\x1f", "\x7f", "{{1}}", "{% raw %}", "%2F", "..", "/", "?", "#"),
    *("word ", "Wörter ", "ß", "İ", "ﬃ", "e\u0301" * 5, "https://portal.example/?a=1&b=2 ", "-", "=1+1", ","),
)
UNSEEN = tuple(" \t\u00a0\u200b\u202e\u2800\u3164\u00ad\ufeff\u0301\u2028\u0085\x01\u2060\U000e0041")
NODE_IDS = (
    *("n", "a/b", "a//b", "/", "//", "..", ".", "../..", "a?b=c", "a#b", "a%2Fb", "%2F", "%", "%00", " "),
    *(
        "a b",
        '"',
        "'",
        "<b>",
        "&amp;",
        "\\",
        "\n",
        "\u202e",
        "\u200b",
        "\u0301",
        "download",
        "nodes",
        "+",
        ";",
    ),
)
LONG_NODE_IDS = tuple(each * 1000 for each in ("\U0001f3a7", "/", "é", "<", "x", "\u3164", "?", "."))
USAGE_KEYS = (
    *("cpu_seconds", "wall_minutes", "latency_ms", "memory_mb", "disk_gb", "disk_kb", "traffic_bytes"),
    *(
        "",
        "_",
        "_ms",
        "_bytes",
        "seconds",
        "__seconds",
        "api_calls",
        "a b",
        "<b>",
        "\U0001f3a7_ms",
        "x" * 10_000,
    ),
    *("/", "a.b", "id", "\u202e_mb", "\n_seconds", "API_GB", "-_minutes"),
)
UNITS = ("_ms", "_seconds", "_minutes", "_bytes", "_kb", "_mb", "_gb", "")
LOCALES = ("de-DE", "en_US", "x", "_", "-", " ", "\u202e", '"', "<b>", "\U0001f3a7" * 35, "a/b", "é", "\n")
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
TAKE_STATUSES = ("delivered", "generated", "not_delivered", "dropped")
PAUSE_REASONS = ("user", "provider_outage", "provider_rate_limited", "provider_billing", "node_timeout")
TYPES = (*OURS, "sink_", "validator_", "sink_\U0001f3a7", "_", "unknown", "operator", "é" * 1000, "a b")

_SHORT = 12


@dataclass(frozen=True)
class Edges:
    """Draws from the pools; the same seed draws the same."""

    chance: random.Random
    now: datetime

    def one(self, pool: Sequence[Choice]) -> Choice:
        return self.chance.choice(pool)

    def often(self, share: float) -> bool:
        return self.chance.random() < share

    def count(self, least: int = 0) -> int:
        if self.often(0.2):
            return self.chance.randint(least, MAX_NUMBER)
        return max(self.one(COUNTS), least)

    def measure(self, depth: int = 2) -> Any:
        """Whatever may stand in a usage summary, a configuration or a result."""
        if self.often(0.7):
            return self.one(MEASURES)
        if depth and self.often(0.4):
            return self.one([[], {}, [self.measure(depth - 1)], {self.usage_key(): self.measure(depth - 1)}])
        return self.one([None, True, False, "", self.text(200), [], {}, [None], "1e400", "-"])

    def usage_key(self) -> str:
        return self.one(USAGE_KEYS)

    def usage(self, most: int = 8) -> dict[str, Any]:
        return {self.usage_key(): self.measure() for _ in range(self.chance.randint(0, most))}

    def score(self) -> float:
        return self.one(SCORES)

    def text(self, most: int = 200) -> str:
        """A text of 1 to `most` characters: often as long as it may be, often of one thing only."""
        length = most if self.often(0.3) else self.chance.randint(1, max(1, min(most, _SHORT)))
        if self.often(0.6):
            return (self.one(FRAGMENTS) * length)[:length]
        mixed = "".join(self.one(FRAGMENTS) for _ in range(min(length, 50)))
        return (mixed * (length // max(len(mixed), 1) + 1))[:length]

    def long_text(self, length: int) -> str:
        """A text of exactly this length."""
        fragment = self.one(FRAGMENTS)
        return (fragment * (length // len(fragment) + 1))[:length]

    def name(self, most: int = 200) -> str:
        """A name: not seldom one of which nothing can be seen."""
        if self.often(0.3):
            return "".join(self.one(UNSEEN) for _ in range(self.one([1, 3, most])))
        return self.text(most)

    def node_id(self) -> str:
        return self.one(LONG_NODE_IDS) if self.often(0.05) else self.one(NODE_IDS)

    def moment(self) -> str:
        if self.often(0.7):
            return self.one(MOMENTS)
        return self.recent()

    def safe_moment(self) -> str:
        """One that is never taken for none."""
        return self.one(SAFE_MOMENTS) if self.often(0.6) else self.recent()

    def recent(self, days: int = 60) -> str:
        """Within the days around now, often at the very edge of a day, of a second or in the future."""
        ago = timedelta(
            seconds=self.chance.randint(-86_400, days * 86_400), microseconds=self.one([0, 1, 999_999])
        )
        at = (self.now - ago).astimezone(UTC)
        edge = self.one(
            ["", "", "T00:00:00Z", "T23:59:59.999999Z", "T23:59:59.999999999Z", "T00:00:00+23:59"]
        )
        return f"{at:%Y-%m-%d}{edge}" if edge else at.isoformat()

    def person(self) -> dict[str, Any] | None:
        """Who triggered a run: one of some hundred people, named in every way that is allowed."""
        number = self.chance.randint(0, 120)
        ways: Sequence[Callable[[random.Random], Mapping[str, Any] | None]] = (
            lambda _: None,
            lambda _: {"id": self.one([number, -number, 2**63 - 1, -(2**63) + 1, str(number)])},
            lambda own: {"name": Edges(own, self.now).name()},
            lambda _: {"id": number % 5, "name": self.name()},  # one who is called otherwise every time
            lambda own: {"id": Edges(own, self.now).text(200), "name": Edges(own, self.now).name()},
            lambda own: {"email": f"{Edges(own, self.now).text(100)}@{Edges(own, self.now).text(150)}"},
            lambda own: {"email": Edges(own, self.now).text(254), "name": "", "more": {"team": [1]}},
            lambda _: {"id": " ", "name": "\t", "email": ""},
        )
        found = ways[number % len(ways)](random.Random(number))
        return None if found is None else dict(found)
