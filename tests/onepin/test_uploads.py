"""Uploads by the published client, command line and SDK, over real HTTP."""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from flask import Flask
from onepin import AsyncOnepinClient, OnepinClient

from portal.database.engine import db
from portal.database.models import User, Workspace
from tests.factories import make_key
from tests.onepin.conftest import NEWEST, Onepin

TEXT = "Guten Abend.\n\nHier sind die Nachrichten.\n"
COUNTED = {"char_count": len(TEXT) - 3, "line_count": 2, "size_bytes": len(TEXT)}

SDK = """
import json, sys, onepin, httpx
base_url, key, workflow_id, text = sys.argv[1:]
if hasattr(onepin, "OnepinClient"):
    uploads = onepin.OnepinClient(api_key=key, base_url=base_url).uploads
else:
    uploads = onepin.OnePinClient(token=key, base_url=base_url).uploads
made = uploads.create(filename="news.txt", category="script")
made = getattr(made, "data", made)
assert httpx.put(made.upload_url, content=text.encode()).status_code == 204
done = uploads.confirm(made.upload.id, context_type="workflow", context_id=workflow_id)
done = getattr(done, "data", done)
uploads.delete(made.upload.id)
print(json.dumps(done.model_dump(mode="json")))
"""


@pytest.fixture
def uploader(onepin: Onepin, app: Flask) -> Onepin:
    """The client with a key that may upload."""
    workspace = db.session.get_one(Workspace, onepin.workflow.workspace_id)
    user = db.session.scalars(sa.select(User)).one()
    onepin.key = make_key(workspace, user, ("uploads:write", "workflows:read"))
    onepin.environment = {"ONEPIN_API_KEY": onepin.key, "ONEPIN_BASE_URL": onepin.base_url}
    return onepin


def counted(upload: dict[str, Any]) -> dict[str, Any]:
    return {name: upload[name] for name in COUNTED}


def test_a_script_is_created_confirmed_listed_and_deleted(uploader: Onepin, tmp_path: Path) -> None:
    if uploader.release != NEWEST:
        pytest.skip("the commands of older releases are tried by their SDK")
    file = tmp_path / "Nachrichten Ä.txt"
    file.write_text(TEXT)
    made = uploader.json("uploads", "create", "--file", str(file), "--category", "script")
    workflow_id = str(uploader.workflow.id)
    assert uploader.json("workflows", "uploads", workflow_id) == []
    done = uploader.json("uploads", "confirm", made["id"], "--workflow-id", workflow_id)
    assert (done["status"], done["filename"]) == ("uploaded", "Nachrichten Ä.txt")
    assert counted(done) == COUNTED
    assert httpx.get(done["download_url"]).text == TEXT
    [listed] = uploader.json("workflows", "uploads", workflow_id)
    assert listed["id"] == made["id"]
    uploader("uploads", "delete", made["id"], "--yes")
    assert uploader.json("workflows", "uploads", workflow_id) == []
    assert httpx.get(done["download_url"]).status_code == 404


def test_what_is_refused_is_said(uploader: Onepin, tmp_path: Path) -> None:
    if uploader.release != NEWEST:
        pytest.skip("the commands of older releases are tried by their SDK")
    word, large = tmp_path / "script.docx", tmp_path / "large.txt"
    word.write_bytes(b"PK")
    large.write_bytes(bytes(10_000_001))
    refused = uploader("uploads", "create", "--file", str(word), "--category", "script", check=False)
    assert refused.returncode == 1
    assert "VALIDATION_ERROR" in refused.stderr
    refused = uploader("uploads", "create", "--file", str(large), "--category", "script", check=False)
    assert refused.returncode == 1
    assert "HTTP 413" in " ".join(refused.stderr.split())


def test_every_sdk_uploads(uploader: Onepin) -> None:
    words = (uploader.base_url, uploader.key, str(uploader.workflow.id), TEXT)
    done = json.loads(uploader.run(sys.executable, "-c", SDK, *words).stdout)
    assert (done["status"], done["context_id"]) == ("uploaded", str(uploader.workflow.id))
    if uploader.release == NEWEST:
        assert counted(done) == COUNTED


def test_the_newest_sdk_uploads_sync_and_async(uploader: Onepin) -> None:
    if uploader.release != NEWEST:
        pytest.skip("one release lies with this Python's packages")
    named = {"context_type": "workflow", "context_id": str(uploader.workflow.id)}
    settings: dict[str, Any] = {"api_key": uploader.key, "base_url": uploader.base_url}
    client = OnepinClient(**settings)
    made = client.uploads.create(filename="a.pdf", category="script").data
    assert httpx.put(made.upload_url, content=b"%PDF-1.7").status_code == 204
    done = client.uploads.confirm(made.upload.id, **named).data
    assert (done.status, done.char_count, done.size_bytes) == ("uploaded", None, 8)
    assert client.uploads.delete(made.upload.id).data == {"id": made.upload.id, "deleted": True}

    async def later() -> str:
        uploads = AsyncOnepinClient(**settings).uploads
        made = (await uploads.create(filename="a.mp3", category="dictionary")).data
        assert httpx.put(made.upload_url, content=b"ID3").status_code == 204
        done = await uploads.confirm(made.upload.id, **named)
        await uploads.delete(made.upload.id)
        return done.data.status

    with ThreadPoolExecutor(1) as pool:  # a thread without the event loop that other tests may leave
        assert pool.submit(lambda: asyncio.run(later())).result() == "uploaded"
