"""The portal with a provider whose session tokens it takes, and callers who send them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from portal import create_app
from portal.database.models import Identity, User
from portal.database.transactions import writing
from tests.auth.provider_keys import ISSUER, PARTY, claims, key_server, key_set, rsa_key, sign
from tests.conftest import under_test

KEY = rsa_key("a")


@dataclass
class TokenCaller:
    """A script that sends a session token of one user, in one workspace."""

    app: Flask
    user: User
    workspace_id: object = None

    @property
    def headers(self) -> dict[str, str]:
        """Good for hours: a test that sends them thousands of times may take as long as it takes."""
        named = {} if self.workspace_id is None else {"X-Workspace-Id": str(self.workspace_id)}
        token = sign(KEY, claims(sub=str(self.user.id), exp=int(time.time()) + 36_000))
        return {"Authorization": f"Bearer {token}"} | named

    def ask(self, method: str, path: str, *, api: str = "/api/v1", **options: Any) -> TestResponse:
        return self.app.test_client().open(f"{api}{path}", method=method, headers=self.headers, **options)


def let_in(user: User) -> User:
    """Make the provider's subject with the user's own id stand for them."""
    with writing() as session:
        session.add(
            Identity(issuer=ISSUER, subject=str(user.id), user_id=user.id, created_at=user.created_at)
        )
    return user


@contextmanager
def portal_with_tokens(environment: dict[str, str], instance: Path) -> Iterator[Flask]:
    """The portal, inside an application context, with a provider that answers."""
    with key_server() as server:
        server.serve(key_set(KEY))
        tokens = {
            "PORTAL_JWT_ISSUER": ISSUER,
            "PORTAL_JWT_JWKS_URL": server.url,
            "PORTAL_JWT_AUTHORIZED_PARTIES": PARTY,
        }
        app = create_app(environment | tokens, instance=instance)
        with under_test(app):
            yield app
