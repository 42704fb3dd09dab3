"""Exceptions for a database that refuses writes or cannot be used."""


class WriteRefused(Exception):
    """The database accepts no writes from this process; the message says why."""


class ReadOnlyDatabase(WriteRefused):
    """The database is read-only, at least on this connection."""


class UnfitDatabase(Exception):
    """A database that cannot store the portal's data; the message says why."""
