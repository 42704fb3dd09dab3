"""What a line of history says of an upload: a script or a dictionary that somebody gave a workflow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID, uuid5

from portal.database.models import UploadCategory
from portal.history.parsing import readers
from portal.history.parsing.readers import BadField, Fields
from portal.history.parsing.results import OTHER_TYPE, File, ending_of, path
from portal.workspaces.people import SourcePerson

CONTENT_TYPES: Mapping[str, str] = {
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
}
"""What an upload is where its line does not say; the stored file itself is served as bytes to keep."""

UPLOAD: Mapping[str, Callable[[Any], Any]] = {
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
"""Columns of an upload; its content and who uploaded it come beside them."""


@dataclass(frozen=True, slots=True)
class UploadLine:
    id: UUID
    workflow_id: UUID
    columns: dict[str, Any]
    """Columns of the upload; its moments may be None."""
    identity: SourcePerson | None
    file: File | None
    """None where the content did not come with the history."""

    @property
    def files(self) -> tuple[File, ...]:
        """Files that must be beside the history."""
        return (self.file,) if self.file else ()

    def with_files(self, _digest: bytes) -> Self:
        """The same line: an upload is compared with what is stored field by field."""
        return self


def take_upload(fields: Fields, identity: SourcePerson | None) -> UploadLine:
    """An upload out of the line's fields; what they do not know is left out. Raises BadField."""
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
        ending_of(columns["filename"]), OTHER_TYPE
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
