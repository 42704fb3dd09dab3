"""Parses an upload: a script or a dictionary that somebody uploaded for a workflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID, uuid5

from portal.database.models import UploadCategory
from portal.history.parsing import readers
from portal.history.parsing.readers import BadField, Fields, Reader, Values
from portal.history.parsing.results import OTHER_TYPE, File, extension_of, path
from portal.workspaces.people import SourcePerson

CONTENT_TYPES: Mapping[str, str] = {
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
}
"""Content types by extension for lines without one; the stored file itself is served as a download."""

UPLOAD: Mapping[str, Reader] = {
    "filename": readers.text_of(1, 255),
    "category": readers.word({str(category): str(category) for category in UploadCategory}),
    "content_type": readers.text_of(1, 100),
    "format": readers.text_of(1, 20),
    "size_bytes": readers.count,
    "char_count": readers.count,
    "line_count": readers.count,
    "detected_language": readers.locale,
    "created_at": readers.moment,
    "updated_at": readers.moment,
}
"""Columns of an upload except its content and who uploaded it."""


@dataclass(frozen=True, slots=True)
class UploadLine:
    id: UUID
    workflow_id: UUID
    columns: Values
    """Columns of the upload; its moments may be None."""
    identity: SourcePerson | None
    file: File | None
    """None if the content is not part of the history."""

    @property
    def files(self) -> tuple[File, ...]:
        """Files that the line names."""
        return (self.file,) if self.file else ()

    def with_files(self, _digest: bytes) -> Self:
        """The same line: uploads are compared with stored ones column by column, not by digest."""
        return self


def take_upload(fields: Fields, identity: SourcePerson | None) -> UploadLine:
    """An upload from the fields of a line; other fields are dropped. Raises BadField."""
    upload_id = fields.need("id", readers.uuid)
    workflow_id = fields.need("workflow_id", readers.workflow_id)
    where = fields.take("path", path)
    digest = fields.take("sha256", readers.sha256)
    columns = fields.take_all(UPLOAD)
    if columns["category"] is None:
        raise BadField("category", "is missing.")
    columns["filename"] = columns["filename"] or (where or "").rpartition("/")[2][-255:]
    if not columns["filename"]:
        raise BadField("filename", "is missing, and so is path.")
    columns["content_type"] = columns["content_type"] or CONTENT_TYPES.get(
        extension_of(columns["filename"]), OTHER_TYPE
    )
    file = None
    if where is not None:
        artifact = {
            "id": uuid5(upload_id, "content"),
            "run_id": None,
            "node_id": None,
            "name": columns["filename"],
            "content_type": OTHER_TYPE,
        }
        file = File("path", where, digest, artifact)
    return UploadLine(upload_id, workflow_id, columns, identity, file)
