"""Linking users to identities of a provider, as an operator; `workspaces.joining` links at sign-in."""

from datetime import datetime

import sqlalchemy as sa

from portal.auth.audit import trail
from portal.auth.openid.tokens import is_subject
from portal.database.models import Identity, User
from portal.database.transactions import writing
from portal.errors import Conflict, FieldError, InvalidQuery, NotFound

MAX_ISSUER = 500


def link_identity(email: str, issuer: str, subject: str, now: datetime) -> User:
    """Link an identity to a user. Raises InvalidQuery, NotFound, Conflict."""
    errors = []
    if not issuer.startswith(("https://", "http://")) or not issuer.isascii() or len(issuer) > MAX_ISSUER:
        errors.append(FieldError("issuer", "must be the provider's URL, exactly as in its tokens."))
    if not is_subject(subject):
        errors.append(FieldError("subject", "must have 1 to 255 printable ASCII characters."))
    if errors:
        raise InvalidQuery(errors)
    with writing() as session:
        user = session.scalar(sa.select(User).where(User.email == email.lower()))
        if user is None:
            raise NotFound(f"There is no user {email}. Add one with: flask users add {email}")
        if session.get(Identity, (issuer, subject)) is not None:
            raise Conflict(f"{subject} at {issuer} is already linked to a user.")
        session.add(Identity(issuer=issuer, subject=subject, user_id=user.id, created_at=now))
        trail.record(session, "identity.linked", trail.OPERATOR, now, subject=user.email, issuer=issuer)
    return user
