"""What a pass copies, how little it asks, and what it notices."""

from datetime import datetime
from uuid import UUID

import pytest

from portal.history.sync import mirrors
from portal.moments import format_moment
from tests.factories import NOON, make_workflow, make_workspace
from tests.history.lines import WORKFLOW, an_id, run_line, workflow_line
from tests.history.sync.conftest import Adding, Mirroring, Portal, run

OTHER = an_id("other workflow")


@pytest.mark.slow
def test_everything_is_copied_as_the_api_shows_it(mirror: Mirroring, here: Portal, there: Portal) -> None:
    person = {"id": an_id("ada"), "name": "Ada Lovelace"}
    there.take(
        workflow_line(description="Dubs", definition={"graph": {"nodes": [], "edges": []}}),
        workflow_line(id=OTHER, name="Empty"),
        *(
            run(number, triggered_by=person, credits=number, usage_summary={"calls": 3})
            for number in range(1, 230)
        ),
        run(230, "failed", error="It broke.", output_line_count=7),
        run(231, "running"),
    )
    summary = mirror()
    assert (summary.workflows, summary.new, summary.updated, summary.refused.total()) == (2, 231, 0, 0)
    assert here.runs() == there.runs()
    ours, theirs = here.workflows(), there.workflows()
    for workflow_id, workflow in theirs.items():
        for name in ("id", "name", "description", "runs_count", "run_status_counts", "last_run_at"):
            assert ours[workflow_id][name] == workflow[name]
    definition = here.ask(f"/workflows/{WORKFLOW}")["data"]["definition"]
    assert definition == there.ask(f"/workflows/{WORKFLOW}")["data"]["definition"]


@pytest.mark.slow
def test_where_nothing_has_changed_one_request_is_enough(mirror: Mirroring, there: Portal) -> None:
    there.take(workflow_line(), run(1), run(2))
    mirror()
    summary = mirror()
    assert (summary.requests, summary.new, summary.updated) == (1, 0, 0)


@pytest.mark.slow
def test_new_runs_are_found_from_the_top(mirror: Mirroring, here: Portal, there: Portal) -> None:
    there.take(workflow_line(), *map(run, range(1, 250)))
    mirror()
    there.take(*map(run, range(250, 371)))
    summary = mirror()
    assert (summary.new, summary.updated) == (121, 0)
    assert summary.requests <= 6
    assert here.runs() == there.runs()


@pytest.mark.slow
def test_runs_that_were_deleted_there_are_marked_and_stay(
    mirror: Mirroring, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), *map(run, range(1, 121)))
    mirror()
    before = here.runs()
    gone = {an_id(f"run {number}") for number in (3, 50, 51, 117)}
    there.delete(*gone)
    there.take(run(121), run(122))
    summary = mirror()
    assert (summary.new, summary.gone, summary.deleted) == (2, 4, 0)
    assert here.runs().keys() == before.keys() | there.runs().keys()
    assert {run_id for run_id, row in here.rows().items() if row.gone_at} == gone
    assert mirror().requests == 1


@pytest.mark.slow
def test_what_is_gone_and_comes_back_is_there_again(mirror: Mirroring, here: Portal, there: Portal) -> None:
    there.take(workflow_line(), run(1), run(2), run(3))
    mirror()
    there.delete(an_id("run 2"))
    assert mirror().gone == 1
    there.take(run(2))
    summary = mirror()
    assert (summary.new, summary.returned, summary.gone) == (0, 1, 0)
    assert here.runs() == there.runs()
    assert not any(row.gone_at for row in here.rows().values())


@pytest.mark.slow
def test_runs_are_deleted_on_request_once_two_passes_have_missed_them(
    mirror: Mirroring, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), run(1), run(2), run(3))
    mirror()
    there.delete(an_id("run 2"))
    assert (mirror(delete=True).deleted, len(here.runs())) == (0, 3)
    assert (mirror(delete=True).deleted, here.runs()) == (1, there.runs())
    there.take(run(2))
    assert mirror().new == 1


@pytest.mark.slow
def test_history_that_is_added_in_the_middle_is_found_by_its_count(
    mirror: Mirroring, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), *map(run, range(1, 101)), *map(run, range(200, 310)))
    mirror()
    there.take(*map(run, range(150, 160)))
    assert mirror().new == 10
    assert here.runs() == there.runs()


