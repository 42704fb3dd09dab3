"""RunQuery reads, refuses and writes back the parameters of List Runs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.database.models import RunStatus
from portal.errors import InvalidQuery
from portal.moments import format_moment
from portal.paging import Page, Slice
from portal.runs.query import ORDERS, SORTS, RunQuery

WORKFLOW = "67b83426-5797-57c9-9545-522b6cd26e1b"


def parse(args: Mapping[str, str], workflow_id: str = WORKFLOW) -> RunQuery:
    return RunQuery.parse(args, workflow_id=workflow_id)


def refused_fields(args: Mapping[str, str], workflow_id: str = WORKFLOW) -> list[str]:
    with pytest.raises(InvalidQuery) as refusal:
        parse(args, workflow_id)
    return [error.field for error in refusal.value.errors]


def test_without_parameters_the_defaults_of_the_documentation_hold() -> None:
    query = parse({})
    assert (query.slice, query.status, query.search) == (Slice(0, 20), (), "")
    assert (query.sort, query.order) == ("created_at", "desc")
    assert (query.created_from, query.created_to) == (None, None)


@pytest.mark.parametrize(
    "text", ["", "abc", "-1", "1e9", "2_0", "0x10", " 20", "20 ", "+1", "٣", "２０", "true", "1.0"]
)
@pytest.mark.parametrize("field", ["offset", "limit"])
def test_a_number_is_ascii_digits_and_nothing_else(field: str, text: str) -> None:
    assert refused_fields({field: text}) == [field]


@pytest.mark.parametrize("text", ["0", "101", "1000", "9" * 5000])
def test_a_limit_outside_1_to_100_is_refused(text: str) -> None:
    assert refused_fields({"limit": text}) == ["limit"]


@pytest.mark.parametrize("offset", [2**63, 2**70, int("9" * 4000)])
def test_an_offset_has_no_maximum(offset: int) -> None:
    query = parse({"offset": str(offset)})
    assert query.slice.offset == offset
    assert query.slice.sql_offset < 2**63


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,,b",
        "completed,",
        ",completed",
        "Completed",
        "completed, failed",
        "pausing",
        "draft",
        "canceled",
    ],
)
def test_one_bad_status_spoils_the_request(text: str) -> None:
    assert refused_fields({"status": text}) == ["status"]


def test_all_six_statuses_are_known_and_repeating_one_is_harmless() -> None:
    everything = [status.value for status in RunStatus]
    assert parse({"status": ",".join(everything * 2)}).status == tuple(everything)


@pytest.mark.parametrize(("field", "words"), [("sort", SORTS), ("order", ORDERS)])
def test_sort_and_order_are_exact_words(field: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert getattr(parse({field: word}), field) == word
    for bad in ("", words[0].upper(), "run_number", f" {words[0]}"):
        assert refused_fields({field: bad}) == [field]


def test_a_search_has_at_most_100_characters_and_is_not_trimmed() -> None:
    assert parse({"search": "ß" * 100}).search == "ß" * 100
    assert parse({"search": " a "}).search == " a "
    assert refused_fields({"search": "x" * 101}) == ["search"]
    assert refused_fields({"search": "a\0b"}) == ["search"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00 02:00",
        "2026-01-01 00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T24:00:00.5Z",
        "2026-01-01T00:00:00+05:99",
        "0001-01-01T00:00:00+02:00",
        "1767225600",
        "２026-01-01T00:00:00Z",
    ],
)
@pytest.mark.parametrize("field", ["from", "to"])
def test_a_moment_without_offset_or_sense_is_refused(field: str, text: str) -> None:
    assert refused_fields({field: text}) == [field]


def test_moments_are_read_with_their_offset_and_an_inverted_window_is_refused() -> None:
    query = parse({"from": "2026-01-01T02:00:00.5+02:00", "to": "2026-01-01T00:00:00.5Z"})
    assert query.created_from == query.created_to == datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert refused_fields({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}) == ["from"]


def test_all_bad_fields_are_reported_at_once_by_their_bare_names() -> None:
    bad = {
        "offset": "x",
        "limit": "0",
        "status": ",",
        "search": "x" * 101,
        "sort": "",
        "order": "",
        "from": "",
        "to": "y",
    }
    assert sorted(refused_fields(bad, "not-a-uuid")) == sorted([*bad, "workflow_id"])


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "{67b83426-5797-57c9-9545-522b6cd26e1b}",
        "67b83426579757c99545522b6cd26e1b",
        f"urn:uuid:{WORKFLOW}",
    ],
)
def test_an_id_that_is_no_uuid_in_its_common_form_is_refused(text: str) -> None:
    assert refused_fields({}, text) == ["workflow_id"]


def test_an_upper_case_id_and_unknown_parameters_are_accepted() -> None:
    assert parse({"page": "x"}, WORKFLOW.upper()) == parse({"page": "x"}, WORKFLOW)


moments = st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=st.just(UTC))


@given(
    offset=st.integers(0, 2**70),
    limit=st.integers(1, 100),
    status=st.lists(st.sampled_from([status.value for status in RunStatus])),
    search=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=100),
    sort=st.sampled_from(SORTS),
    order=st.sampled_from(ORDERS),
    window=st.lists(moments, min_size=2, max_size=2).map(sorted),
)
def test_what_a_query_writes_reads_back_as_the_same_query(
    offset: int, limit: int, status: list[str], search: str, sort: str, order: str, window: list[datetime]
) -> None:
    args = {"offset": str(offset), "limit": str(limit), "search": search, "sort": sort, "order": order}
    args |= {"status": ",".join(status)} if status else {}
    args |= {"from": format_moment(window[0]), "to": format_moment(window[1])}
    query = parse(args)
    for written in (query.to_args(), query.to_api_args()):
        again = parse(written)
        assert {**vars(again), "named": None} == {**vars(query), "named": None}


@given(moment=moments, hours=st.integers(-23, 23))
def test_a_moment_survives_being_written_and_read_in_any_zone(moment: datetime, hours: int) -> None:
    local = moment.astimezone(timezone(timedelta(hours=hours)))
    assert parse({"from": local.isoformat()}).created_from == moment
    assert parse({"from": format_moment(moment)}).created_from == moment


def test_a_moment_has_a_fraction_only_where_it_is_not_zero() -> None:
    assert format_moment(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00Z"
    assert format_moment(datetime(2026, 1, 1, 0, 0, 0, 120_000, tzinfo=UTC)) == "2026-01-01T00:00:00.12Z"


def test_the_short_form_leaves_defaults_out_and_the_api_form_keeps_what_was_named() -> None:
    query = parse({"order": "desc", "status": "failed,completed", "search": "", "limit": "20"})
    assert query.to_args() == {"status": "failed,completed"}
    api = {"offset": "0", "limit": "20", "status": "failed,completed", "search": "", "order": "desc"}
    assert list(query.to_api_args().items()) == list(api.items())


@given(offset=st.integers(0, 200), limit=st.integers(1, 100), total=st.integers(0, 200))
def test_next_and_prev_follow_the_contract(offset: int, limit: int, total: int) -> None:
    page: Page[None] = Page((), total, Slice(offset, limit))
    assert page.next == (None if offset + limit >= total else Slice(offset + limit, limit))
    assert page.prev == (None if offset == 0 else Slice(max(0, min(offset, total) - limit), limit))
