"""What a caller may use and wants to hear of: credits, limits, e-mails (contract part 2, 2 and 10)."""

from datetime import datetime
from typing import Annotated, Literal

from flask import Response
from pydantic import Field
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import Count, one
from portal.api.operations import operation
from portal.api.request_values import id_in_path, json_body
from portal.auth.gate import current_principal, requires, workspace_optional
from portal.auth.principals import PERSON
from portal.config import current_settings
from portal.engine.pricing.credits import balance_of
from portal.workspaces import plan, preferences, workspaces
from portal.workspaces.preferences import PreferenceChanges, Preferences

_FOR_OLD_CLIENTS = "Always false: the portal sends no such e-mails. Older clients need it."
_Unknown = Annotated[int | None, Field(description="Null: the portal has no such thing.")]


class BalanceJson(TypedDict):
    """The credits of the workspace. Before its first grant they are not metered: 0, and runs cost none."""

    balance: Count
    monthly_balance: _Unknown
    free_balance: _Unknown
    free_grant: _Unknown
    used: _Unknown
    remaining: Annotated[Count, Field(description="The same as the balance.")]
    quota: _Unknown
    percent: float | None
    period_start: datetime | None
    period_end: datetime | None
    plan_grant: Count
    plan_tier: Literal["free", "paid", "custom"]
    overage_rate_cents_per_credit: float | None
    overage_cents: _Unknown
    credits_absorbed: float | None


class PlanLimitsJson(TypedDict):
    """The limits of this installation. 2147483647 stands for no limit."""

    monthly_credits: Count
    seats: Annotated[Count, Field(description="No limit. Older clients need it.")]
    workspaces_per_owner: Count
    concurrent_runs_per_user: Count
    concurrent_runs_per_workspace: Count
    storage_bytes_per_workspace: Count
    retention_days: Annotated[int | None, Field(description="Null: nothing is removed.")]
    byok_enabled: bool
    auto_fix_enabled: bool
    credits_renewal: Literal["monthly", "one_time"] | None
    downloads_enabled: bool
    overage_rate_cents_per_credit: float | None


class PreferencesJson(TypedDict):
    """Which e-mails the caller wants to have."""

    completed_generation_email: bool
    failed_generation_email: bool
    weekly_usage_summary_email: Annotated[bool, Field(description=_FOR_OLD_CLIENTS)]
    product_updates_email: Annotated[bool, Field(description=_FOR_OLD_CLIENTS)]


@bp.get("/users/me/credits")
@workspace_optional
@operation(tag="Account", summary="Get my credits", answer=BalanceJson)
def my_credits() -> Response:
    balance = balance_of(current_principal())
    answer: BalanceJson = {
        "balance": balance,
        "monthly_balance": None,
        "free_balance": None,
        "free_grant": None,
        "used": None,
        "remaining": balance,
        "quota": None,
        "percent": None,
        "period_start": None,
        "period_end": None,
        "plan_grant": _limits().monthly_credits,
        "plan_tier": plan.TIER,
        "overage_rate_cents_per_credit": None,
        "overage_cents": None,
        "credits_absorbed": None,
    }
    return one(answer)


@bp.get("/users/me/limits")
@workspace_optional
@operation(tag="Account", summary="Get my limits", answer=PlanLimitsJson)
def my_limits() -> Response:
    return one(_plan())


@bp.get("/workspaces/<workspace_id>/plan")
@workspace_optional
@operation(tag="Workspaces", summary="Get the limits of a workspace", answer=PlanLimitsJson)
def workspace_plan(workspace_id: str) -> Response:
    workspaces.get_workspace(current_principal(), id_in_path("workspace_id", workspace_id))
    return one(_plan())


@bp.get("/users/me/notification-preferences")
@workspace_optional
@operation(tag="Account", summary="Get which e-mails I want", answer=PreferencesJson)
def my_preferences() -> Response:
    return one(_preferences(preferences.read_preferences(current_principal())))


@bp.patch("/users/me/notification-preferences")
@requires(PERSON)
@workspace_optional
@operation(
    tag="Account",
    summary="Choose which e-mails I want",
    answer=PreferencesJson,
    body=PreferenceChanges,
)
def change_my_preferences() -> Response:
    changes = PreferenceChanges.read(json_body())
    return one(_preferences(preferences.change_preferences(current_principal(), changes)))


def _limits() -> plan.Limits:
    return plan.limits(current_settings())


def _plan() -> PlanLimitsJson:
    found = _limits()
    return {
        "monthly_credits": found.monthly_credits,
        "seats": plan.NO_LIMIT,
        "workspaces_per_owner": found.workspaces_per_owner,
        "concurrent_runs_per_user": found.concurrent_runs_per_user,
        "concurrent_runs_per_workspace": found.concurrent_runs_per_workspace,
        "storage_bytes_per_workspace": found.storage_bytes_per_workspace,
        "retention_days": None,
        "byok_enabled": False,
        "auto_fix_enabled": False,
        "credits_renewal": None,
        "downloads_enabled": True,
        "overage_rate_cents_per_credit": None,
    }


def _preferences(found: Preferences) -> PreferencesJson:
    return {
        "completed_generation_email": found.completed_generation_email,
        "failed_generation_email": found.failed_generation_email,
        "weekly_usage_summary_email": False,
        "product_updates_email": False,
    }
