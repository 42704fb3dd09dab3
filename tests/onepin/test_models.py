"""Whatever the portal answers to a GET, the client's own models take it, in every release."""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.database.models import Invitation, Take, User, Workflow, Workspace
from portal.database.transactions import writing
from portal.history.importer import import_lines
from tests.definitions.graphs import smallest
from tests.factories import (
    NOON,
    make_entry,
    make_key,
    make_member,
    make_template,
    make_user,
    make_workflow,
    make_workspace,
)
from tests.history.lines import WORKFLOW, an_id, encode, run_line, upload_line, workflow_line
from tests.history.parsing.test_schema import OUTPUT_LINE, PERSON, RUN, TAKE
from tests.onepin.conftest import RELEASES, Onepin, program
from tests.provider_voices import voice_with_clip, voices_file
from tests.session_tokens import TokenCaller, let_in, portal_with_tokens

MODELS = Path(__file__).with_name("models.py")
APIS = ("/api/v1", "/api/v2")
ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
QUERIES = (
    "name=x&slug=x",
    "name=x&slug=x&limit=1&offset=1",
    "name=x&slug=x&include_definition=true&include_result=true&include_dropped=true",
)
"""Asked of every address: each ignores what it does not know."""
NEEDED = {
    "/api/v1/dictionary": "?language=de-de",
    "/api/v1/dictionary/search": "?search=x",
    "/api/v1/voices/<voice_id>/preview": "?language=de-de",
}
"""What an address does not answer without."""
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
SINK = {"graph": {"nodes": [{"id": "out", "type": "sink_preview"}]}}

SDK_ROSTER = """
import json, sys, onepin
base_url, key, workspace_id = sys.argv[1:]
roster = onepin.OnePinClient(token=key, base_url=base_url).workspace_members.list_members(workspace_id)
print(json.dumps([member.email for member in roster.data]))
"""


@dataclass
class Furnished:
    """A portal with something of everything, and who asks it."""

    app: Flask
    everything: dict[str, str]
    """Arguments of addresses that lead to things that have all that a thing may have."""
    others: list[dict[str, str]]
    """Arguments that lead to things with little or nothing in them."""
    workflow: Workflow
    person: TokenCaller
    key: str

    def answers(self) -> dict[str, list[Any]]:
        """What each address of the API that reads gives, by its path with {} for each argument."""
        found: dict[str, list[Any]] = defaultdict(list)
        for rule in self.app.url_map.iter_rules():
            if not rule.rule.startswith(APIS) or "GET" not in (rule.methods or ()):
                continue
            path = ARGUMENT.sub("{}", rule.rule)
            address = self._address(rule.rule, self.everything)
            found[path] += [self._ask(f"{address}&{query}") for query in QUERIES]
            for arguments in self.others:
                other = self._address(rule.rule, self.everything | arguments)
                if other != address:
                    found[path] += self._ask_politely(other, self.person.headers)
            found[path] += self._ask_politely(address, {"Authorization": f"Bearer {self.key}"})
        return found

    def _address(self, rule: str, arguments: dict[str, str]) -> str:
        return ARGUMENT.sub(lambda argument: arguments[argument[1]], rule) + NEEDED.get(rule, "?")

    def _ask(self, address: str) -> Any:
        answer = self.app.test_client().get(address, headers=self.person.headers)
        assert answer.status_code == 200, (address, answer.text)
        return answer.get_json()

    def _ask_politely(self, address: str, headers: dict[str, str]) -> list[Any]:
        """The answer, where it is no refusal."""
        answer = self.app.test_client().get(f"{address}&name=x&slug=x", headers=headers)
        assert answer.status_code in (200, 403, 404, 409), (address, answer.text)
        return [answer.get_json()] if answer.status_code == 200 else []


