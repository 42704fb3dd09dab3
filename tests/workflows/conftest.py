"""A workspace, and its principal: a session of an admin, or a key of theirs."""

from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.auth.principals import SCOPES, Membership, Principal, PrincipalUser
from portal.database.engine import db
from portal.database.models import ApiKey, User, Workspace
from tests.factories import make_key, make_member, make_user, make_workspace


@dataclass
class Writer:
    """Somebody who may write workflows."""

    workspace: Workspace
    user: User
    principal: Principal

    def with_key(self) -> Principal:
        make_key(self.workspace, self.user, SCOPES)
        key_id = db.session.scalars(sa.select(ApiKey.id)).first()
        return replace(self.principal, kind="api_key", scopes=frozenset(SCOPES), api_key_id=key_id)


@pytest.fixture
def writer(app: Flask) -> Writer:
    workspace, user = make_workspace(), make_user(first_name="Ada", last_name="Lovelace")
    make_member(workspace, user)
    membership = Membership(workspace.id, workspace.name, workspace.slug, "admin")
    who = PrincipalUser(user.id, user.email, user.display_name)
    principal = Principal(kind="session", user=who, workspaces=(membership,), chosen=workspace.id)
    return Writer(workspace, user, principal)
