"""Days, weeks and months as a calendar has them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import pytest

from portal.errors import InvalidQuery
from portal.usage.period import UsageQuery

NOW = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)


def chart(view: str, zone: str = "UTC") -> list[tuple[str, date]]:
    return [(bucket.label, bucket.first) for bucket in UsageQuery("30d", view, zone).view_of(NOW).buckets]


def test_the_views_end_with_today() -> None:
    assert chart("daily")[0] == ("Fri", date(2025, 12, 26))
    assert chart("daily")[-1] == ("Thu", date(2026, 1, 1))
    assert chart("daily", "America/New_York")[-1] == ("Wed", date(2025, 12, 31))
    assert chart("weekly")[0] == ("Week 42", date(2025, 10, 13))
    assert chart("weekly")[-1] == ("Week 01", date(2025, 12, 29))
    assert chart("monthly")[0] == ("Feb", date(2025, 2, 1))
    assert chart("monthly")[-1] == ("Jan", date(2026, 1, 1))
    assert [len(chart(view)) for view in ("daily", "weekly", "monthly")] == [7, 12, 12]


@pytest.mark.parametrize("range_", ["30d", "60d", "90d"])
def test_a_range_has_as_many_days_as_it_says(range_: str) -> None:
    period = UsageQuery(range_, None, "UTC").days(NOW)
    assert len(period.buckets) == int(range_[:-1])
    assert (period.end, period.end - period.start) == (
        datetime(2026, 1, 2, tzinfo=UTC),
        timedelta(days=int(range_[:-1])),
    )


def test_a_day_without_midnight_begins_when_clocks_have_gone_forward() -> None:
    now = datetime(2026, 3, 8, 12, tzinfo=UTC)
    days = UsageQuery("30d", None, "America/Havana").days(now).buckets
    assert (days[-1].first, days[-1].start) == (date(2026, 3, 8), datetime(2026, 3, 8, 5, tzinfo=UTC))
    assert days[-1].end - days[-1].start == timedelta(hours=23)


@pytest.mark.slow
def test_the_buckets_of_every_zone_follow_each_other() -> None:
    for zone in sorted(available_timezones()):
        for view in ("daily", "weekly", "monthly"):
            query = UsageQuery("90d", view, zone)
            for found in (query.days(NOW), query.view_of(NOW)):
                edges = [found.start, *(bucket.end for bucket in found.buckets)]
                assert edges == [*(bucket.start for bucket in found.buckets), found.end]
                assert edges == sorted(set(edges))
                assert found.buckets[-1].start <= NOW < found.end
                assert not any(edge.minute % 15 or edge.second for edge in edges), zone


@pytest.mark.parametrize(
    ("args", "fields"),
    [
        ({"range": "7d", "activity_view": "hourly", "timezone": "Mars/Olympus"}, 3),
        ({"timezone": ""}, 1),
        ({"timezone": "../UTC"}, 1),
        ({"timezone": "europe/berlin"}, 1),
        ({"timezone": "UTC\0"}, 1),
        ({"range": ""}, 1),
    ],
)
def test_what_is_not_on_offer_is_refused(args: dict[str, str], fields: int) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        UsageQuery.parse(args)
    assert len(refusal.value.errors) == fields
