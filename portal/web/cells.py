"""Cells of CSV files, which spreadsheets open."""

from datetime import datetime

from portal.moments import format_moment

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\0")


def safe_cell(value: object) -> str:
    """A value as a cell; a text that begins like a formula gets an apostrophe in front (ASVS 1.2.10)."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULAS) else value
    if isinstance(value, datetime):
        return format_moment(value)
    return "" if value is None else str(value)
