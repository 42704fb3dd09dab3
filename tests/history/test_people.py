"""Who is who: people from `triggered_by`."""

from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Person, User, Workspace
from portal.database.transactions import writing
from portal.input.folding import fold
from portal.workspaces.people import identify, person_of
from tests.factories import make_member, make_user, make_workspace
from tests.history.conftest import Import
from tests.history.lines import run_line, workflow_line

W = workflow_line()


def people() -> list[Person]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(sa.select(Person).order_by(Person.id)))


@pytest.mark.parametrize(
    ("triggered_by", "shown"),
    [
        ({"id": "u1"}, "u1"),
        ({"id": 4711}, "4711"),
        ({"id": "u1", "name": "Ada", "email": "ada@acme.example"}, "Ada"),
        ({"id": "u1", "email": "ada@acme.example"}, "ada@acme.example"),
        ({"email": "Ada@Acme.example"}, "Ada@Acme.example"),
        ({"name": "ÅSA Öberg"}, "ÅSA Öberg"),
    ],
)
def test_a_person_is_shown_by_name_else_by_email_else_by_id(
    load: Import, triggered_by: dict[str, object], shown: str
) -> None:
    load(W, run_line(triggered_by=triggered_by))
    [person] = people()
    assert (person.display_name, person.display_name_folded) == (shown, fold(shown))
    assert person.email_folded == fold(str(triggered_by.get("email", "")))


@pytest.mark.parametrize("triggered_by", [None, {}, {"name": ""}, {"id": None, "name": "  "}])
def test_nobody_is_nobody(load: Import, triggered_by: object) -> None:
    assert load(W, run_line(triggered_by=triggered_by)).ok
    assert people() == []


def test_the_same_id_is_one_person_whose_newer_name_counts(load: Import) -> None:
    load(
        W,
        run_line("a", triggered_by={"id": "u1"}),
        run_line("b", triggered_by={"id": "u1", "name": "Ada"}),
        run_line("c", triggered_by={"id": "u1", "email": "ada@acme.example"}),
    )
    load(run_line("d", triggered_by={"id": "u1", "name": "Ada L."}), run_line("e", triggered_by={"id": "u1"}))
    [person] = people()
    assert (person.source_id, person.name, person.email) == ("u1", "Ada L.", "ada@acme.example")
    assert (person.display_name, person.display_name_folded) == ("Ada L.", "ada l.")


def test_an_unchanged_line_does_not_touch_people(load: Import) -> None:
    old = run_line("a", triggered_by={"id": "u1", "name": "Old"})
    load(W, old)
    load(run_line("b", triggered_by={"id": "u1", "name": "New"}))
    load(old)
    [person] = people()
    assert person.display_name == "New"


def test_an_id_that_is_a_uuid_is_the_user_id_whatever_its_case(load: Import) -> None:
    user_id = uuid4()
    load(
        W,
        run_line("a", triggered_by={"id": str(user_id)}),
        run_line("b", triggered_by={"id": str(user_id).upper()}),
    )
    [person] = people()
    assert person.user_id == user_id


def test_made_user_ids_stay_the_same_and_kinds_do_not_mix() -> None:
    alike = [identify("x", None, None), identify(None, "x", None), identify(None, None, "x")]
    ids = [identity.user_id for identity in alike if identity]
    assert len(set(ids)) == 3
    assert ids[0] == UUID("eca91952-c736-555f-ad4d-0a110b2722d1")
    by_email = [identify(None, name, email) for name, email in (("A", "X@y.z"), ("B", "x@Y.z"))]
    assert len({identity.user_id for identity in by_email if identity}) == 1


def test_a_member_keeps_the_name_and_email_of_their_own(load: Import, workspace: Workspace) -> None:
    user = make_user("ada@acme.example", "Ada", "Lovelace")
    make_member(workspace, user)
    load(W, run_line(triggered_by={"id": str(user.id), "name": "Mallory", "email": "m@evil.example"}))
    [person] = people()
    assert (person.display_name, person.email) == ("Ada Lovelace", "ada@acme.example")


def test_an_email_alone_does_not_make_somebody_a_member(load: Import, workspace: Workspace) -> None:
    user = make_user("ada@acme.example", "Ada", "Lovelace")
    make_member(workspace, user)
    load(W, run_line(triggered_by={"email": "ada@acme.example"}))
    [person] = people()
    assert person.user_id != user.id
    assert person.display_name == "ada@acme.example"


def test_people_belong_to_one_workspace(load: Import) -> None:
    other = make_workspace("other")
    load(W, run_line(triggered_by={"id": "u1"}))
    theirs = workflow_line(id=str(uuid4()))
    load(
        theirs,
        run_line("other", workflow_id=theirs["id"], triggered_by={"id": "u1", "name": "Ada"}),
        into=other,
    )
    assert [person.display_name for person in people()] == ["u1", "Ada"]
    assert len({person.user_id for person in people()}) == 1


def test_what_else_the_source_says_of_a_person_is_kept(load: Import) -> None:
    load(W, run_line(triggered_by={"id": "u1", "team": "blue"}))
    source = db.session.execute(sa.text("SELECT source FROM run_details")).scalar()
    assert "blue" in str(source)


def test_a_signed_in_user_is_one_person_of_the_workspace(workspace: Workspace) -> None:
    user: User = make_user("ada@acme.example", "Ada", "Lovelace")
    make_member(workspace, user)
    ids = set()
    for _ in range(2):
        with writing() as session:
            ids.add(person_of(session, workspace.id, user))
    [person] = people()
    assert ids == {person.id}
    assert (person.user_id, person.display_name) == (user.id, "Ada Lovelace")
