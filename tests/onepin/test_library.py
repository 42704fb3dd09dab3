"""Templates, voices, providers and the dictionary with the published client, over real HTTP."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from onepin import AsyncOnepinClient, OnepinClient

from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.database.models import User, Workflow, Workspace
from portal.speech import espeak
from tests.definitions.graphs import smallest
from tests.factories import make_key
from tests.onepin.conftest import NEWEST, Onepin
from tests.provider_voices import voices_file
from tests.serving import served

pytestmark = pytest.mark.clients

needs_program = pytest.mark.skipif(
    not espeak.is_here(), reason="espeak-ng is not installed: apt-get install espeak-ng"
)


@pytest.fixture
def key(shelf: tuple[Workflow, str]) -> str:
    """A key for everything that a key can do."""
    workspace = db.session.get_one(Workspace, shelf[0].workspace_id)
    return make_key(workspace, db.session.query(User).one(), SCOPES)


@pytest.fixture
def server(shelf: object, environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    voices = {"PORTAL_PROVIDER_VOICES": str(voices_file(tmp_path))}
    with served(environment | voices, tmp_path) as base_url:
        yield base_url


@pytest.fixture
def cli(shelf: tuple[Workflow, str], key: str, server: str, tmp_path: Path) -> Onepin:
    """The newest command line client, signed in."""
    client = Onepin(NEWEST, tmp_path / "home", server, key, shelf[0])
    client.home.mkdir()
    client("login", "--key", key, "--base-url", server)
    return client


@pytest.fixture
def definition(tmp_path: Path) -> str:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(smallest()))
    return f"@{file}"


def test_templates_are_made_changed_liked_cloned_and_deleted(cli: Onepin, definition: str) -> None:
    made = cli.json("templates", "create", "--name", "Dub", "--category", "media", "--definition", definition)
    assert made["definition"]["graph"]["edges"]
    template_id = made["id"]
    cli("templates", "update", template_id, "--name", "Dub it", "--description", "d")
    shown = cli.json("templates", "show", template_id)
    assert (shown["name"], shown["description"], shown["category"]) == ("Dub it", "d", "media")
    assert {row["name"] for row in cli.json("templates", "list")} >= {"Dub it", "Read a text aloud"}
    assert [row["id"] for row in cli.json("templates", "list", "--search", "dub it")] == [template_id]
    cli("templates", "favorite", template_id)
    assert [row["id"] for row in cli.json("templates", "list", "--favorites-only")] == [template_id]
    cli("templates", "unfavorite", template_id)
    assert cli.json("templates", "list", "--favorites-only") == []
    workflow = cli.json("templates", "clone", template_id, "--name", "Mine")
    assert cli.json("workflows", "show", workflow["id"])["definition"] == shown["definition"]
    assert "Cloned template into workflow" in cli("templates", "clone", "ReadText").stdout
    cli("templates", "delete", template_id, "--yes")
    assert template_id not in cli("templates", "list").stdout
    refused = cli("templates", "delete", "ReadText", "--yes", check=False)
    assert refused.returncode == 1
    assert "FORBIDDEN" in refused.stderr


def test_voices_are_listed_counted_shown_liked_and_heard_of(cli: Onepin) -> None:
    [anna] = cli.json("voices", "list", "--language", "de-de", "--provider", "acme", "--gender", "female")
    assert anna["name"] == "Anna"
    assert [row["name"] for row in cli.json("voices", "list", "--search", "warm")] == ["Anna"]
    facets = cli.json("voices", "facets", "--provider", "acme")
    assert [each["count"] for each in facets["languages"]] == [2, 1]
    assert cli.json("voices", "show", anna["id"])["tags"] == ["warm"]
    assert cli.json("voices", "similar", anna["id"]) == []
    cli("voices", "favorite", anna["id"])
    assert [row["id"] for row in cli.json("voices", "list", "--favorites-only")] == [anna["id"]]
    cli("voices", "unfavorite", anna["id"])
    assert cli.json("voices", "list", "--favorites-only") == []
    [clip] = cli.json("voices", "sample", anna["id"], "--language", "de-de", "--model", "org/large")
    assert (clip["sample_url"], clip["fallback"]) == ("https://acme.example/anna.mp3", False)
    [bob] = cli.json("voices", "list", "--gender", "male", "--provider", "acme")
    silent = cli("voices", "sample", bob["id"], "--language", "en-us", check=False)
    assert "NO_SAMPLE" in silent.stderr


def test_a_voice_of_a_provider_is_set_in_a_workflow(cli: Onepin, definition: str) -> None:
    workflow = cli.json("workflows", "create", "--name", "Dub", "--definition", definition)
    [anna] = cli.json("voices", "list", "--language", "de-de", "--provider", "acme")
    _set_voice(cli, workflow["id"], "de-de", anna["id"])
    assert _voice_map(cli, workflow["id"]) == {
        "de-de": [
            {
                "voice_id": "anna",
                "catalog_voice_id": anna["id"],
                "provider": "acme",
                "model": "org/large",
                "voice_name": "Anna",
            }
        ]
    }
    other = cli(
        "workflows", "set-voice", workflow["id"], "--locale", "fr-fr", "--voice", anna["id"], check=False
    )
    assert "does not support fr-fr" in other.stderr


@needs_program
def test_a_voice_of_the_default_engine_is_set_in_a_workflow(cli: Onepin, definition: str) -> None:
    workflow = cli.json("workflows", "create", "--name", "Dub", "--definition", definition)
    for locale in ("en-us", "zh-cn"):
        [voice] = cli.json(
            "voices", "list", "--language", locale, "--provider", "espeak-ng", "--gender", "female"
        )
        _set_voice(cli, workflow["id"], locale, voice["id"])
    voices = _voice_map(cli, workflow["id"])
    assert [voices[locale][0]["voice_id"] for locale in ("en-us", "zh-cn")] == [
        "en-us+f3",
        "cmn-latn-pinyin+f3",
    ]
    assert {voices[locale][0]["model"] for locale in voices} == {"espeak-ng"}


def test_a_voice_whose_program_is_absent_is_not_set(
    shelf: tuple[Workflow, str], key: str, environment: dict[str, str], tmp_path: Path, definition: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path))
    with served(environment, tmp_path) as base_url:
        cli = Onepin(NEWEST, tmp_path / "home", base_url, key, shelf[0])
        cli.home.mkdir()
        cli("login", "--key", key, "--base-url", base_url)
        assert cli.json("voices", "list") == []
        workflow = cli.json("workflows", "create", "--name", "Dub", "--definition", definition)
        voice_id = "cafa4c36-8dae-5181-9cbb-3d9c0580c572"
        refused = cli(
            "workflows", "set-voice", workflow["id"], "--locale", "en-us", "--voice", voice_id, check=False
        )
        assert "is not active and cannot be assigned" in refused.stderr


def _set_voice(cli: Onepin, workflow_id: str, locale: str, voice_id: str) -> None:
    said = cli("workflows", "set-voice", workflow_id, "--locale", locale, "--voice", voice_id).stdout
    assert f"Set {locale} to" in said


def _voice_map(cli: Onepin, workflow_id: str) -> dict[str, Any]:
    nodes = cli.json("workflows", "show", workflow_id)["definition"]["graph"]["nodes"]
    [generator] = [node for node in nodes if node["type"] == "operator_generator"]
    found: dict[str, Any] = generator["config"]["voice_map"]
    return found


def test_the_sdk_walks_from_providers_to_voices(key: str, server: str) -> None:
    client = OnepinClient(api_key=key, base_url=server)
    [_, acme] = client.providers.list_catalog_providers().data
    assert client.providers.get_catalog_provider(acme.provider).data.model_count == 2
    [large, _] = client.providers.list_catalog_provider_models(acme.provider).data
    assert client.providers.get_catalog_provider_model(acme.provider, large.model).data.voice_count == 1
    listed = client.providers.list_catalog_provider_model_voices(acme.provider, large.model)
    assert [voice.name for voice in listed.data] == ["Anna"]
    assert client.voices.preview(listed.data[0].id, language="de-de").data.model == "small"


def test_the_sdk_estimates_a_template(key: str, server: str) -> None:
    client = OnepinClient(api_key=key, base_url=server)
    found = client.templates.estimate_template("ReadText").data
    assert (found.unit_chars, found.source_snapshot, found.total_max_credits_per_unit) == (
        1_000,
        "published",
        0,
    )


def test_the_sdk_keeps_a_dictionary(key: str, server: str) -> None:
    words = OnepinClient(api_key=key, base_url=server).dictionary
    spelled = {"word": "Podonos", "language": "en-us", "method": "spelled"}
    entry = words.create_dictionary_entry(**spelled, pronunciation="poh-doh-nohs").data
    assert words.update_dictionary_entry(entry.id, ipa="pəˈdoʊnoʊs").data.ipa == "pəˈdoʊnoʊs"
    assert [each.id for each in words.list_dictionary_entries(language="en-us").data] == [entry.id]
    assert [each.id for each in words.search_dictionary_entries(search="PODO").data] == [entry.id]
    assert [(each.code, each.count) for each in words.list_dictionary_languages().data] == [("en-us", 1)]
    words.delete_dictionary_entry(entry.id)
    assert words.list_dictionary_languages().data == []


@needs_program
def test_the_sdk_is_told_how_a_word_is_pronounced(key: str, server: str) -> None:
    words = OnepinClient(api_key=key, base_url=server).dictionary
    assert words.suggest_pronunciation(word="hello", language="en-gb").data.pronunciation == "həlˈəʊ"


def test_the_asynchronous_sdk_reads_the_same(key: str, server: str) -> None:
    async def everything() -> list[str]:
        client = AsyncOnepinClient(api_key=key, base_url=server)
        voices = await client.voices.list(provider=["acme"], sort=["name"])
        facets = await client.voices.get_voice_facets()
        liked = await client.voices.favorite_voice(voices.data[0].id)
        made = await client.templates.create_template(name="Dub")
        mine = await client.users.list_my_templates()
        entry = await client.dictionary.create_dictionary_entry(
            word="a", language="de-de", method="spelled", pronunciation="b"
        )
        assert facets.data.accents[0].value == "american"
        assert liked.data.is_favorite
        assert made.data.id == mine.data[0].id
        return [voice.name for voice in voices.data] + [entry.data.word]

    # In a thread of its own: a browser that other tests have open keeps an event loop in this one.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: asyncio.run(everything())).result() == ["Anna", "Bob", "a"]
