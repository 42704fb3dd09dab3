"""The filters by what history says of a run, as the page, its links and the documentation have them."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from portal.runs.filters.registry import repeating
from portal.runs.query import RunQuery
from tests.factories import make_key, make_runs, make_workflow
from tests.pages.conftest import Browser, browser, numbers, one, parsed, text_of

__all__ = ["browser"]

LABELS = "label=env%3Dprod&label=tier%3D1"


@pytest.fixture(autouse=True)
def runs(browser: Browser) -> None:
    labels = ({"env": "prod", "tier": 1}, {"env": "prod"}, {"env": "test", "tier": 1})
    rows = [{"run_number": number, "source": {"labels": each}} for number, each in enumerate(labels, 1)]
    rows[0] |= {"trigger": "schedule", "branch": "main", "source_system": "github:acme/web"}
    rows[0] |= {"steps": [{"node_id": "build", "name": "Build it", "status": "failed"}]}
    make_runs(browser.workflow, rows)


def test_the_form_folds_them_away_until_one_is_in_use(browser: Browser) -> None:
    assert "open" not in one(parsed(browser.runs()), "#more-filters").attrs
    for query in ("trigger=schedule", "branch=main", LABELS, "step_failed=build", "source=x", "label=wrong"):
        assert "open" in one(parsed(browser.runs(query)), "#more-filters").attrs, query


def test_fields_have_what_is_asked_for_and_room_for_one_label_more(browser: Browser) -> None:
    page = parsed(browser.runs(f"{LABELS}&trigger=schedule,unknown&branch=main&step_failed=&source="))
    assert [field["value"] for field in page.select("input[name=label]")] == ["env=prod", "tier=1", ""]
    assert text_of(one(page, "#trigger option[selected]")) == "Schedule or Unknown"
    assert one(page, "#branch")["value"] == "main"
    refused = parsed(browser.runs("label=env%3Dprod&label=prod"))
    assert [field["value"] for field in refused.select("input[name=label]")] == ["env=prod", "prod", ""]
    assert "such as env=prod" in one(refused, "#label-error").text


def test_each_label_has_a_chip_whose_link_keeps_the_others(browser: Browser) -> None:
    page = browser.runs(f"{LABELS}&label=&branch=main&status=failed")
    assert numbers(page) == []
    chips = {text_of(chip): chip for chip in parsed(page).select(".facets .chip")}
    [first] = [chip for text, chip in chips.items() if "env=prod" in text]
    assert parse_qsl(urlsplit(str(first["href"])).query) == [
        ("status", "failed"), ("branch", "main"), ("label", "tier=1"),
    ]  # fmt: skip
    assert len(chips) == 4


def test_every_link_of_a_list_repeats_the_labels(browser: Browser) -> None:
    page = parsed(browser.runs(f"label=env%3Dprod&label=env%3Dprod&{LABELS}&limit=1"))
    links = [one(page, "#runs tbody a.run")["href"], one(page, "#sort-status")["href"]]
    links += [one(page, "#runs-poll")["hx-get"], one(page, ".api-call pre code").text.split()[-1].strip("'")]
    for link in map(str, links):
        labels = [value for name, value in parse_qsl(urlsplit(link).query) if name == "label"]
        assert labels == ["env=prod", "tier=1"], link
    run = parsed(browser.open(str(links[0])))
    back = parse_qsl(urlsplit(str(one(run, "#back")["href"])).query)
    assert [value for name, value in back if name == "label"] == ["env=prod", "tier=1"]


def test_the_fragment_sends_browsers_without_script_to_the_same_labels(browser: Browser) -> None:
    answer = browser.open(f"{browser.list_path}/table?{LABELS}")
    assert (answer.status_code, urlsplit(answer.location).query) == (303, LABELS)


def test_the_api_repeats_the_labels_in_its_links(browser: Browser) -> None:
    key = make_key(browser.workspace, browser.user)
    client = browser.client.application.test_client()
    path = f"/api/v1{browser.list_path}?label=env%3Dprod&limit=1"
    answer = client.get(path, headers={"Authorization": f"Bearer {key}"}).get_json()
    assert answer["pagination"]["total"] == 2
    assert "label=env%3Dprod" in answer["pagination"]["next"]
    refused = client.get(f"/api/v1{browser.list_path}?label=", headers={"Authorization": f"Bearer {key}"})
    assert refused.status_code == 422


def test_of_other_parameters_that_repeat_the_last_counts(browser: Browser) -> None:
    assert numbers(browser.runs("branch=other&branch=main")) == ["#1"]
    assert numbers(browser.runs("branch=main&branch=other")) == []


def test_a_query_with_labels_reads_back_as_the_same_query(browser: Browser) -> None:
    asked = {"label": ["b=2", "a=1", "b=2"], "trigger": "unknown,person", "step_failed": "x"}
    query = RunQuery.parse(asked, workflow_id=str(browser.workflow.id))
    for written in (query.to_args(), query.to_api_args()):
        again = RunQuery.parse(written, workflow_id=str(browser.workflow.id))
        assert again.others == query.others
    assert query.to_args()["label"] == ["b=2", "a=1"]
    assert repeating() == {"label"}


def test_the_documentation_says_that_a_label_repeats(browser: Browser) -> None:
    document = browser.client.application.test_client().get("/openapi.json").get_json()
    listing = document["paths"]["/api/v1/workflows/{workflow_id}/runs"]["get"]
    found = {each["name"]: each for each in listing["parameters"] if "name" in each}
    assert found["label"]["schema"]["type"] == "array"
    assert "explode" not in found["label"]
    assert found["trigger"]["explode"] is False
    assert {"source", "branch", "step_failed"} <= found.keys()


def test_a_list_over_the_workspace_takes_them_too(browser: Browser) -> None:
    other = make_workflow(browser.workspace, "Other")
    make_runs(other, [{"run_number": 7, "source": {"labels": {"env": "prod"}, "title": "Nightly 123"}}])
    headers = {"Authorization": f"Bearer {make_key(browser.workspace, browser.user)}"}
    client = browser.client.application.test_client()

    def listed(query: str) -> list[int]:
        answer = client.get(f"/api/v1/runs?sort=status&{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return sorted(row["run_number"] for row in answer.get_json()["data"])

    assert listed("label=env%3Dprod") == [1, 2, 7]
    assert listed(f"label=env%3Dprod&workflow={other.id}") == [7]
    assert listed("step_failed=build") == listed("trigger=schedule") == listed("branch=main") == [1]
    assert listed("text=nightly") == listed("text=123") == [7]
    assert listed("text=%23007&within=3660d") == [7]
    page = browser.open("/runs?label=env%3Dprod&text=nightly&within=3660d")
    assert numbers(page) == ["#7"]
