"""What a workspace used, and what happened in it (contract part 2, 10)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import FREE_FORM, Count, Fraction, cursor_list, one
from portal.api.operations import PAGING, operation
from portal.api.schemas import UUID as UUID_SCHEMA
from portal.api.schemas import Schema, described, words
from portal.auth.gate import current_principal, requires
from portal.definitions import locales
from portal.input.bodies import OneOf
from portal.input.parameters import single
from portal.input.time_zones import MAX_ZONE
from portal.usage import feed
from portal.usage.feed import Event, FeedQuery
from portal.usage.languages import Language, read_languages
from portal.usage.period import (
    DEFAULT_RANGE,
    DEFAULT_VIEW,
    DEFAULT_ZONE,
    RANGES,
    VIEWS,
    Bucket,
    Chart,
    UsageQuery,
)
from portal.usage.totals import Totals, add_up, totals_by_bucket
from portal.workspaces.workspaces import workspace_id_of

_ZONE: Schema = {
    "type": "string",
    "maxLength": MAX_ZONE,
    "default": DEFAULT_ZONE,
    "description": "IANA name.",
}
_RANGE: Schema = words(*RANGES) | {"default": DEFAULT_RANGE, "description": "Last days, today included."}
_PERIOD: dict[str, Schema] = {
    "range": _RANGE,
    "activity_view": described(words(*VIEWS), "7 days, 12 weeks from Mondays, or 12 months."),
    "timezone": _ZONE,
}
_FEED: dict[str, Schema] = {
    "range": _RANGE,
    "type": words(*feed.ACTIONS),
    "user_id": described(UUID_SCHEMA, "Only what this person did."),
    "limit": PAGING["limit"],
    "cursor": {"type": "string", "pattern": "^([A-Za-z0-9_-]{32})?$", "description": "Of the page before."},
    "timezone": _ZONE,
}

Range = Annotated[str, OneOf(tuple(RANGES))]
View = Annotated[str, OneOf(VIEWS)]


class UsagePeriodJson(TypedDict):
    """From start up to, but not including, end."""

    start: datetime
    end: datetime


class UsageCreditsJson(TypedDict):
    """The credits that the runs of the period say they cost; there is no quota here."""

    used: Count
    quota: int | None
    percent: float | None


class UsageCharactersJson(TypedDict):
    """The characters of the texts that takes speak, repeated attempts among them."""

    total: Count


class UsageLinesJson(TypedDict):
    """The lines of output of all runs."""

    total: Count
    avg_chars_per_line: Annotated[
        float | None, Field(description="Of lines with takes, once for each language; null without any.")
    ]


class UsageAudioJson(TypedDict):
    """What completed runs delivered."""

    total_ms: Count


class UsageRunsJson(TypedDict):
    """The runs created in the period."""

    total: Count
    completed: Count
    failed: Count
    cancelled: Count
    running: Count
    pending: Count
    paused: Count


class UsageBucketJson(TypedDict):
    """A day, week or month."""

    label: str
    start: datetime
    end: datetime
    credits: Count
    characters: Count
    lines: Count
    runs: Count


class UsagePeakJson(TypedDict):
    """The bucket with most credits."""

    value: Count
    label: str
    start: datetime
    end: datetime


class UsageChartJson(TypedDict):
    """The credits of the view, which may reach back further than the range."""

    view: View
    bucket_unit: Literal["day", "week", "month"]
    range_label: str
    buckets: list[UsageBucketJson]
    total: Count
    avg: float
    peak: Annotated[UsagePeakJson | None, Field(description="Null without credits.")]


class UsageDayJson(TypedDict):
    """A day of the range."""

    date: str
    credits: Count
    characters: Count
    lines: Count
    runs: Count


class UsageSummaryJson(TypedDict):
    """What a workspace used in a range of days. Deleted workflows count."""

    range: Range
    activity_view: View
    timezone: str
    period: UsagePeriodJson
    credits: UsageCreditsJson
    characters: UsageCharactersJson
    corrected: Annotated[None, Field(description="Corrected words are not counted here.")]
    lines: UsageLinesJson
    audio: UsageAudioJson
    runs: UsageRunsJson
    activity: UsageChartJson
    daily: list[UsageDayJson]


class UsageLanguageJson(TypedDict):
    """What was spoken in one language."""

    locale_code: str
    display_name: str
    share: Annotated[Fraction, Field(description="Of the characters of all languages.")]
    credits: Annotated[Count, Field(description="Of each run, in proportion to the characters.")]
    characters: Count
    corrected: None
    lines: Count
    allocation_basis: Literal["characters"]


class UsageByLanguageJson(TypedDict):
    """What a workspace used by language, from the takes of its runs."""

    range: Annotated[Range | None, Field(description="Null where a view says the period.")]
    activity_view: View | None
    timezone: str
    period: UsagePeriodJson
    languages: list[UsageLanguageJson]
    total_credits: Count
    untagged_credits: Annotated[
        Count, Field(description="Of runs without takes, or with takes of no language.")
    ]


class EventUserJson(TypedDict):
    """Who did it."""

    id: UUID
    name: str


class EventResourceJson(TypedDict):
    """What it was about."""

    type: str
    id: UUID | None
    name: str | None


class EventJson(TypedDict):
    """Something that happened in a workspace."""

    id: UUID
    timestamp: datetime
    user: EventUserJson | None
    action: Annotated[str, OneOf(feed.ACTIONS)]
    kind: str
    resource: EventResourceJson
    metadata: Annotated[dict[str, object] | None, Field(description=FREE_FORM)]
    ip: Annotated[None, Field(description="Only the audit log has it.")]


@bp.get("/usage/summary")
@requires("workspace:read")
@operation(
    tag="Usage",
    summary="Summarise what a workspace used",
    answer=UsageSummaryJson,
    query=_PERIOD | {"activity_view": _PERIOD["activity_view"] | {"default": DEFAULT_VIEW}},
)
def usage_summary() -> Response:
    query, now = UsageQuery.parse(single(request.args)), moments.now()
    workspace_id, period, chart = workspace_id_of(current_principal()), query.days(now), query.view_of(now)
    by_day = totals_by_bucket(workspace_id, period.buckets)
    whole = add_up(by_day)
    average = round(whole.characters / whole.spoken_lines, 1) if whole.spoken_lines else None
    answer: UsageSummaryJson = {
        "range": query.range,
        "activity_view": query.view or DEFAULT_VIEW,
        "timezone": query.zone,
        "period": _period(period),
        "credits": {"used": whole.credits, "quota": None, "percent": None},
        "characters": {"total": whole.characters},
        "corrected": None,
        "lines": {"total": whole.output_lines, "avg_chars_per_line": average},
        "audio": {"total_ms": whole.delivered_audio_ms},
        "runs": _runs(whole),
        "activity": _chart(query, chart, totals_by_bucket(workspace_id, chart.buckets)),
        "daily": [_day(bucket, totals) for bucket, totals in zip(period.buckets, by_day, strict=True)],
    }
    return one(answer)


@bp.get("/usage/by-language")
@requires("workspace:read")
@operation(
    tag="Usage",
    summary="Tell what a workspace used by language",
    answer=UsageByLanguageJson,
    query=_PERIOD,
    description="With a view, the range is ignored.",
)
def usage_by_language() -> Response:
    query, now = UsageQuery.parse(single(request.args)), moments.now()
    period = query.view_of(now) if query.view else query.days(now)
    found = read_languages(workspace_id_of(current_principal()), period)
    answer: UsageByLanguageJson = {
        "range": None if query.view else query.range,
        "activity_view": query.view,
        "timezone": query.zone,
        "period": _period(period),
        "languages": [_language(each) for each in found.languages],
        "total_credits": found.total_credits,
        "untagged_credits": found.untagged_credits,
    }
    return one(answer)


@bp.get("/usage/activity")
@requires("workspace:read")
@operation(
    tag="Usage",
    summary="List what happened in a workspace",
    answer=EventJson,
    shape="cursor",
    query=_FEED,
    description="Newest first.",
)
def usage_activity() -> Response:
    query = FeedQuery.parse(single(request.args))
    events, last = feed.read_feed(workspace_id_of(current_principal()), query, moments.now())
    return cursor_list(events, _event, last.to_cursor() if last else None, query.to_args())


def _period(chart: Chart) -> UsagePeriodJson:
    return {"start": chart.start, "end": chart.end}


def _runs(totals: Totals) -> UsageRunsJson:
    return {
        "total": totals.total,
        "completed": totals.runs["completed"],
        "failed": totals.runs["failed"],
        "cancelled": totals.runs["cancelled"],
        "running": totals.runs["running"],
        "pending": totals.runs["pending"],
        "paused": totals.runs["paused"],
    }


def _chart(query: UsageQuery, chart: Chart, totals: list[Totals]) -> UsageChartJson:
    pairs = list(zip(chart.buckets, totals, strict=True))
    total = sum(each.credits for each in totals)
    bucket, most = max(pairs, key=lambda pair: pair[1].credits)
    peak: UsagePeakJson = {
        "value": most.credits,
        "label": bucket.label,
        "start": bucket.start,
        "end": bucket.end,
    }
    return {
        "view": query.view or DEFAULT_VIEW,
        "bucket_unit": chart.unit,
        "range_label": chart.label,
        "buckets": [_bucket(*pair) for pair in pairs],
        "total": total,
        "avg": round(total / len(pairs), 1),
        "peak": peak if most.credits else None,
    }


def _bucket(bucket: Bucket, totals: Totals) -> UsageBucketJson:
    return {
        "label": bucket.label,
        "start": bucket.start,
        "end": bucket.end,
        "credits": totals.credits,
        "characters": totals.characters,
        "lines": totals.output_lines,
        "runs": totals.total,
    }


def _day(bucket: Bucket, totals: Totals) -> UsageDayJson:
    return {
        "date": bucket.first.isoformat(),
        "credits": totals.credits,
        "characters": totals.characters,
        "lines": totals.output_lines,
        "runs": totals.total,
    }


def _language(found: Language) -> UsageLanguageJson:
    return {
        "locale_code": found.locale_code,
        "display_name": locales.display_name(found.locale_code),
        "share": found.share,
        "credits": found.credits,
        "characters": found.characters,
        "corrected": None,
        "lines": found.lines,
        "allocation_basis": "characters",
    }


def _event(event: Event) -> EventJson:
    name = event.user_name or ""
    return {
        "id": event.id,
        "timestamp": event.at,
        "user": {"id": event.user_id, "name": name} if event.user_id else None,
        "action": event.action,
        "kind": event.kind,
        "resource": {"type": event.resource, "id": event.resource_id, "name": event.resource_name},
        "metadata": dict(event.metadata) if event.metadata is not None else None,
        "ip": None,
    }
