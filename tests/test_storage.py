"""The artifact store: the same promises in a folder and in an S3-compatible service that really runs."""

import io
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from portal.config import S3Settings
from portal.errors import NotFound, Unavailable
from portal.storage import Store, digest_of, key_of
from portal.storage.local import LocalStore
from portal.storage.s3 import S3Store

CONTENT = bytes(range(256)) * 5000
KEY = key_of(uuid4(), digest_of(io.BytesIO(CONTENT)).sha256)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


def bucket(endpoint: str | None, name: str = "kept") -> S3Settings:
    return S3Settings(
        bucket=name,
        prefix="portal/",
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="key",
        secret_access_key="secret",
    )


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return LocalStore(tmp_path / "artifacts")
    endpoint: str = request.getfixturevalue("s3_server")
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    name = f"kept-{uuid4().hex[:8]}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys).create_bucket(Bucket=name)
    return S3Store(bucket(endpoint, name))


def test_content_comes_back_whole_and_in_stretches(store: Store) -> None:
    assert not store.has(KEY)
    store.put(KEY, io.BytesIO(CONTENT))
    assert store.has(KEY)
    assert b"".join(store.read(KEY)) == CONTENT
    assert b"".join(store.read(KEY, 10, 5)) == CONTENT[10:15]
    assert b"".join(store.read(KEY, len(CONTENT) - 3)) == CONTENT[-3:]
    assert b"".join(store.read(KEY, 0, 0)) == b""


def test_content_is_put_again_and_forgotten(store: Store) -> None:
    store.put(KEY, io.BytesIO(CONTENT))
    store.put(KEY, io.BytesIO(CONTENT))
    store.delete(KEY)
    store.delete(KEY)
    assert not store.has(KEY)


def test_what_is_gone_is_said_before_anything_is_read(store: Store) -> None:
    with pytest.raises(NotFound):
        store.read(KEY)


def test_a_folder_takes_no_key_that_leads_out_of_it(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "artifacts")
    for key in ("../secret", "/etc/passwd", "a//b", "a/../b", "", "a\0b"):
        with pytest.raises(ValueError, match="key"):
            store.has(key)


def test_a_store_that_does_not_answer_is_unavailable() -> None:
    store = S3Store(bucket("http://127.0.0.1:9"))
    with pytest.raises(Unavailable, match="artifact store"):
        store.has(KEY)
