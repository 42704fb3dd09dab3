"""Why a database refuses to take changes, or cannot be used at all."""


class WriteRefused(Exception):
    """The database takes no changes from here; the text says why."""


class ReadOnlyDatabase(WriteRefused):
    """The database takes no changes from anybody, at least on this connection."""


class UnfitDatabase(Exception):
    """A database that cannot keep what the portal stores; the text says why."""
