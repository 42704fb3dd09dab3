"""Downloads: signed links, archives, ranges (contract 3.12)."""

import http.client
import io
import os
import shutil
import urllib.request
import zipfile
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import moments
from portal.database.models import Run, Workflow, Workspace
from portal.database.transactions import writing
from portal.speech.audio import encode
from portal.storage import object_key
from portal.storage.signed_links import Grant, sign
from portal.web.logs import redact
from tests.api.conftest import Api
from tests.factories import make_artifact, make_detail, make_output, make_run, make_upload, make_workspace
from tests.s3 import new_store
from tests.serving import served

GRAPH = {"graph": {"nodes": [{"id": "out/1", "type": "sink_preview"}, {"id": "in", "type": "source_script"}]}}
SOUND = b"RIFF" + bytes(range(256)) * 4


@pytest.fixture
def run(api: Api, workflow: Workflow) -> Run:
    run = make_run(workflow, run_number=7)
    make_detail(run, definition_snapshot=GRAPH)
    evil = {"locale_code": "../..", "audio": b"evil", "name": "../../etc/passwd"}
    takes = [{"locale_code": "de-DE", "audio": SOUND, "name": "one.wav"}, evil]
    rest = [{"locale_code": "de-DE", "status": "not_delivered", "audio": b"no"}]
    make_output(run, api.workspace, {"takes": takes + rest})
    make_artifact(api.workspace, run, "log.txt", b"all well", content_type="text/plain")
    return run


@pytest.fixture
def fetch(client: FlaskClient) -> Callable[..., TestResponse]:
    """A plain GET of an absolute address, without any key, as clients do."""

    def fetch(url: str, **headers: str) -> TestResponse:
        parts = urlsplit(url)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(f"{parts.path}?{parts.query}", headers=named)

    return fetch


def link(api: Api, run: Run, what: str) -> dict[str, Any]:
    answer = api.get(f"/workflows/{run.workflow_id}/runs/{run.id}/{what}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()["data"]


def test_a_run_downloads_as_one_archive_without_a_key(
    api: Api, run: Run, fetch: Callable[..., TestResponse]
) -> None:
    before = moments.now()
    found = link(api, run, "download")
    after = moments.now()
    assert set(found) == {"url", "filename", "expires_at"}
    assert found["filename"] == "Nightly-dub-run-7.zip"
    made = moments.parse_moment(found["expires_at"]) - timedelta(minutes=15)
    a_second = timedelta(seconds=1)  # expiry is in whole seconds
    assert before - a_second <= made <= after + a_second
    answer = fetch(found["url"])
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    assert archive.namelist() == ["_/0001-.._.._etc_passwd", "de-DE/0001-one.wav", "files/run/log.txt"]
    assert archive.read("de-DE/0001-one.wav") == SOUND
    assert fetch(found["url"]).data == answer.data


def test_a_node_downloads_what_reached_it(api: Api, run: Run, fetch: Callable[..., TestResponse]) -> None:
    answer = fetch(link(api, run, "nodes/out%2F1/download")["url"])
    names = zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    assert names == ["_/0001-.._.._etc_passwd", "de-DE/0001-one.wav"]


@pytest.mark.parametrize(
    ("by_engine", "names"),
    [
        (True, ["de-DE/0001-one.mp3", "de-DE/0001-two.wav", "de-DE/0001-three.mp3"]),
        (False, ["de-DE/0001-one.flac", "de-DE/0001-two.flac", "de-DE/0001-three.flac"]),
    ],
)
def test_takes_of_the_engine_are_exported_in_the_format_of_their_output(
    api: Api, workflow: Workflow, fetch: Callable[..., TestResponse], by_engine: bool, names: list[str]
) -> None:
    """Imported takes are not converted."""
    wave = np.sin(np.arange(24_000) / 20, dtype=np.float32) / 2
    stored = io.BytesIO()
    encode(wave, 24_000, "flac", stored)
    flac = {"locale_code": "de-DE", "audio": stored.getvalue(), "content_type": "audio/flac"}
    run = make_run(workflow)
    with writing() as session:
        session.execute(sa.update(Run).where(Run.id == run.id).values(by_engine=by_engine))
    outputs = [("mp3", {"format": "mp3"}), ("wav", {})]
    nodes = [{"id": name, "type": "sink_preview", "config": config} for name, config in outputs]
    make_detail(run, definition_snapshot={"graph": {"nodes": nodes}})
    takes = [("one", "mp3"), ("two", "wav"), ("three", None)]
    make_output(
        run,
        api.workspace,
        {"takes": [flac | {"name": f"{name}.flac", "output_node_id": node} for name, node in takes]},
    )
    answer = fetch(link(api, run, "download")["url"])
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.namelist() == names
    for name in names:
        with archive.open(name) as file, soundfile.SoundFile(io.BytesIO(file.read())) as sound:
            assert sound.format == name.rpartition(".")[2].upper()
            heard = sound.read(dtype="float32")
        assert len(heard) / 24_000 == pytest.approx(1, abs=0.1)
        assert np.abs(heard).max() == pytest.approx(0.5, abs=0.05)
    assert fetch(link(api, run, "download")["url"]).data == answer.data


def test_audio_is_played_whole_or_in_parts(api: Api, run: Run, fetch: Callable[..., TestResponse]) -> None:
    found = link(api, run, "audio/0000000000000000/url")
    assert found["filename"] == "one.wav"
    whole = fetch(found["url"])
    assert (whole.status_code, whole.content_type, whole.data) == (200, "audio/wav", SOUND)
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = fetch(found["url"], Range="bytes=4-7")
    assert (part.status_code, part.data) == (206, SOUND[4:8])
    assert part.headers["Content-Range"] == f"bytes 4-7/{len(SOUND)}"
    assert fetch(found["url"], Range="bytes=-3").data == SOUND[-3:]
    assert fetch(found["url"], Range="bytes=5000-").status_code == 416
    assert fetch(found["url"], Range="lines=1-2").status_code == 200
    other = fetch(found["url"], Range="bytes=4-7", If_Range='"another"')
    assert (other.status_code, other.data) == (200, SOUND)
    same = fetch(found["url"], Range="bytes=4-7", If_Range=whole.headers["ETag"])
    assert same.status_code == 206


@pytest.mark.parametrize("status", ["pending", "running", "paused", "failed", "cancelled"])
def test_only_a_completed_run_is_downloaded(api: Api, workflow: Workflow, status: str) -> None:
    run = make_run(workflow, status=status)
    make_detail(run, definition_snapshot=GRAPH)
    make_output(run, api.workspace, {"takes": [{"audio": SOUND}]})
    for what in ("download", "nodes/out%2F1/download", "audio/0000000000000000/url"):
        answer = api.get(f"/workflows/{workflow.id}/runs/{run.id}/{what}")
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "CONFLICT")


