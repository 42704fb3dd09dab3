"""Uploads of the sample's workflows: the script, and a dictionary of names."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from portal.history.demo.audio import LINES
from portal.moments import format_moment

_SPOKEN = {"Acme": "ˈæk.mi", "Öberg": "ˈøː.bærj", "Grace": "ɡɹeɪs", "Menu": "ˈmɛn.juː"}
_SCRIPT = "\n".join((*LINES, ""))
_DICTIONARY = "".join(f"{word},{sound}\n" for word, sound in {"word": "ipa", **_SPOKEN}.items())

CONTENTS: Mapping[str, bytes] = {
    "uploads/script.txt": _SCRIPT.encode(),
    "uploads/names.csv": _DICTIONARY.encode(),
}
"""The files, by path."""


def upload_lines(
    workflow_id: UUID, name: str, person: Mapping[str, str], begin: datetime
) -> Iterator[dict[str, object]]:
    """A workflow's uploads in the import format, dated a day after the workflow."""
    files = (
        ("script", "uploads/script.txt", f"{name}.txt", _SCRIPT, "en-us"),
        ("dictionary", "uploads/names.csv", "Names.csv", _DICTIONARY, None),
    )
    for number, (category, path, filename, content, language) in enumerate(files, 1):
        upload: dict[str, object] = {
            "type": "upload",
            "id": str(_upload_id(workflow_id, category)),
            "workflow_id": str(workflow_id),
            "category": category,
            "filename": filename,
            "path": path,
            "format": path.rpartition(".")[2],
            "char_count": len(content),
            "line_count": content.count("\n"),
            "uploaded_by": dict(person),
            "created_at": format_moment(begin + timedelta(days=1, minutes=number)),
        }
        yield upload | ({"detected_language": language} if language else {})


def script_id(workflow_id: UUID) -> UUID:
    """The id of a workflow's uploaded script."""
    return _upload_id(workflow_id, "script")


def _upload_id(workflow_id: UUID, category: str) -> UUID:
    return uuid5(workflow_id, f"upload:{category}")
