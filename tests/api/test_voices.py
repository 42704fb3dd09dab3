"""Voices and providers over the API."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from portal import create_app
from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.speech import espeak
from portal.speech.catalog import ACCENTS, AGES, CATEGORIES, GENDERS
from tests.api.conftest import Api
from tests.factories import make_key, make_member, make_user, make_workspace
from tests.provider_voices import voices_file

Json = dict[str, Any]


@pytest.fixture
def app(environment: dict[str, str], tmp_path: Path) -> Iterator[Flask]:
    """A portal with voices of a provider, whatever is installed here."""
    settings = environment | {"PORTAL_PROVIDER_VOICES": str(voices_file(tmp_path))}
    app = create_app(settings, instance=tmp_path)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def api(api: Api) -> Api:
    return api.with_key(make_key(api.workspace, api.user, SCOPES))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[bool], None]:
    """Whether the default engine's program is to be found: it need not work for what is tested here."""

    def install(there: bool) -> None:
        program = tmp_path / "bin" / "espeak-ng"
        program.parent.mkdir(exist_ok=True)
        program.unlink(missing_ok=True)
        if there:
            program.touch(0o755)
        monkeypatch.setenv("PATH", str(program.parent))

    return install


def names(api: Api, query: str) -> list[str]:
    answer = api.get(f"/voices?sort=name&limit=100&{query}")
    assert answer.status_code == 200, answer.text
    return [voice["name"] for voice in answer.get_json()["data"]]


def find(api: Api, name: str) -> Json:
    found: Json = next(
        voice for voice in api.get("/voices?limit=100").get_json()["data"] if voice["name"] == name
    )
    return found


def test_voices_are_filtered_by_any_value_of_each_filter(api: Api, installed: Callable[[bool], None]) -> None:
    installed(False)
    for query, found in {
        "": ["Anna", "Bob"],
        "language=de_DE": ["Anna"],
        "language=EN-us&language=fr-fr": ["Anna", "Bob"],
        "language=fr-fr": [],
        "gender=male": ["Bob"],
        "gender=male&gender=female": ["Anna", "Bob"],
        "gender=male&language=de-de": [],
        "age=young&accent=german&category=narration": ["Anna"],
        "provider=acme&provider=other": ["Anna", "Bob"],
        "provider=other": [],
        "model=org/large": ["Anna"],
        "source=platform": ["Anna", "Bob"],
        "source=workspace": [],
        "search=WARM": ["Anna"],
        "search=ob": ["Bob"],
        "search=%25": [],
        "order=desc": ["Bob", "Anna"],
        "buildable=true": ["Anna", "Bob"],
    }.items():
        assert names(api, query) == found, query


def test_pages_of_a_filtered_list_lead_to_each_other(api: Api, installed: Callable[[bool], None]) -> None:
    installed(False)
    first = api.get("/voices?sort=name&limit=1&gender=male&gender=female").get_json()
    assert first["pagination"]["total"] == 2
    assert first["pagination"]["next"].endswith(
        "/voices?offset=1&limit=1&gender=male&gender=female&sort=name"
    )
    assert first["pagination"]["prev"] is None
    past = api.get("/voices?offset=99999999999999999999").get_json()
    assert (past["data"], past["pagination"]["next"]) == ([], None)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("language=xx", {"language"}),
        ("language=de", {"language"}),
        ("gender=x&age=x&category=x&accent=x&source=x", {"gender", "age", "category", "accent", "source"}),
        ("sort=x&order=x&limit=0&offset=-1", {"sort", "order", "limit", "offset"}),
        ("order=asc", {"order"}),
        ("favorites_only=maybe", {"favorites_only"}),
    ],
)
def test_bad_parameters_are_named_together(api: Api, query: str, fields: set[str]) -> None:
    answer = api.get(f"/voices?{query}")
    assert answer.status_code == 422
    assert {detail["field"] for detail in answer.get_json()["error"]["details"]} == fields


def test_the_default_engine_speaks_only_where_it_is_installed(
    api: Api, installed: Callable[[bool], None]
) -> None:
    installed(True)
    german = names(api, "provider=espeak-ng&language=de-de")
    assert german == ["German, high", "German, low"]
    voice = find(api, "German, low")
    assert voice["is_active"]
    assert voice["model_capabilities"] == [
        {"model": "espeak-ng", "languages_known": True, "supported_languages": ["de-de"]}
    ]
    installed(False)
    assert names(api, "provider=espeak-ng") == []
    assert api.get(f"/voices/{voice['id']}").get_json()["data"] == voice | {"is_active": False}
    model = api.get("/providers/espeak-ng/models/espeak-ng").get_json()["data"]
    assert model["voice_count"] == 0


