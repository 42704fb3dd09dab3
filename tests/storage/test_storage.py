"""The artifact store: the same promises in a folder and in an S3-compatible service that really runs."""

import io
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from portal import moments
from portal.errors import NotFound, Unavailable
from portal.storage import Store, digest_of, object_key
from portal.storage.local import LocalStore
from portal.storage.s3 import S3Store
from tests.s3 import bucket, new_store

CONTENT = bytes(range(256)) * 5000
KEY = object_key(uuid4(), digest_of(io.BytesIO(CONTENT)).sha256)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return LocalStore(tmp_path / "artifacts")
    endpoint: str = request.getfixturevalue("s3_server")
    return new_store(endpoint)


def test_content_comes_back_whole_and_in_stretches(store: Store) -> None:
    assert store.size(KEY) is None
    store.put(KEY, io.BytesIO(CONTENT))
    assert store.size(KEY) == len(CONTENT)
    assert b"".join(store.read(KEY)) == CONTENT
    assert b"".join(store.read(KEY, 10, 5)) == CONTENT[10:15]
    assert b"".join(store.read(KEY, len(CONTENT) - 3)) == CONTENT[-3:]
    assert b"".join(store.read(KEY, 0, 0)) == b""


def test_content_is_put_again_and_forgotten(store: Store) -> None:
    store.put(KEY, io.BytesIO(CONTENT))
    store.put(KEY, io.BytesIO(CONTENT))
    store.delete(KEY)
    store.delete(KEY)
    assert store.size(KEY) is None


def test_what_is_gone_is_said_before_anything_is_read(store: Store) -> None:
    with pytest.raises(NotFound):
        store.read(KEY)


@pytest.mark.slow
def test_what_is_in_a_folder_is_listed(store: Store) -> None:
    workspace_id, folder = uuid4(), KEY.split("/")[0]
    other = object_key(workspace_id, digest_of(io.BytesIO(b"other")).sha256)
    store.put(KEY, io.BytesIO(CONTENT))
    store.put(other, io.BytesIO(b"other"))
    [found] = store.objects(folder)
    assert (found.key, found.size) == (KEY, len(CONTENT))
    assert timedelta(0) <= moments.now() - found.changed_at < timedelta(minutes=1)
    assert [each.key for each in store.objects(str(workspace_id))] == [other]
    assert list(store.objects(str(uuid4()))) == []


def test_what_an_attempt_left_behind_is_listed_and_can_be_removed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "artifacts")
    store.put(KEY, io.BytesIO(CONTENT))
    (tmp_path / "artifacts" / KEY).with_name(".new-abc_123").write_bytes(b"half")
    left = [each.key for each in store.objects(KEY.split("/")[0]) if each.key != KEY]
    assert left == [f"{KEY.rpartition('/')[0]}/.new-abc_123"]
    store.delete(left[0])
    assert [each.key for each in store.objects(KEY.split("/")[0])] == [KEY]


def test_a_folder_that_is_a_file_is_unavailable_and_the_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("not a folder")
    store = LocalStore(tmp_path / "artifacts")
    with pytest.raises(Unavailable, match=r"^The artifact store cannot be read: Not a directory\.$"):
        store.size(KEY)
    with pytest.raises(Unavailable, match=r"^The artifact store cannot be read: Not a directory\.$"):
        store.read(KEY)
    with pytest.raises(Unavailable, match=r"^The artifact store cannot be written: "):
        store.put(KEY, io.BytesIO(CONTENT))


def test_a_full_disk_leaves_nothing_half_done(small_disk: Path) -> None:
    store = LocalStore(small_disk / "artifacts")
    with pytest.raises(
        Unavailable, match=r"^The artifact store cannot be written: No space left on device\.$"
    ):
        store.put(KEY, io.BytesIO(CONTENT * 2))
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_a_folder_takes_no_key_that_leads_out_of_it(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "artifacts")
    for key in ("../secret", "/etc/passwd", "a//b", "a/../b", "", "a\0b", "a/.b", "a/.new-/../b"):
        with pytest.raises(ValueError, match="key"):
            store.size(key)


@pytest.mark.slow
def test_a_store_that_does_not_answer_is_unavailable() -> None:
    store = S3Store(bucket("http://127.0.0.1:9"))
    with pytest.raises(Unavailable, match="artifact store"):
        store.size(KEY)
