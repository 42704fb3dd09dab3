"""What the workers make of the moments of schedules."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.auth.memberships import memberships_of
from portal.auth.principals import Principal, PrincipalUser
from portal.database.engine import db
from portal.database.models import AuditEntry, Member, Run, Schedule, ScheduleTick, User, Workflow, Workspace
from portal.database.transactions import writing
from portal.engine.control.schedules.due import BROKEN, LEFT, ROLE_LOST, run_due
from portal.engine.control.schedules.writing import ScheduleSpec, remove_schedule, set_schedule
from portal.engine.control.starting import start
from portal.errors import FieldError, InvalidQuery, PaymentRequired
from portal.runs.recording import recorder
from portal.workflows.writing import delete_workflow, restore_workflow
from portal.workspaces.people import person_of
from tests.factories import NOON, make_member, make_schedule, make_user, make_workflow, make_workspace

A_MINUTE = timedelta(minutes=1)


class Starts:
    """A start of runs that asks for nothing but a free workflow, and remembers who asked."""

    def __init__(self) -> None:
        self.by: list[Principal] = []

    def __call__(
        self, principal: Principal, workflow_id: str, body: Mapping[str, object], now: datetime
    ) -> Run:
        self.by.append(principal)
        assert principal.workspace is not None
        with writing() as session:
            user = session.get_one(User, principal.user.id)
            person_id = person_of(session, principal.workspace.id, user)
        return recorder.start_run(UUID(workflow_id), now=now, person_id=person_id, by_engine=True)


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def ada(workspace: Workspace) -> User:
    ada = make_user(first_name="Ada")
    make_member(workspace, ada, "editor")
    return ada


@pytest.fixture
def workflow(workspace: Workspace) -> Workflow:
    return make_workflow(workspace)


def principal_of(user: User, workspace: Workspace) -> Principal:
    db.session.rollback()
    who = PrincipalUser(user.id, user.email, user.display_name)
    memberships = memberships_of(user.id)
    return Principal(kind="session", user=who, workspaces=memberships, chosen=workspace.id)


def history() -> list[tuple[datetime, bool, str | None]]:
    """Moment, whether there is a run, and reason of each tick, oldest first."""
    db.session.rollback()
    ticks = db.session.scalars(sa.select(ScheduleTick).order_by(ScheduleTick.moment))
    return [(tick.moment, tick.run_id is not None, tick.reason) for tick in ticks]


def the_schedule() -> Schedule:
    db.session.rollback()
    return db.session.scalars(sa.select(Schedule)).one()


def runs_count() -> int:
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count()).select_from(Run)) or 0


def test_a_moment_starts_a_run_of_the_person_who_set_the_schedule(
    workflow: Workflow, workspace: Workspace, ada: User
) -> None:
    make_schedule(workflow, ada.id)
    starts = Starts()
    assert run_due(NOON - A_MINUTE, starts) == 0
    assert run_due(NOON, starts) == 1
    assert run_due(NOON + A_MINUTE, starts) == 0
    [principal] = starts.by
    assert (principal.user.id, principal.workspace_ids, principal.chosen) == (
        ada.id,
        (workspace.id,),
        workspace.id,
    )
    assert principal.allows("workflows:run")
    assert history() == [(NOON, True, None)]
    assert the_schedule().next_at == NOON + timedelta(days=1)


@pytest.mark.slow
def test_eight_workers_at_once_start_one_run_a_moment(app: Flask, workspace: Workspace, ada: User) -> None:
    for number in range(3):
        make_schedule(make_workflow(workspace, f"Dub {number}"), ada.id)
    starts, together = Starts(), Barrier(8)

    def work(_: int) -> int:
        with app.app_context():
            together.wait()
            started = run_due(NOON, starts)
            db.session.remove()
            return started

    with ThreadPoolExecutor(8) as workers:
        assert sum(workers.map(work, range(8))) == 3
    assert runs_count() == len(starts.by) == 3
    assert history() == [(NOON, True, None)] * 3


def test_a_moment_that_has_a_tick_starts_nothing(workflow: Workflow, ada: User) -> None:
    schedule = make_schedule(workflow, ada.id)
    run_due(NOON, Starts())
    with writing() as session:
        session.execute(sa.update(Schedule).where(Schedule.id == schedule.id).values(next_at=NOON))
    assert run_due(NOON, Starts()) == 0
    assert runs_count() == 1


def test_an_occupied_workflow_is_left_out_with_the_reason(workflow: Workflow, ada: User) -> None:
    make_schedule(workflow, ada.id, cron="*/5 * * * *")
    starts = Starts()
    assert run_due(NOON, starts) == 1
    assert run_due(NOON + 5 * A_MINUTE, starts) == 0
    [_, (moment, has_run, reason)] = history()
    assert (moment, has_run) == (NOON + 5 * A_MINUTE, False)
    assert reason is not None
    assert reason == "Another run of this workflow is pending or running."
    assert the_schedule().enabled


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (PaymentRequired("The balance is 3 credits, this needs 5."), "The balance is 3 credits"),
        (InvalidQuery([FieldError("graph", "has no source.")]), "graph: has no source."),
        (InvalidQuery([FieldError("graph", "x" * 900)]), "graph: xxx"),
        (ZeroDivisionError(), BROKEN),
    ],
)
def test_a_refused_start_is_left_out_with_the_reason(
    workflow: Workflow, ada: User, refusal: Exception, said: str
) -> None:
    def refuse(*_: object) -> Run:
        raise refusal

    make_schedule(workflow, ada.id)
    assert run_due(NOON, refuse) == 0
    [(moment, has_run, reason)] = history()
    assert (moment, has_run) == (NOON, False)
    assert reason is not None
    assert reason.startswith(said)
    assert len(reason) <= 500
    assert the_schedule().next_at == NOON + timedelta(days=1)


def test_one_refused_start_does_not_hold_up_the_next(workspace: Workspace, ada: User) -> None:
    first, second = make_workflow(workspace), make_workflow(workspace)
    for workflow in (first, second):
        make_schedule(workflow, ada.id)
    starts = Starts()

    def start(principal: Principal, workflow_id: str, body: Mapping[str, object], now: datetime) -> Run:
        if workflow_id == str(first.id):
            raise ZeroDivisionError
        return starts(principal, workflow_id, body, now)

    assert run_due(NOON, start) == 1


@pytest.mark.parametrize(("late", "started"), [(timedelta(minutes=10), 1), (timedelta(minutes=10.1), 0)])
def test_a_moment_counts_for_ten_minutes(
    workflow: Workflow, ada: User, late: timedelta, started: int
) -> None:
    make_schedule(workflow, ada.id)
    assert run_due(NOON + late, Starts()) == started
    [(moment, has_run, reason)] = history()
    assert (moment, has_run) == (NOON, bool(started))
    assert (reason or "").startswith("" if started else "Missed: no worker was running.")


def test_of_many_missed_moments_only_the_last_counts_and_only_if_recent(
    workflow: Workflow, ada: User
) -> None:
    make_schedule(workflow, ada.id, cron="0 * * * *")
    assert run_due(NOON + timedelta(hours=3, minutes=2), Starts()) == 1
    [missed, ran] = history()
    assert missed[:2] == (NOON, False)
    assert missed[2] is not None
    assert missed[2].startswith("Missed, with 2 after it")
    assert ran == (NOON + timedelta(hours=3), True, None)
    assert run_due(NOON + timedelta(hours=9, minutes=30), Starts()) == 0
    assert history()[2][2] == ("Missed, with 5 after it: no worker was running. They are not caught up.")
    assert the_schedule().next_at == NOON + timedelta(hours=10)


def test_a_long_outage_of_a_frequent_schedule_is_one_line(workflow: Workflow, ada: User) -> None:
    make_schedule(workflow, ada.id, cron="* * * * *")
    assert run_due(NOON + timedelta(days=30), Starts()) == 1
    [missed, _] = history()
    assert "with more than 1,000 after it" in (missed[2] or "")


def test_a_schedule_stops_where_its_person_has_left(
    workflow: Workflow, workspace: Workspace, ada: User
) -> None:
    make_schedule(workflow, ada.id)
    with writing() as session:
        session.execute(sa.delete(Member).where(Member.user_id == ada.id))
    _assert_stopped(LEFT)


def test_a_schedule_stops_where_its_person_is_no_more(workflow: Workflow, ada: User) -> None:
    make_schedule(workflow, UUID(int=7))
    _assert_stopped(LEFT)


def test_a_schedule_stops_where_its_person_has_lost_the_role(workflow: Workflow, ada: User) -> None:
    make_schedule(workflow, ada.id)
    with writing() as session:
        session.execute(sa.update(Member).where(Member.user_id == ada.id).values(role="viewer"))
    _assert_stopped(ROLE_LOST)


def _assert_stopped(reason: str) -> None:
    starts = Starts()
    assert run_due(NOON, starts) == 0
    assert run_due(NOON + timedelta(days=1), starts) == 0
    assert starts.by == []
    assert history() == [(NOON, False, reason)]
    schedule = the_schedule()
    assert (schedule.enabled, schedule.next_at, schedule.stopped_reason) == (False, None, reason)
    entry = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.kind == "schedule.stopped")).one()
    assert (entry.actor, entry.details["reason"]) == ("portal", reason)


def test_whoever_saves_a_stopped_schedule_has_its_runs(
    workflow: Workflow, workspace: Workspace, ada: User
) -> None:
    make_schedule(workflow, UUID(int=7))
    run_due(NOON, Starts())
    spec = ScheduleSpec.parse({"cron": "0 12 * * *", "zone": "UTC", "enabled": "on"}, NOON)
    set_schedule(principal_of(ada, workspace), workflow.id, spec, NOON)
    assert the_schedule().stopped_reason is None
    starts = Starts()
    assert run_due(NOON + timedelta(days=1), starts) == 1
    assert [principal.user.id for principal in starts.by] == [ada.id]


def test_the_schedule_of_a_deleted_workflow_does_not_fire_and_is_not_caught_up_when_restored(
    workflow: Workflow, workspace: Workspace, ada: User
) -> None:
    make_schedule(workflow, ada.id)
    starts = Starts()
    delete_workflow(principal_of(ada, workspace), workflow.id, NOON - A_MINUTE)
    assert run_due(NOON, starts) == 0
    restore_workflow(workflow.id, NOON + A_MINUTE)
    assert run_due(NOON + 2 * A_MINUTE, starts) == 0
    assert history() == []
    assert run_due(NOON + timedelta(days=1), starts) == 1


def test_the_schedules_of_a_deleted_workspace_do_not_fire(
    workflow: Workflow, workspace: Workspace, ada: User
) -> None:
    make_schedule(workflow, ada.id)
    with writing() as session:
        session.execute(sa.update(Workspace).values(deleted_at=NOON))
    assert run_due(NOON, Starts()) == 0
    assert history() == []


def test_one_that_is_off_does_not_fire(workflow: Workflow, ada: User) -> None:
    make_schedule(workflow, ada.id, enabled=False)
    assert run_due(NOON, Starts()) == 0


def test_moments_follow_the_zone_of_the_schedule(workflow: Workflow, workspace: Workspace, ada: User) -> None:
    spec = ScheduleSpec.parse({"cron": "0 6 * * *", "zone": "Asia/Tokyo", "enabled": "on"}, NOON)
    set_schedule(principal_of(ada, workspace), workflow.id, spec, NOON)
    assert the_schedule().next_at == NOON.replace(hour=21)


def test_saving_the_same_again_keeps_the_next_moment_and_another_expression_drops_it(
    workflow: Workflow, workspace: Workspace, ada: User
) -> None:
    make_schedule(workflow, ada.id)
    who, later = principal_of(ada, workspace), NOON + A_MINUTE
    same = ScheduleSpec.parse({"cron": "0 12 * * *", "zone": "UTC", "enabled": "on"}, later)
    set_schedule(who, workflow.id, same, later)
    assert the_schedule().next_at == NOON
    other = ScheduleSpec.parse({"cron": "30 12 * * *", "zone": "UTC", "enabled": "on"}, later)
    set_schedule(who, workflow.id, other, later)
    assert the_schedule().next_at == NOON.replace(minute=30)


def test_the_history_is_kept_for_ninety_days(workflow: Workflow, ada: User) -> None:
    schedule = make_schedule(workflow, ada.id)
    with writing() as session:
        for days in (89, 91):
            moment = NOON - timedelta(days=days)
            session.add(ScheduleTick(schedule_id=schedule.id, moment=moment, claimed_at=moment))
    run_due(NOON, Starts())
    assert [moment for moment, _, _ in history()] == [NOON - timedelta(days=89), NOON]


def test_a_removed_schedule_takes_its_history_along_and_leaves_its_runs(
    workflow: Workflow, workspace: Workspace, ada: User
) -> None:
    make_schedule(workflow, ada.id)
    run_due(NOON, Starts())
    remove_schedule(principal_of(ada, workspace), workflow.id, NOON)
    assert history() == []
    assert runs_count() == 1


def test_a_schedule_that_is_removed_while_its_run_starts_leaves_the_run(
    workflow: Workflow, workspace: Workspace, ada: User
) -> None:
    make_schedule(workflow, ada.id)
    starts, who = Starts(), principal_of(ada, workspace)

    def start(principal: Principal, workflow_id: str, body: Mapping[str, object], now: datetime) -> Run:
        remove_schedule(who, workflow.id, NOON)
        return starts(principal, workflow_id, body, now)

    assert run_due(NOON, start) == 1
    assert history() == []


def test_a_definition_that_cannot_run_is_left_out_as_start_run_refuses_it(
    workflow: Workflow, ada: User
) -> None:
    make_schedule(workflow, ada.id)
    assert run_due(NOON, start) == 0
    with pytest.raises(InvalidQuery) as refusal:
        start(principal_of(ada, db.session.get_one(Workspace, workflow.workspace_id)), workflow.id, {}, NOON)
    assert history() == [(NOON, False, refusal.value.message)]
