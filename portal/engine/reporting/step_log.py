"""The log of a step as a worker writes it: bounded, on single lines, and without secrets."""

import threading
from collections.abc import Collection
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction

from portal.database.models import EngineClaim, StepLogLine
from portal.input.text import is_storable
from portal.web.logs import redact

MAX_LINES = 1_000
"""Lines of the log of a step, over all attempts; the last one says that the log ends there."""
MAX_CHARACTERS = 2_000
"""Characters of a line, the note included that says how long it was."""

REDACTED = "[redacted]"
END = f"The log ends here: a step has at most {MAX_LINES:,} lines."
_PICTURES = 0x2400
"""Where Unicode has pictures of the control characters, such as ␛."""
_KEPT = "\t\u200c\u200d"
"""Tabs, and what joins letters and keeps them apart: scripts and emoji need it."""

_Line = tuple[datetime, str]


class StepLog:
    """The lines of a step that are not stored yet. It may be written to and stored in different threads."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """`secrets` appear in no line."""
        self._secrets = secrets
        self._lock = threading.Lock()
        self._lines: list[_Line] = []

    def write(self, message: str, at: datetime) -> None:
        """Add a message, a line for each of its own; what is beyond MAX_LINES is dropped."""
        lines = [clean(line) for line in mask(message, self._secrets).splitlines()]
        with self._lock:
            self._lines += [(at, line) for line in lines[: MAX_LINES - len(self._lines)]]

    @property
    def waits(self) -> bool:
        """Whether there are lines to store."""
        return bool(self._lines)

    def store(self, session: Session, run_id: UUID, position: int) -> None:
        """Store the lines with the transaction of the caller, who has made sure that the step is still its.

        They follow those of earlier attempts. If the transaction is rolled back, they wait for another one.
        """
        held = sa.select(EngineClaim.fence).where(
            EngineClaim.run_id == run_id, EngineClaim.position == position
        )
        session.execute(held.with_for_update())  # a heartbeat may store lines while the step ends
        with self._lock:
            lines, self._lines = self._lines, []
        if not lines:
            return
        self._keep_unless_committed(session, lines)
        highest = sa.select(sa.func.max(StepLogLine.number))
        of_step = highest.where(StepLogLine.run_id == run_id, StepLogLine.position == position)
        last = session.scalar(of_step) or 0
        kept = lines[: max(MAX_LINES - 1 - last, 0)]
        if len(kept) < len(lines) and last < MAX_LINES:
            kept.append((lines[len(kept)][0], END))
        session.add_all(
            StepLogLine(run_id=run_id, position=position, number=number, at=at, message=message)
            for number, (at, message) in enumerate(kept, last + 1)
        )

    def _keep_unless_committed(self, session: Session, lines: list[_Line]) -> None:
        committed = threading.Event()
        sa.event.listen(session, "after_commit", lambda _: committed.set())

        @sa.event.listens_for(session, "after_transaction_end")
        def ended(_: Session, transaction: SessionTransaction) -> None:
            if transaction.parent is None and not committed.is_set():
                with self._lock:
                    self._lines = lines + self._lines


def mask(text: str, secrets: Collection[str]) -> str:
    """The text without these secrets, as they are and as URLs have them, nor what looks like one."""
    forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""), quote(secret))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, REDACTED)
    return redact(text)


def clean(line: str) -> str:
    """A line that any database stores and any page shows as it is: bounded, controls made visible."""
    if len(line) > MAX_CHARACTERS:
        note = f" … [{len(line):,} characters]"
        line = line[: MAX_CHARACTERS - len(note)] + note
    return _bounded("".join(map(_visible, line)))


def _bounded(line: str) -> str:
    """Escapes make a line longer than its characters were."""
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1] + "…"


def _visible(character: str) -> str:
    if character.isprintable() or character in _KEPT:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(_PICTURES + code)
    if code == 0x7F:
        return "␡"
    if character.isspace() and is_storable(character):
        return " "
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
