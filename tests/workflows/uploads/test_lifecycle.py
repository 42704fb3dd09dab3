"""Uploads that are sent, confirmed and deleted at once: one outcome, and no file too many or too few."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.database.engine import db
from portal.database.models import Upload, Workflow, Workspace
from portal.database.transactions import writing
from portal.errors import Conflict, Forbidden, NotFound, PaymentRequired, PortalError
from portal.storage import upload_key
from portal.workflows.uploads import expiry
from portal.workflows.uploads.bodies import Confirmation, UploadSpec
from portal.workflows.uploads.lifecycle import MAX_PENDING, confirm, create_upload, delete_upload, receive
from portal.workflows.uploads.rows import UploadRow
from tests.factories import make_member, make_user, make_workflow, make_workspace

OLD, NEW = b"old words", b"new"
ROUNDS = 8


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def me(workspace: Workspace) -> Principal:
    user = make_user()
    make_member(workspace, user, "editor")
    return Principal(
        kind="jwt",
        user=PrincipalUser(user.id, user.email, ""),
        workspaces=(Membership(workspace.id, workspace.name, workspace.slug, "editor"),),
        chosen=workspace.id,
    )


@pytest.fixture
def workflow(workspace: Workspace) -> Workflow:
    return make_workflow(workspace)


def create(me: Principal) -> UploadRow:
    return create_upload(me, UploadSpec(category="script", filename="a.txt"), 0, moments.now())


def sent(me: Principal, content: bytes = OLD) -> UUID:
    upload_id = create(me).id
    receive(upload_id, io.BytesIO(content), 0)
    return upload_id


def purpose(workflow: Workflow) -> Confirmation:
    return Confirmation(context_type="workflow", context_id=str(workflow.id))


def at_once(app: Flask, *calls: Callable[[], Any]) -> list[Any]:
    """What each call gives or which error of ours it raises, all begun together."""
    together = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        with app.app_context():
            together.wait(60)
            try:
                return call()
            except PortalError as error:
                return error
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def files(tmp_path: Path) -> dict[str, bytes]:
    top = tmp_path / "artifacts"
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def stored(upload_id: UUID) -> Upload | None:
    db.session.rollback()
    return db.session.get(Upload, upload_id, populate_existing=True)


@pytest.mark.slow
def test_confirmed_twice_at_once_it_is_confirmed_once(app: Flask, me: Principal, workflow: Workflow) -> None:
    for _ in range(ROUNDS):
        upload_id = sent(me)
        call = lambda given=upload_id: confirm(me, given, purpose(workflow), 0, moments.now())  # noqa: E731
        first, second = at_once(app, call, call)
        assert first == second
        assert (first.status, first.size_bytes) == ("uploaded", len(OLD))


@pytest.mark.slow
def test_confirmed_and_deleted_at_once_it_is_gone(
    app: Flask, me: Principal, workflow: Workflow, tmp_path: Path
) -> None:
    for _ in range(ROUNDS):
        upload_id = sent(me)
        confirmed, deleted = at_once(
            app,
            lambda given=upload_id: confirm(me, given, purpose(workflow), 0, moments.now()),
            lambda given=upload_id: delete_upload(me, given),
        )
        assert deleted is None
        assert isinstance(confirmed, UploadRow | NotFound)
        assert stored(upload_id) is None
        assert files(tmp_path) == {}


@pytest.mark.slow
def test_deleted_twice_at_once_one_finds_it(app: Flask, me: Principal) -> None:
    for _ in range(ROUNDS):
        upload_id = sent(me)
        call = lambda given=upload_id: delete_upload(me, given)  # noqa: E731
        outcomes = at_once(app, call, call)
        assert sorted(type(each) for each in outcomes if each is not None) == [NotFound]


@pytest.mark.slow
def test_sent_and_confirmed_at_once_it_has_the_old_content_or_the_new(
    app: Flask, me: Principal, workspace: Workspace, workflow: Workflow, tmp_path: Path
) -> None:
    for _ in range(ROUNDS):
        upload_id = sent(me)
        again, confirmed = at_once(
            app,
            lambda given=upload_id: receive(given, io.BytesIO(NEW), 0),
            lambda given=upload_id: confirm(me, given, purpose(workflow), 0, moments.now()),
        )
        content = OLD if isinstance(again, Forbidden) else NEW
        assert again is None or isinstance(again, Forbidden)
        assert (confirmed.size_bytes, confirmed.char_count) == (len(content), len(content))
        upload = stored(upload_id)
        assert upload is not None
        assert upload.content_id is not None
        assert files(tmp_path) == {upload_key(workspace.id, upload.content_id): content}
        delete_upload(me, upload_id)


@pytest.mark.slow
def test_sent_and_deleted_at_once_no_file_stays(app: Flask, me: Principal, tmp_path: Path) -> None:
    for _ in range(ROUNDS):
        upload_id = sent(me)
        again, deleted = at_once(
            app,
            lambda given=upload_id: receive(given, io.BytesIO(NEW), 0),
            lambda given=upload_id: delete_upload(me, given),
        )
        assert deleted is None
        assert again is None or isinstance(again, Forbidden)
        assert files(tmp_path) == {}


def test_confirmed_while_its_content_is_replaced_it_takes_the_new(
    app: Flask, me: Principal, workflow: Workflow
) -> None:
    upload_id = sent(me)

    class Interfering:
        """The store, in which content is replaced while it is read."""

        def __init__(self, store: Any) -> None:
            self._store, self._left = store, 2

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def read(self, key: str) -> Any:
            chunks = self._store.read(key)
            if self._left:
                self._left -= 1
                receive(upload_id, io.BytesIO(NEW * self._left or b"last"), 0)
            return chunks

    app.extensions["portal_artifacts"] = Interfering(app.extensions["portal_artifacts"])
    assert confirm(me, upload_id, purpose(workflow), 0, moments.now()).size_bytes == len(b"last")


def test_what_breaks_off_leaves_what_was_sent_before(app: Flask, me: Principal, tmp_path: Path) -> None:
    upload_id = sent(me)

    class Broken(io.RawIOBase):
        def __init__(self) -> None:
            self._left = 3

        def read(self, size: int = -1) -> bytes:
            self._left -= 1
            if not self._left:
                raise ConnectionResetError
            return b"x" * size

    stream: BinaryIO = Broken()  # type: ignore[assignment]
    with pytest.raises(ConnectionResetError):
        receive(upload_id, stream, 0)
    assert list(files(tmp_path).values()) == [OLD]


def test_of_many_created_at_once_a_hundred_are_pending(app: Flask, me: Principal) -> None:
    now = moments.now()
    with writing() as session:
        rows = [
            {
                "id": uuid4(),
                "workspace_id": me.chosen,
                "user_id": me.user.id,
                "status": "pending",
                "filename": "a.txt",
                "category": "script",
                "content_type": "text/plain",
                "created_at": now,
                "updated_at": now,
            }
            for _ in range(MAX_PENDING - 4)
        ]
        session.execute(sa.insert(Upload), rows)
    outcomes = at_once(app, *[lambda: create(me)] * 8)
    assert sum(isinstance(each, UploadRow) for each in outcomes) == 4
    assert sum(isinstance(each, Conflict) for each in outcomes) == 4


def test_of_much_sent_at_once_as_much_is_taken_as_the_workspace_may_have(
    app: Flask, me: Principal, tmp_path: Path
) -> None:
    uploads = [create(me).id for _ in range(6)]
    calls = [lambda given=each: receive(given, io.BytesIO(b"12345"), 16) for each in uploads]
    outcomes = at_once(app, *calls)
    assert [each for each in outcomes if each is not None and not isinstance(each, PaymentRequired)] == []
    assert len(files(tmp_path)) == outcomes.count(None) == 3


def test_a_confirmation_changes_the_versions_by_which_pages_are_cached(
    app: Flask, me: Principal, workspace: Workspace, workflow: Workflow
) -> None:
    def versions() -> tuple[int, int, object]:
        db.session.rollback()
        row = sa.select(Workspace.version, Workflow.version, Workflow.updated_at)
        return tuple(db.session.execute(row.where(Workflow.workspace_id == Workspace.id)).one())  # type: ignore[return-value]

    upload_id = sent(me)
    before = versions()
    confirm(me, upload_id, purpose(workflow), 0, moments.now())
    confirmed = versions()
    delete_upload(me, upload_id)
    deleted = versions()
    assert before[0] < confirmed[0] < deleted[0]
    assert before[1] < confirmed[1] < deleted[1]
    assert before[2] == confirmed[2] == deleted[2]


def test_pruning_goes_on_when_the_store_does_not_answer(app: Flask, me: Principal, tmp_path: Path) -> None:
    sent(me)
    top = tmp_path / "artifacts"
    content = files(tmp_path)
    top.rename(tmp_path / "away")
    top.write_text("no folder")
    assert expiry.prune(moments.now() + timedelta(days=1)) == 1
    top.unlink()
    (tmp_path / "away").rename(top)
    assert files(tmp_path) == content
    assert expiry.prune(moments.now() + timedelta(days=1)) == 0


def test_more_than_a_batch_is_pruned(app: Flask, me: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    for _ in range(5):
        sent(me)
    later = moments.now() + timedelta(days=1)
    assert expiry.prune(later, batches=1) == 2
    assert expiry.prune(later) == 3
    assert expiry.prune(later) == 0
