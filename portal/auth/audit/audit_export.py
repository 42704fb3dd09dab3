"""Export of the audit log as JSON Lines, or as CSV safe against formula injection."""

import csv
import json
from collections.abc import Iterable
from typing import TextIO

from portal.database.models import AuditEntry
from portal.moments import format_moment

COLUMNS = ("at", "kind", "actor", "actor_id", "workspace_id", "address", "subject", "details", "id")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\0")


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


def safe_cell(value: object) -> str:
    """The text of a cell, prefixed with an apostrophe if it begins like a formula (ASVS 1.2.10)."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULAS) else text


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
