"""Failures that are not bugs, of database and system: advice for the operator, a message for users."""

import errno
import logging
import re
from dataclasses import dataclass

import sqlalchemy as sa

from portal.database.refusals import ReadOnlyDatabase, UnfitDatabase, WriteRefused
from portal.errors import Unavailable

MAX_REASON = 400
"""Characters of a reason that are shown."""


@dataclass(frozen=True)
class Cause:
    code: str
    headline: str
    """What happened; the reason follows in brackets."""
    advice: str
    """What the operator can do."""
    public_message: str | None = None
    """The message to users, with a 503; None answers 500."""
    transient: bool = True
    """Whether it may pass within seconds."""


_AWAY = str(Unavailable())
FULL = Cause(
    "DISK_FULL",
    "No space is left",
    "Free some space, then try again.",
    "The portal has no space left to store this. Nothing was changed. Tell your operator.",
    transient=False,
)
READ_ONLY = Cause(
    "DATABASE_READ_ONLY",
    "The database is read-only at the moment",
    "Make it writable, or point PORTAL_DATABASE_URL at one that is: after a failover at the new primary, "
    "with SQLite at a file that this user may write, in a folder that this user may write.",
    "The portal's database is read-only at the moment. You can read everything; try the change again later.",
    transient=False,
)
NOT_WRITER = Cause(
    "DATABASE_NEWER",
    "This release does not write to the database",
    "",
    "The portal's database accepts no changes from this older server. You can read everything; your operator "
    "must start the newer release.",
    transient=False,
)
UNFIT = Cause("DATABASE_UNFIT", "The database cannot be used", "", _AWAY, transient=False)
LOCKED = Cause(
    "DATABASE_LOCKED",
    "The database is locked by another writer",
    "Wait until it has finished, then try again.",
    "The portal's database is busy. Try again in a moment.",
)
REFUSED = Cause(
    "DATABASE_REFUSES_SIGN_IN",
    "The database refuses the sign-in",
    "Correct user and password in PORTAL_DATABASE_URL, or what the server allows.",
    _AWAY,
)
NO_DATABASE = Cause(
    "NO_SUCH_DATABASE",
    "There is no such database",
    "Create it, or correct PORTAL_DATABASE_URL, then run: flask db upgrade",
    _AWAY,
)
NO_ANSWER = Cause(
    "NO_DATABASE", "The database does not answer", "Is it running, and is PORTAL_DATABASE_URL right?", _AWAY
)
NO_FILE = Cause(
    "NO_DATABASE",
    "The database file cannot be opened",
    "Does its folder exist, and may this user write there?",
    _AWAY,
)
OLDER = Cause(
    "DATABASE_OLDER",
    "The database lacks tables or columns of this release",
    "Run: flask db upgrade",
    "The portal's database is not ready for this release. Your operator must run: flask db upgrade",
    transient=False,
)
FORBIDDEN = Cause(
    "NOT_PERMITTED", "This is not permitted", "Give this user the rights, or use one that has them."
)
DAMAGED = Cause(
    "DATABASE_DAMAGED",
    "The database file is damaged, or is no SQLite database",
    "Restore a backup, or correct PORTAL_DATABASE_URL.",
    _AWAY,
)
DISK = Cause(
    "DISK_FAILS",
    "The disk fails",
    "Is there room, is the disk sound, and are files this large allowed?",
    _AWAY,
)
FAILED = Cause("DATABASE_FAILED", "The database failed", "", _AWAY)
SYSTEM = Cause("SYSTEM_FAILED", "The system failed", "")

_OF_POSTGRES = {
    "53100": FULL,
    "42P01": OLDER,
    "42703": OLDER,
    "3F000": OLDER,
    "42501": FORBIDDEN,
    "55P03": LOCKED,
    "40P01": LOCKED,
    "40001": LOCKED,
    "57014": LOCKED,
    "25P03": NO_ANSWER,
    "28P01": REFUSED,
    "28000": REFUSED,
    "3D000": NO_DATABASE,
}
_OF_SQLITE = (
    ("SQLITE_FULL", FULL),
    ("SQLITE_IOERR", DISK),
    ("SQLITE_BUSY", LOCKED),
    ("SQLITE_LOCKED", LOCKED),
    ("SQLITE_CANTOPEN", NO_FILE),
    ("SQLITE_PERM", FORBIDDEN),
    ("SQLITE_NOTADB", DAMAGED),
    ("SQLITE_CORRUPT", DAMAGED),
)
_OF_SYSTEM = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.EROFS: FORBIDDEN,
}
_SIGN_IN = re.compile("authentication failed|no password supplied|no pg_hba|role .* does not exist", re.I)
_NO_DATABASE = re.compile("database .* does not exist", re.I)
_LACKS = re.compile("no such (table|column)|has no column named")


def cause_of(error: BaseException) -> Cause | None:
    """The cause of a failure; None if it is a bug."""
    if isinstance(error, WriteRefused):
        return READ_ONLY if isinstance(error, ReadOnlyDatabase) else NOT_WRITER
    if isinstance(error, UnfitDatabase):
        return UNFIT
    if isinstance(error, OSError):
        return _OF_SYSTEM.get(error.errno or 0, SYSTEM)
    if isinstance(error, sa.exc.DBAPIError):
        return _cause_of_statement(error)
    return NO_ANSWER if isinstance(error, sa.exc.TimeoutError) else None


def _cause_of_statement(error: sa.exc.DBAPIError) -> Cause | None:
    name: str | None = getattr(error.orig, "sqlite_errorname", None)
    state: str | None = getattr(error.orig, "sqlstate", None)
    text = str(error.orig)
    if state is not None and state in _OF_POSTGRES:
        return _OF_POSTGRES[state]
    if name is not None:
        for prefix, cause in _OF_SQLITE:
            if name.startswith(prefix):
                return cause
        if _LACKS.search(text):
            return OLDER
    if not isinstance(error, sa.exc.OperationalError):
        return None
    return (
        FAILED
        if name is not None or (state is not None and state[:2] not in _GONE)
        else _cause_of_connection(text)
    )


_GONE = ("08", "57")
"""SQLSTATE classes of a failed connection and of a server that starts or shuts down."""


def _cause_of_connection(text: str) -> Cause:
    """A failed connection has no SQLSTATE, so its English message must do."""
    if _SIGN_IN.search(text):
        return REFUSED
    return NO_DATABASE if _NO_DATABASE.search(text) else NO_ANSWER


def explain(error: BaseException) -> str:
    """One line for an operator: what happened, why, and what to do."""
    cause, reason = cause_of(error), reason_of(error)
    if cause is None:
        return f"{type(error).__name__}: {reason}. This is a bug in the portal: please report it."
    if isinstance(error, WriteRefused | UnfitDatabase):
        return f"{cause.headline}. {reason}. {cause.advice}".rstrip()
    return f"{cause.headline} ({reason}). {cause.advice}".rstrip()


def warn(log: logging.Logger, message: str, error: Exception) -> None:
    """Log a warning: in one line if it is an outage, with a traceback if it may be a bug."""
    if cause_of(error) is not None:
        log.warning("%s: %s", message, explain(error))
    else:
        log.warning("%s", message, exc_info=error)


def reason_of(error: BaseException) -> str:
    """The message of the database or the system, on one line."""
    source: object = error
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        source = error.orig
    elif isinstance(error, OSError) and error.strerror:
        source = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    line = " ".join(str(source).split()).removesuffix(".")
    return line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}…"
