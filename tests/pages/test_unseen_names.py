"""What cannot be seen has something to see, and to click on."""

from pathlib import Path

import pytest

from portal import moments
from portal.history.importer import import_files
from portal.web.formats import is_visible
from tests.factories import (
    make_detail,
    make_member,
    make_person,
    make_run,
    make_steps,
    make_workflow,
    make_workspace,
)
from tests.pages.conftest import Browser, parsed

UNSEEN = " \u200b\u202e\u3164"


def links_to_nothing(browser: Browser, path: str) -> list[str]:
    """The links, buttons and headings of a page that show nothing."""
    answer = browser.open(path)
    assert answer.status_code == 200, path
    found = parsed(answer).select(
        "main a[href], main button, main h1, main h2, .topbar a[href], .topbar summary"
    )
    silent = [each for each in found if not is_visible(each.get_text()) and not each.find("title")]
    return [str(each)[:200] for each in silent if not is_visible(str(each.get("aria-label", "")))]


def test_workflows_whose_names_cannot_be_seen_are_links_and_found_by_their_ids(
    browser: Browser, history: Path
) -> None:
    file = history / "cases" / "unseen-names.jsonl"
    assert import_files(browser.workspace.id, [file], now=moments.now()).ok
    page = parsed(browser.open("/"))
    names = sorted(link.text for link in page.select("#workflows th a.run"))
    assert names == ["Nightly dub", "Unnamed d2000000", "Unnamed d7000000", "Unnamed d8000000"]
    for name in names[1:]:
        digits = name.removeprefix("Unnamed ")
        found = browser.open(f"/find?q={digits}")
        assert found.status_code == 303
        assert found.headers["Location"].startswith(f"/workflows/{digits}-")
        assert links_to_nothing(browser, found.headers["Location"]) == []


@pytest.mark.parametrize("page", ["list", "run", "compare", "summary", "workspaces", "find"])
@pytest.mark.slow
def test_no_link_and_no_heading_shows_nothing(browser: Browser, page: str) -> None:
    workflow = make_workflow(browser.workspace, UNSEEN)
    person = make_person(browser.workspace, UNSEEN)
    make_member(make_workspace("unseen", UNSEEN), browser.user)
    runs = [make_run(workflow, person, run_number=7, status=status) for status in ("failed", "completed")]
    for run in runs:
        make_detail(run, source={"title": UNSEEN, "labels": {UNSEEN: UNSEEN, "branch": UNSEEN}})
        make_steps(run, *({"name": UNSEEN, "node_type": str(n % 3), "status": "failed"} for n in range(45)))
    runs_path = f"/workflows/{workflow.id}/runs"
    path = {
        "list": runs_path,
        "run": f"{runs_path}/{runs[0].id}",
        "compare": f"{runs_path}/{runs[0].id}/compare",
        "summary": f"/workflows/{workflow.id}/summary?days=all",
        "workspaces": "/settings/workspaces",
        "find": "/find?q=7",
    }[page]
    assert links_to_nothing(browser, path) == []
    assert f"Unnamed {str(workflow.id)[:8]}" in browser.open(path).text or page == "workspaces"
