"""How a mirror treats a source that misbehaves, asks for patience, or is not the one that was meant."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portal import moments
from portal.errors import InvalidQuery
from portal.history.sync import http_client, mirrors
from tests.factories import make_key, make_member, make_user, make_workspace
from tests.history.lines import workflow_line
from tests.history.sync.bad_network import BadNetwork
from tests.history.sync.conftest import Mirroring, Portal, run, unhurried

pytestmark = pytest.mark.usefixtures("impatient")


def always(network: BadNetwork, fault: str, **headers: str) -> None:
    network.share, network.faults = 1.0, (fault,)
    network.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("redirect", "redirects to 'https://elsewhere.example/api', which is not followed"),
        ("garbage", "answers 200"),
        ("500", "answers 500 BUSY: Later."),
        ("drop", "cannot be reached"),
    ],
)
@pytest.mark.slow
def test_a_source_that_fails_is_reported_and_what_is_here_stays(
    far_mirror: Mirroring, network: BadNetwork, here: Portal, there: Portal, fault: str, said: str
) -> None:
    there.take(workflow_line(), run(1))
    far_mirror()
    always(network, fault)
    summary = far_mirror.attempt()
    assert said in (summary.error or "")
    assert len(here.runs()) == 1
    view = here.mirror()
    assert (view.last_error, view.gone, view.under_way) == (summary.error, 0, False)
    network.share = 0
    far_mirror()
    assert here.mirror().last_error is None


@pytest.mark.slow
def test_a_source_that_asks_for_a_long_wait_gets_it(
    far_mirror: Mirroring, network: BadNetwork, here: Portal
) -> None:
    always(network, "429", Retry_After="7200")
    network.paths.clear()
    summary = far_mirror.attempt()
    assert "asks to wait 7200 s" in (summary.error or "")
    assert len(network.paths) == 1
    assert here.mirror().next_pass_at > moments.now() + timedelta(minutes=110)


@pytest.mark.slow
def test_a_source_that_asks_for_a_short_wait_gets_it_within_the_pass(
    far_mirror: Mirroring, network: BadNetwork, there: Portal
) -> None:
    there.take(workflow_line(), run(1))
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        network.share = 0

    def patient(base_url: str, key: str, workspace_id: Any) -> Any:
        source = unhurried(base_url, key, workspace_id)
        source._sleep = wait
        return source

    always(network, "429", Retry_After="17")
    assert far_mirror(open_source=patient).new == 1
    assert waited == [17]


@pytest.mark.slow
def test_a_key_of_another_workspace_is_refused_there_before_anything_seems_gone(
    far_mirror: Mirroring, here: Portal, there: Portal, tmp_path: Path
) -> None:
    there.take(workflow_line(), run(1))
    far_mirror()
    with there.app.app_context():
        workspace, user = make_workspace("third"), make_user("grace@third.example")
        make_member(workspace, user)
        Path(far_mirror.row.key_file).write_text(make_key(workspace, user))
    summary = far_mirror.attempt()
    assert "answers 403" in (summary.error or "")
    assert not any(row.gone_at for row in here.rows().values())


@pytest.mark.parametrize("content", [None, b"", b"two keys\n", b"\xff\xfe", b"x" * 2000])
@pytest.mark.slow
def test_a_key_file_that_holds_no_key_is_reported(
    far_mirror: Mirroring, network: BadNetwork, content: bytes | None
) -> None:
    file = Path(far_mirror.row.key_file)
    file.unlink() if content is None else file.write_bytes(content)
    network.paths.clear()
    assert (far_mirror.attempt().error or "").startswith("The key file ")
    assert network.paths == []


@pytest.mark.slow
def test_an_answer_that_is_too_long_is_not_read(
    far_mirror: Mirroring, there: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.take(workflow_line(), run(1))
    monkeypatch.setattr(http_client, "MAX_ANSWER", 100)
    assert "longer than 100 bytes" in (far_mirror.attempt().error or "")


@pytest.mark.parametrize(
    "url",
    ["http://runs.example.com", "ftp://127.0.0.1", "runs.example.com", "https://a@b.example", "https://x?y"],
)
def test_only_https_is_copied_from_unless_it_is_this_machine(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidQuery) as refused:
        mirrors.MirrorSpec.parse(url, tmp_path / "none", -1, "no blanks please")
    assert {error.field for error in refused.value.errors} >= {"url", "key-file", "details"}


@pytest.mark.parametrize("url", ["https://Runs.example.com/team/", "https://runs.example.com/team/api/v1"])
def test_an_address_is_normalised(url: str) -> None:
    assert mirrors.check_address(url) == "https://runs.example.com/team"