def test_what_is_not_there_is_not_found(api: Api, workflow: Workflow, run: Run) -> None:
    empty = make_run(workflow)
    paths = [f"{empty.id}/download", f"{run.id}/nodes/in/download", f"{run.id}/nodes/none/download"]
    paths += [f"{run.id}/audio/ffffffffffffffff/url", f"{empty.id}/audio/0000000000000000/url"]
    for path in paths:
        assert api.get(f"/workflows/{workflow.id}/runs/{path}").status_code == 404, path


def test_has_export_says_whether_there_is_something_to_download(
    api: Api, workflow: Workflow, run: Run
) -> None:
    for some, expected in ((run, True), (make_run(workflow), False)):
        data = api.get(f"/workflows/{workflow.id}/runs/{some.id}/status").get_json()["data"]
        assert data["has_export"] is expected


def test_a_link_opens_nothing_but_what_it_was_made_for(
    api: Api, run: Run, fetch: Callable[..., TestResponse]
) -> None:
    url = link(api, run, "download")["url"]
    assert fetch(url).status_code == 200
    workspace, other = str(api.workspace.id), str(make_workspace("other", "Other").id)
    forged = [
        url.replace("/run/", "/node/"),
        url.replace("/run/", "/upload/"),
        url.replace(workspace, other),
        url.replace(str(run.id), str(make_run_id(run))),
        url.replace("expires=", "expires=9"),
        url + "&part=out",
        url + "A",
        url + "!",
        url[:-1],
        url + "=",
        url.split("&signature")[0],
        url.split("&signature")[0] + "&signature=",
        url.replace("signature=", "signature=%C3%A9"),
        url.replace(workspace, "x"),
        url.replace("expires=", "expires=x"),
    ]
    for each in forged:
        assert fetch(each).status_code == 403, each


def make_run_id(run: Run) -> str:
    return str(run.id)[:-1] + ("0" if str(run.id)[-1] != "0" else "1")


def test_a_link_runs_out(api: Api, run: Run, fetch: Callable[..., TestResponse]) -> None:
    grant = Grant("run", api.workspace.id, run.id)
    with api.app.test_request_context():
        old = sign(grant, moments.now() - timedelta(minutes=15))
        young = sign(grant, moments.now() - timedelta(minutes=14))
    assert fetch(old.url).status_code == 403
    assert "run out" in fetch(old.url).text
    assert fetch(young.url).status_code == 200


def test_a_link_outlives_a_change_of_the_secret_key(
    api: Api, run: Run, fetch: Callable[..., TestResponse]
) -> None:
    url = link(api, run, "download")["url"]
    former = api.app.secret_key
    api.app.secret_key = "another-key-0123456789-0123456789"
    assert fetch(url).status_code == 403
    api.app.config["SECRET_KEY_FALLBACKS"] = [former]
    assert fetch(url).status_code == 200


def test_a_signature_never_reaches_a_log(api: Api, run: Run) -> None:
    url = link(api, run, "download")["url"]
    signature = url.split("signature=")[1]
    assert signature not in redact(f'"GET {url} HTTP/1.1" 200')


