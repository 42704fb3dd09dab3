"""The exceptions that a caller sees, each with its HTTP status and error code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

MAX_ERRORS = 100
"""How many invalid fields an answer names."""
_MAX_SAID = 10
"""How many of them its message says."""


@dataclass(frozen=True)
class FieldError:
    """An invalid field: its bare name and what is allowed (contract 1.4)."""

    field: str
    message: str
    rule: str | None = None
    """The id of the broken rule, where rules have ids: those of definitions."""
    node_id: str | None = None
    """The node of a definition that breaks it."""


class PortalError(Exception):
    """Something went wrong."""

    status, code = 500, "INTERNAL_ERROR"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)

    @property
    def message(self) -> str:
        return str(self)


class Unauthorized(PortalError):
    """Sign in, or send an API key as a bearer token."""

    status, code = 401, "UNAUTHORIZED"


class InvalidApiKey(Unauthorized):
    """This API key is unknown, revoked or of a kind that is not in use."""

    code = "INVALID_API_KEY"


class TooManyRequests(PortalError):
    """Too many requests. Wait a little and try again."""

    status, code = 429, "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Whole seconds until a request is accepted again."""


class BadRequest(PortalError):
    """The request cannot be understood."""

    status, code = 400, "BAD_REQUEST"


class WrongAddress(BadRequest):
    """This portal does not answer to that host name."""


class Forbidden(PortalError):
    """You may not do this."""

    status, code = 403, "FORBIDDEN"


class NotFound(PortalError):
    """There is nothing here, or nothing that you may see."""

    status, code = 404, "NOT_FOUND"


class Deleted(NotFound):
    """It was deleted, which members of its workspace learn on pages (410); to programs it is not there (404).

    The message is that of what never was.
    """

    def __init__(self, message: str, name: str, deleted_at: datetime, deleted_by: str | None) -> None:
        super().__init__(message)
        self.name, self.deleted_at, self.deleted_by = name, deleted_at, deleted_by


class PaymentRequired(PortalError):
    """The balance or the plan of the workspace does not cover this."""

    status, code = 402, "INSUFFICIENT_CREDITS"


class PreconditionFailed(PortalError):
    """It has changed since you read it. Read it again, then repeat your change."""

    status, code = 412, "PRECONDITION_FAILED"


class Gone(PortalError):
    """It was here, and is no longer."""

    status, code = 410, "GONE"


class Conflict(PortalError):
    """The present state does not allow this."""

    status, code = 409, "CONFLICT"


class Unavailable(PortalError):
    """The portal cannot reach its database. Try again in a moment."""

    status, code = 503, "SERVICE_UNAVAILABLE"

    def __init__(self, message: str | None = None, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient
        """Whether the outage may pass within seconds."""
        self.retry_after = 5 if transient else 60
        """Seconds until it is worth asking again."""


class Busy(Unavailable):
    """The portal takes as much as it can. Send it again in a second."""

    def __init__(self) -> None:
        super().__init__()
        self.retry_after = 1


class SourceFailed(PortalError):
    """The workspace that a mirror copies cannot be read."""

    status, code = 502, "SOURCE_FAILED"

    def __init__(self, message: str, *, retry_after: int | None = None, about_one: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Whole seconds that its server asked to wait."""
        self.about_one = about_one
        """Whether this one answer was wrong, while others may be right."""


class InvalidQuery(PortalError):
    """One or more fields are not valid."""

    status, code = 422, "VALIDATION_ERROR"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        said = [f"{error.field}: {error.message}" for error in errors[:_MAX_SAID]]
        more = [f"And {len(errors) - _MAX_SAID:,} more."] if len(errors) > _MAX_SAID else []
        super().__init__(" ".join(said + more))
        self.errors = tuple(errors[:MAX_ERRORS])


def is_api(path: str) -> bool:
    """Whether a path is for programs, which get JSON, errors included: the API, and hooks."""
    return path == "/api" or path.startswith(("/api/", "/hooks/"))


def is_ping(path: str) -> bool:
    """Whether a path belongs to ping addresses, which answer in plain text."""
    return path.startswith("/ping/")
