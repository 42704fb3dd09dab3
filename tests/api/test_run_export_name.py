"""The file name of an export fits into a header, whatever the workflow is called."""

import pytest

from tests.api.conftest import Api
from tests.factories import make_run, make_workflow


@pytest.mark.parametrize("name", ["Nightly", "Őszi kör", "夜間", 'a"b\\c;d'])
def test_an_export_is_named_in_a_header_that_servers_can_send(api: Api, name: str) -> None:
    workflow = make_workflow(api.workspace, name=name)
    make_run(workflow)
    answer = api.get(f"/workflows/{workflow.id}/runs/export?format=csv")
    assert answer.status_code == 200
    disposition = answer.headers["Content-Disposition"]
    assert disposition.isascii()
    assert disposition.startswith("attachment; filename")
    assert disposition.count('"') in (0, 2)