def stored(tmp_path: Path, workspace: Workspace, content: bytes) -> Path:
    """Where the artifact store of a test has this content."""
    return tmp_path / "artifacts" / object_key(workspace.id, sha256(content).digest())


@pytest.fixture(params=["gone", "empty", "cut", "grown"])
def damage(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """What can happen to a stored file."""
    found: dict[str, Callable[[Path], object]] = {
        "gone": Path.unlink,
        "empty": lambda file: file.write_bytes(b""),
        "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
        "grown": lambda file: file.write_bytes(file.read_bytes() + b"x"),
    }
    return found[request.param]  # type: ignore[return-value]


def test_a_file_that_is_gone_or_damaged_is_named_before_anything_is_sent(
    api: Api, run: Run, fetch: Callable[..., TestResponse], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    archive, audio = link(api, run, "download"), link(api, run, "audio/0000000000000000/url")
    damage(stored(tmp_path, api.workspace, SOUND))
    for answer in (
        fetch(archive["url"]),
        fetch(audio["url"]),
        fetch(audio["url"], Range="bytes=4-7"),
        fetch(audio["url"], Range="bytes=-1"),
    ):
        assert answer.status_code == 404
        assert "one.wav" in answer.text
    for what in ("download", "nodes/out%2F1/download", "audio/0000000000000000/url"):
        refused = api.get(f"/workflows/{run.workflow_id}/runs/{run.id}/{what}")
        assert refused.status_code == 404
        assert "one.wav" in refused.get_json()["error"]["message"]
        assert "passwd" not in refused.text
    assert link(api, run, "audio/0000000000000001/url")["filename"] == "_.._etc_passwd"


def test_an_upload_that_is_gone_is_named(
    api: Api, workflow: Workflow, fetch: Callable[..., TestResponse], tmp_path: Path
) -> None:
    make_upload(workflow, api.workspace, "news.txt", b"Good evening")
    [row] = api.get(f"/workflows/{workflow.id}/uploads").get_json()["data"]
    assert fetch(row["download_url"]).data == b"Good evening"
    stored(tmp_path, api.workspace, b"Good evening").unlink()
    answer = fetch(row["download_url"])
    assert answer.status_code == 404
    assert "news.txt" in answer.text


def test_of_many_files_that_are_gone_ten_are_named(api: Api, workflow: Workflow, tmp_path: Path) -> None:
    run = make_run(workflow)
    for number in range(13):
        make_artifact(api.workspace, run, f"{number:02}.txt", str(number).encode())
        stored(tmp_path, api.workspace, str(number).encode()).unlink()
    said = api.get(f"/workflows/{workflow.id}/runs/{run.id}/download").get_json()["error"]["message"]
    assert "files/run/09.txt and 3 more." in said
    assert "10.txt" not in said


@pytest.mark.slow
def test_a_file_that_is_cut_while_it_is_sent_ends_the_connection(
    environment: dict[str, str], api: Api, workflow: Workflow, tmp_path: Path
) -> None:
    sound = bytes(32 * 1024 * 1024)  # far more than the sockets between server and client hold
    run = make_run(workflow)
    make_detail(run, definition_snapshot=GRAPH)
    make_output(run, api.workspace, {"takes": [{"audio": sound, "name": "long.mp3"}]})
    file = stored(tmp_path, api.workspace, sound)
    for kind, part in (("audio", "0000000000000000"), ("run", "")):
        file.write_bytes(sound)
        with api.app.test_request_context():
            path = sign(Grant(kind, api.workspace.id, run.id, part), moments.now()).path
        with served(environment, tmp_path) as base_url, urllib.request.urlopen(base_url + path) as answer:
            answer.read(1000)
            os.truncate(file, 1024)
            with pytest.raises(http.client.IncompleteRead):
                answer.read()


@pytest.mark.slow
def test_an_archive_out_of_s3_is_looked_at_when_its_link_is_opened(
    api: Api, workflow: Workflow, fetch: Callable[..., TestResponse], s3_server: str
) -> None:
    store = api.app.extensions["portal_artifacts"] = new_store(s3_server)
    run = make_run(workflow)
    for number in range(20):
        make_artifact(api.workspace, run, f"{number:02}.txt", str(number).encode())
    url = link(api, run, "download")["url"]
    archive = zipfile.ZipFile(io.BytesIO(fetch(url).data))
    assert archive.read("files/run/19.txt") == b"19"
    store.delete(object_key(api.workspace.id, sha256(b"7").digest()))
    assert link(api, run, "download")["url"]
    answer = fetch(url)
    assert answer.status_code == 404
    assert "files/run/07.txt." in answer.text


def test_a_store_that_cannot_be_used_is_unavailable(
    api: Api, run: Run, fetch: Callable[..., TestResponse], tmp_path: Path
) -> None:
    url = link(api, run, "download")["url"]
    shutil.rmtree(tmp_path / "artifacts")
    (tmp_path / "artifacts").write_text("not a folder")
    answer = fetch(url)
    assert answer.status_code == 503
    assert "The artifact store cannot be read: Not a directory." in answer.text