@pytest.mark.slow
def test_a_run_that_was_active_is_asked_for_again(mirror: Mirroring, here: Portal, there: Portal) -> None:
    there.take(workflow_line(), run(1, "running", finished_steps=1, total_steps=9), run(2, "pending"), run(3))
    mirror()
    there.take(run(1, "failed", finished_steps=5, total_steps=9, error="It broke.", output_line_count=4))
    there.take(run(2, "running", finished_steps=0, total_steps=3))
    assert mirror().updated >= 2
    assert here.runs() == there.runs()
    assert here.ask(f"/workflows/{WORKFLOW}/runs/{an_id('run 1')}")["data"]["error"] == "It broke."


@pytest.mark.slow
def test_a_run_that_has_just_ended_is_looked_at_until_it_has_settled(
    mirror: Mirroring, here: Portal, there: Portal
) -> None:
    """Counts and costs are added up after the last step."""
    now = datetime.now(NOON.tzinfo).replace(microsecond=0)
    ended = {"created_at": format_moment(now), "started_at": None, "completed_at": format_moment(now)}
    there.take(workflow_line(), run(1), run(2, **ended))
    mirror()
    there.take(run(2, **ended, credits=12, output_line_count=3))
    mirror()
    assert here.runs() == there.runs()
    assert [run_id for run_id, row in here.rows().items() if row.unsettled] == [an_id("run 2")]


@pytest.mark.slow
def test_a_workflow_that_was_deleted_there_is_gone_with_its_runs(
    mirror: Mirroring, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), run(1), run(2))
    mirror()
    there.delete_workflow()
    summary = mirror()
    assert (summary.workflows, summary.gone) == (0, 2)
    assert len(here.runs()) == 2
    assert mirror().requests == 1


@pytest.mark.slow
def test_a_changed_name_is_copied(mirror: Mirroring, here: Portal, there: Portal) -> None:
    there.take(workflow_line(), run(1))
    mirror()
    there.take(workflow_line(name="Daily dub", description="Dubs"))
    mirror()
    workflow = here.workflows()[WORKFLOW]
    assert (workflow["name"], workflow["description"]) == ("Daily dub", "Dubs")


@pytest.mark.slow
def test_a_run_with_the_id_of_another_one_is_refused_and_reported(
    mirror: Mirroring, here: Portal, there: Portal
) -> None:
    here.take(workflow_line(id=OTHER, name="Ours"), run_line("run 1", workflow_id=OTHER, run_number=1))
    ours = here.runs()
    there.take(workflow_line(), run(1), run(2))
    summary = mirror()
    assert summary.refused == {"A run of another workflow here has its id.": 1}
    assert here.runs() == ours | {an_id("run 2"): there.runs()[an_id("run 2")]}
    assert mirror().requests == 1


@pytest.mark.slow
def test_a_workflow_with_the_id_of_another_workspaces_is_refused_and_reported(
    mirror: Mirroring, here: Portal, there: Portal
) -> None:
    with here.app.app_context():
        make_workflow(make_workspace("third"), id=UUID(WORKFLOW))
    there.take(workflow_line(), run(1))
    summary = mirror()
    assert summary.refused == {"Another workspace here has a workflow with its id.": 1}
    assert here.runs() == {}


@pytest.mark.slow
def test_a_mirror_that_was_removed_and_added_again_goes_on_with_what_it_had(
    mirror: Mirroring, adding: Adding, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), run(1), run(2, "running"))
    mirror()
    with here.app.app_context():
        mirrors.remove_mirror(mirror.row.name, NOON)
    there.take(run(2))
    summary = adding()()
    assert (summary.new, summary.refused.total()) == (0, 0)
    assert here.runs() == there.runs()


@pytest.mark.slow
def test_a_full_pass_notices_what_no_count_shows(mirror: Mirroring, here: Portal, there: Portal) -> None:
    there.take(workflow_line(), run(2), run(3), run(4))
    mirror()
    there.delete(an_id("run 2"))
    there.take(run(1))
    assert (mirror().new, mirror(full=True).new) == (0, 1)
    assert {run_id for run_id, row in here.rows().items() if row.gone_at} == {an_id("run 2")}


@pytest.mark.slow
def test_a_workflow_that_was_edited_here_keeps_its_name_and_gets_runs(
    mirror: Mirroring, here: Portal, there: Portal
) -> None:
    there.take(workflow_line(), run(1))
    mirror()
    definition = {"graph": {"nodes": [], "edges": []}, "execution": {"steps": [], "params": {"a": 1}}}
    here.edit_workflow(name="Ours", definition=definition)
    there.take(workflow_line(name="Theirs"), run(2))
    summary = mirror()
    assert summary.refused == {"id: is the id of a workflow that was made or edited here.": 1}
    assert here.workflows()[WORKFLOW]["name"] == "Ours"
    assert here.runs() == there.runs()