@pytest.fixture
def furnished(environment: dict[str, str], tmp_path: Path) -> Iterator[Furnished]:
    voices = {"PORTAL_PROVIDER_VOICES": str(voices_file(tmp_path))}
    with portal_with_tokens(environment | voices, tmp_path) as app:
        workspace, user = make_workspace(), let_in(make_user(first_name="Ada", last_name="Lovelace"))
        make_member(workspace, user)
        make_member(workspace, make_user("bare@acme.example"), "viewer")
        make_member(make_workspace("other", "Other"), user)
        invite(workspace)
        fill(workspace)
        empty = make_workflow(workspace, "Empty")
        make_entry(workspace, "xylophone")
        template = make_template(workspace, "x", created_by=user.id, definition=smallest())
        key = make_key(workspace, user, SCOPES)
        person = TokenCaller(app, user, workspace.id)
        [key_row] = person.ask("GET", "/api-keys").get_json()["data"]
        everything = {
            "workspace_id": str(workspace.id),
            "workflow_id": WORKFLOW,
            "run_id": an_id("everything"),
            "node_id": "out",
            "node_type": "operator_generator",
            "audio_id": db.session.scalars(sa.select(Take.audio_id)).first() or "",
            "key_id": key_row["id"],
            "voice_id": str(voice_with_clip()),
            "provider_name": "acme",
            "model_name": "org/large",
            "template_id": template.id,
        }
        others = [{"workflow_id": str(empty.id)}, *({"run_id": an_id(status)} for status in STATUSES)]
        yield Furnished(app, everything, others, empty, person, key)


def invite(workspace: Workspace) -> None:
    now = moments.now()
    with writing() as session:
        session.add(
            Invitation(
                id=uuid4(),
                token_hash=b"x" * 32,
                workspace_id=workspace.id,
                email="new@acme.example",
                role="viewer",
                created_at=now,
                expires_at=now + timedelta(days=1),
            )
        )


def fill(workspace: Workspace) -> None:
    """A run that says everything, runs that say next to nothing, and uploads of both kinds."""
    audio = {"path": "a.wav"}
    takes = [
        TAKE | {"audio": audio, "status": status} for status in ("delivered", "dropped", "not_delivered")
    ]
    output = OUTPUT_LINE | {"takes": takes}
    apart = ("source", "external_id", "attempt", "parent", "rerun_of")
    everything = {name: each for name, each in RUN.items() if name not in apart}
    everything |= {"id": an_id("everything"), "definition_snapshot": SINK, "files": [audio]}
    lines = [
        workflow_line(
            description="x", definition=SINK, source="ci", url="https://ci.example/w", path="a/w.yml"
        ),
        upload_line(path="a.txt", uploaded_by=PERSON, detected_language="de"),
        upload_line("known of"),
        everything | {"output_lines": [output, {}]},
        *(run_line(status, status=status, started_at=None, completed_at=None) for status in STATUSES),
    ]
    files = {"a.wav": b"RIFF", "a.txt": b"Hello\n"}
    summary = import_lines(workspace.id, [encode(line) for line in lines], now=NOON, files=files)
    assert summary.ok, summary.to_text()
    db.session.rollback()


@pytest.mark.parametrize("release", RELEASES)
def test_the_models_of_the_client_take_every_answer(
    furnished: Furnished, release: str, tmp_path: Path
) -> None:
    if not program(release).exists():
        pytest.skip(f"the onepin client {release} is not installed: run the tests with `make test`")
    answers = furnished.answers()
    client = Onepin(release, tmp_path, "", "", furnished.workflow)
    compared = json.loads(client.run(sys.executable, str(MODELS), given=json.dumps(answers)).stdout)
    known = set(compared["known"]) & answers.keys()
    assert f"{APIS[0]}/workspaces/{{}}/members" in known
    assert len(known) >= 18
    assert [path for path in known if not answers[path]] == []
    assert sorted(set(compared["refused"])) == []


def test_the_roster_is_listed_by_the_command_line_and_the_sdk(onepin: Onepin, app: Flask) -> None:
    workspace = db.session.get_one(Workspace, onepin.workflow.workspace_id)
    user = db.session.scalars(sa.select(User)).one()
    key = make_key(workspace, user, ("workspace:read",))
    onepin.environment = {"ONEPIN_API_KEY": key}
    [row] = onepin.json("workspace", "members", "list", str(workspace.id))
    assert (row["email"], row["role"]) == ("ada@acme.example", "admin")
    assert "ada@acme.example" in onepin("workspace", "members", "list", str(workspace.id)).stdout
    assert [each["id"] for each in onepin.json("workspace", "list")] == [str(workspace.id)]
    assert onepin.json("workspace", "show", str(workspace.id))["created_by"]
    read = onepin.run(sys.executable, "-c", SDK_ROSTER, onepin.base_url, key, str(workspace.id))
    assert json.loads(read.stdout) == ["ada@acme.example"]