def test_facets_count_each_value_beside_all_other_filters(
    api: Api, installed: Callable[[bool], None]
) -> None:
    installed(False)
    facets = api.get("/voices/facets?gender=male&limit=x").get_json()["data"]
    assert [(each["value"], each["count"]) for each in facets["genders"]] == [
        ("male", 1),
        ("female", 1),
        ("neutral", 0),
    ]
    assert facets["languages"] == [{"value": "en-us", "label": None, "count": 1}]
    assert facets["models"] == [{"value": "small", "label": "small", "count": 1}]
    assert facets["providers"] == [{"value": "acme", "label": "Acme Speech", "count": 1}]
    for name, words in {
        "genders": GENDERS,
        "ages": AGES,
        "categories": CATEGORIES,
        "accents": ACCENTS,
    }.items():
        assert [each["value"] for each in facets[name]] == list(words)
    whole = api.get("/voices/facets").get_json()["data"]
    assert [(each["value"], each["count"]) for each in whole["languages"]] == [("en-us", 2), ("de-de", 1)]
    for name, values in whole.items():
        for each in values:
            parameter = {"categories": "category"}.get(name, name[:-1])
            if each["count"] or name in ("providers", "models", "languages"):
                assert len(names(api, f"{parameter}={each['value']}")) == each["count"]


@pytest.mark.slow
def test_a_clip_is_what_the_provider_gave_and_nothing_else(api: Api) -> None:
    anna, bob = find(api, "Anna"), find(api, "Bob")
    clip = api.get(f"/voices/{anna['id']}/preview?language=de_de&model=org/large").get_json()["data"]
    assert clip["sample_url"] == "https://acme.example/anna.mp3"
    other = api.get(f"/voices/{anna['id']}/preview?language=de-de&model=absent").get_json()["data"]
    assert (other["model"], other["locale"]) == ("small", "de-de")
    assert api.get(f"/voices/{anna['id']}/preview?language=en-us").status_code == 404
    assert api.get(f"/voices/{bob['id']}/preview?language=en-us").status_code == 404
    assert api.get(f"/voices/{bob['id']}/preview").status_code == 422
    assert bob["sample_url"] is None
    [listed] = api.get("/voices?language=de-de&provider=acme").get_json()["data"]
    assert listed["language_sample_locale"] == "de-de"
    assert listed["preview_locales"] == ["de-de"]
    assert find(api, "Anna")["language_sample_url"] is None


def test_nothing_is_said_to_sound_alike(api: Api) -> None:
    anna = find(api, "Anna")
    answer = api.get(f"/voices/{anna['id']}/similar?limit=50&language=de-de").get_json()
    assert (answer["data"], answer["pagination"]["limit"]) == ([], 50)
    for query in ("limit=51", "limit=0", "language=xx"):
        assert api.get(f"/voices/{anna['id']}/similar?{query}").status_code == 422
    assert api.get(f"/voices/{uuid4()}/similar").status_code == 404


def test_a_workspace_has_its_own_favourites_latest_first(api: Api, installed: Callable[[bool], None]) -> None:
    installed(False)
    anna, bob = find(api, "Anna"), find(api, "Bob")
    for voice in (bob, anna, bob):
        liked = api.request("POST", f"/voices/{voice['id']}/favorite")
        assert liked.get_json()["data"]["is_favorite"] is True
    listed = api.get("/voices?favorites_only=true").get_json()["data"]
    assert [voice["name"] for voice in listed] == ["Anna", "Bob"]
    assert find(api, "Anna")["is_favorite"] is True
    other, user = make_workspace("other", "Other"), make_user("other@acme.example")
    make_member(other, user)
    elsewhere = api.with_key(make_key(other, user, SCOPES))
    assert elsewhere.get("/voices?favorites_only=true").get_json()["data"] == []
    for _ in range(2):
        answer = api.request("DELETE", f"/voices/{anna['id']}/favorite")
        assert answer.get_json()["data"] == {"id": anna["id"], "is_favorite": False}
    assert names(api, "favorites_only=true") == ["Bob"]
    assert api.request("POST", f"/voices/{uuid4()}/favorite").status_code == 404


def test_providers_lead_to_models_and_models_to_voices(api: Api) -> None:
    providers = api.get("/providers").get_json()
    assert [each["provider"] for each in providers["data"]] == ["espeak-ng", "acme"]
    assert providers["pagination"] == {"limit": 2, "next": None, "prev": None}
    acme = providers["data"][1]
    prefix = "http://127.0.0.1:8000/api/v1"
    models = api.get(acme["links"]["models"]["href"].removeprefix(prefix)).get_json()["data"]
    assert len(models) == acme["model_count"] == 2
    large = models[0]
    assert large["links"]["voices"]["href"].endswith("/providers/acme/models/org%2Flarge/voices")
    voices = api.get(large["links"]["voices"]["href"].removeprefix(prefix)).get_json()
    assert [voice["name"] for voice in voices["data"]] == ["Anna"]
    assert voices["pagination"]["total"] == large["voice_count"] == 1
    for path in (
        "/providers/x",
        "/providers/x/models",
        "/providers/acme/models/x",
        "/providers/acme/models/x/voices",
    ):
        assert api.get(path).status_code == 404


def test_the_models_of_the_default_engine_are_named_after_it(api: Api) -> None:
    [model] = api.get(f"/providers/{espeak.PROVIDER}/models").get_json()["data"]
    assert model["model"] == espeak.MODEL
