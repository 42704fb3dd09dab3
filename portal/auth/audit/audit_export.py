"""Export of the audit log as JSON Lines, or as CSV safe against formula injection."""

import csv
import json
from collections.abc import Iterable
from typing import TextIO

from portal.database.models import AuditEntry
from portal.moments import format_moment
from portal.web.cells import safe_cell

COLUMNS = ("at", "kind", "actor", "actor_id", "workspace_id", "address", "subject", "details", "id")


def write_json_lines(entries: Iterable[AuditEntry], file: TextIO) -> None:
    for entry in entries:
        file.write(json.dumps(_values(entry), ensure_ascii=False) + "\n")


def write_csv(entries: Iterable[AuditEntry], file: TextIO) -> None:
    """Write RFC 4180 CSV with a header line."""
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for entry in entries:
        values = _values(entry) | {"details": json.dumps(entry.details, ensure_ascii=False)}
        writer.writerow([safe_cell(values[name]) for name in COLUMNS])


def _values(entry: AuditEntry) -> dict[str, object]:
    return {
        "at": format_moment(entry.at),
        "kind": entry.kind,
        "actor": entry.actor,
        "actor_id": entry.actor_id and str(entry.actor_id),
        "workspace_id": entry.workspace_id and str(entry.workspace_id),
        "address": entry.address,
        "subject": entry.subject,
        "details": entry.details,
        "id": str(entry.id),
    }
