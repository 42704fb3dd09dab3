"""What a handler may use while it works (`engine.contract.Context`)."""

import hashlib
import tempfile
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast
from uuid import UUID

import sqlalchemy as sa

from portal import moments
from portal.database.engine import db
from portal.database.models import Artifact, DictionaryEntry, Upload, UploadCategory, UploadStatus
from portal.engine.contract import Cancelled, Pronunciation, Refused, Script, StoredFile, TimedOut
from portal.engine.environment import Environment
from portal.engine.execution.claimed_step import ClaimedStep
from portal.engine.reporting.step_log import StepLog
from portal.input import parameters
from portal.storage import artifact_store, object_key, store_content, upload_key


class StepContext:
    """The context of one step. `lost` is set by the worker's heartbeat: nobody wants the step any more."""

    def __init__(self, step: ClaimedStep, environment: Environment, deadline: datetime, folder: Path) -> None:
        self._step = step
        self._environment = environment
        self._deadline = deadline
        self._folder = folder
        self.lost = threading.Event()
        self.done: tuple[int, int] | None = None
        """How many items are done, and of how many."""
        key = environment.provider.key if environment.provider else None
        self.step_log = StepLog([key] if key else [])

    @property
    def deadline(self) -> datetime:
        return self._deadline

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def environment(self) -> Environment:
        return self._environment

    def cancelled(self) -> bool:
        return self.lost.is_set()

    def check(self) -> None:
        if self.lost.is_set():
            raise Cancelled
        if moments.now() >= self._deadline:
            raise TimedOut(f"The step took longer than {self._environment.node_seconds} seconds.")

    def progress(self, done: int, total: int) -> None:
        self.done = done, total

    def log(self, message: str) -> None:
        self.step_log.write(message, moments.now())

    def key(self, part: str) -> str:
        text = f"{self._step.run_id}:{self._step.key.node_id}:{self._step.key.iteration}:{part}"
        return hashlib.sha256(text.encode()).hexdigest()

    def store(self, content: BinaryIO, content_type: str) -> StoredFile:
        digest = store_content(self._step.workspace_id, content)
        return StoredFile(digest.sha256.hex(), digest.size, content_type)

    def open(self, file: StoredFile) -> BinaryIO:
        key = object_key(self._step.workspace_id, bytes.fromhex(file.sha256))
        copy = cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115 (the caller closes it)
        for chunk in artifact_store().read(key):
            copy.write(chunk)
        copy.seek(0)
        return copy

    def scripts(self, upload_ids: Sequence[str]) -> list[Script]:
        try:
            uploads = self._uploads(upload_ids)
        finally:
            db.session.rollback()
        missing = set(map(str.lower, upload_ids)) - {str(upload.id) for upload in uploads}
        if missing or not uploads:
            raise Refused("An uploaded script of this step is not there any more.")
        return [
            Script(
                upload_id=str(upload.id),
                filename=upload.filename,
                format=upload.filename.rpartition(".")[2].lower(),
                content=self._content(upload),
            )
            for upload in uploads
        ]

    def pronunciations(self, locale: str) -> Mapping[str, Pronunciation]:
        try:
            entries = db.session.scalars(
                sa.select(DictionaryEntry).where(
                    DictionaryEntry.workspace_id == self._step.workspace_id,
                    DictionaryEntry.language == locale,
                )
            ).all()
        finally:
            db.session.rollback()
        return {
            entry.word.lower(): Pronunciation(word=entry.word, ipa=entry.ipa, alias=entry.pronunciation)
            for entry in entries
        }

    def _uploads(self, upload_ids: Sequence[str]) -> list[Upload]:
        """The uploads in the order of the ids, or the newest of the workflow."""
        scripts = sa.select(Upload).where(
            Upload.workspace_id == self._step.workspace_id,
            Upload.category == UploadCategory.SCRIPT,
            Upload.status == UploadStatus.UPLOADED,
        )
        if not upload_ids:
            of_workflow = scripts.where(Upload.workflow_id == self._step.workflow_id)
            newest = of_workflow.order_by(Upload.created_at.desc(), Upload.id).limit(1)
            return list(db.session.scalars(newest))
        wanted = [_uuid(each) for each in upload_ids]
        found = {each.id: each for each in db.session.scalars(scripts.where(Upload.id.in_(wanted)))}
        return [found[each] for each in wanted if each in found]

    def _content(self, upload: Upload) -> bytes:
        key = None
        if upload.content_id is not None:
            key = upload_key(upload.workspace_id, upload.content_id)
        elif upload.artifact_id is not None:  # imported
            sha256 = db.session.scalar(sa.select(Artifact.sha256).where(Artifact.id == upload.artifact_id))
            db.session.rollback()
            key = None if sha256 is None else object_key(upload.workspace_id, sha256)
        if key is None:
            raise Refused("An uploaded script of this step has no content.")
        return b"".join(artifact_store().read(key))


def _uuid(text: str) -> UUID | None:
    try:
        return parameters.uuid(text)
    except parameters.Refused:
        return None
