"""The dictionary over the API."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.database.models import DictionaryEntry, Upload
from portal.speech import espeak
from tests.api.conftest import Api
from tests.factories import NOON, make_entry, make_key, make_upload, make_workflow, make_workspace

Json = dict[str, Any]
SPELLED = {"word": "Podonos", "language": "en-us", "method": "spelled", "pronunciation": "poh-doh-nohs"}


@pytest.fixture
def api(api: Api) -> Api:
    return api.with_key(make_key(api.workspace, api.user, SCOPES))


def post(api: Api, **changes: Any) -> TestResponse:
    return api.request("POST", "/dictionary", json=SPELLED | changes)


def put(api: Api, entry_id: str, **changes: Any) -> TestResponse:
    return api.request("PUT", f"/dictionary/{entry_id}", json=changes)


def fields(answer: TestResponse) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {detail["field"] for detail in answer.get_json()["error"]["details"]}


def words(api: Api, path: str) -> list[str]:
    answer = api.get(f"/dictionary{path}")
    assert answer.status_code == 200, answer.text
    return [entry["word"] for entry in answer.get_json()["data"]]


def recording(api: Api, **columns: Any) -> Upload:
    """A confirmed upload of the caller."""
    workspace = columns.pop("workspace", api.workspace)
    upload = make_upload(make_workflow(workspace), workspace, "word.wav", b"RIFF")
    values = {"user_id": api.user.id, "category": "dictionary", **columns}
    with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
        connection.execute(sa.update(Upload).where(Upload.id == upload.id).values(**values))
    return upload


def test_a_word_is_added_as_it_is_sent(api: Api) -> None:
    answer = post(api, word="  Podonos ", language="EN_us", description="A name", ipa="pəˈdoʊnoʊs")
    assert answer.status_code == 201
    entry = answer.get_json()["data"]
    assert (entry["word"], entry["language"], entry["ipa"]) == ("Podonos", "en-us", "pəˈdoʊnoʊs")
    assert (entry["uses_count"], entry["audio_url"], entry["created_by"]) == (0, None, str(api.user.id))
    assert api.get("/dictionary?language=en-us").get_json()["data"] == [entry]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"word": " "}, {"word"}),
        ({"word": "x" * 201, "language": "xx", "method": "ipa"}, {"word", "language", "method"}),
        ({"word": 5, "language": None}, {"word", "language"}),
        ({"word": "a\0"}, {"word"}),
        ({"pronunciation": None}, {"pronunciation"}),
        ({"method": "recorded"}, {"upload_id"}),
        ({"method": "recorded", "upload_id": "x"}, {"upload_id"}),
        ({"upload_id": str(uuid4())}, {"upload_id"}),
    ],
)
def test_what_is_wrong_with_a_word_is_named_together(api: Api, changes: Json, wrong: set[str]) -> None:
    assert fields(post(api, **changes)) == wrong
    assert words(api, "/search?search=") == []


def test_a_language_has_a_word_once_and_in_each_case(api: Api) -> None:
    assert post(api).status_code == 201
    assert post(api).status_code == 409
    assert post(api, word="podonos").status_code == 201
    other = post(api, language="en-gb").get_json()["data"]
    assert put(api, other["id"], language="en-us").status_code == 409
    assert put(api, other["id"], language="en-gb").status_code == 200


def test_a_change_writes_what_it_names(api: Api) -> None:
    entry = post(api, description="A name").get_json()["data"]
    changed = put(api, entry["id"], word="Onepin", pronunciation="wun-pin").get_json()["data"]
    assert (changed["word"], changed["description"]) == ("Onepin", "A name")
    assert put(api, entry["id"], description=None).get_json()["data"]["description"] is None
    assert words(api, "/search?search=ONEP") == ["Onepin"]
    assert words(api, "/search?search=podo") == []
    assert put(api, entry["id"]).status_code == 200
    assert fields(put(api, entry["id"], word=None, method=None, language=None)) == {
        "word",
        "method",
        "language",
    }
    assert fields(put(api, entry["id"], pronunciation=None)) == {"pronunciation"}
    assert fields(put(api, entry["id"], method="recorded")) == {"upload_id"}
    assert fields(put(api, "x", word="")) == {"entry_id", "word"}
    assert words(api, "?language=en-us") == ["Onepin"]


def test_a_deleted_entry_is_gone_and_its_word_free(api: Api) -> None:
    entry = post(api).get_json()["data"]
    answer = api.request("DELETE", f"/dictionary/{entry['id']}")
    assert answer.get_json()["data"] == {"id": entry["id"], "deleted": True}
    assert api.request("DELETE", f"/dictionary/{entry['id']}").status_code == 404
    assert put(api, entry["id"], word="x").status_code == 404
    assert post(api).status_code == 201


def test_entries_are_listed_by_language_and_found_in_all(api: Api) -> None:
    for minute, (word, language) in enumerate([("b", "de-de"), ("a", "de-de"), ("ab", "fr-fr")]):
        make_entry(api.workspace, word, language=language, created_at=NOON + timedelta(minutes=minute))
    make_entry(make_workspace("other", "Other"), "theirs")
    assert words(api, "?language=DE_de") == ["a", "b"]
    assert words(api, "?language=de-de&sort=word&order=desc") == ["b", "a"]
    assert words(api, "?language=de-de&method=recorded") == []
    assert words(api, "?language=de-de&method=recorded&method=spelled&limit=1") == ["a"]
    assert words(api, "/search?search=A&sort=word") == ["a", "ab"]
    assert words(api, "/search?search=A&language=fr-fr&language=ko-kr") == ["ab"]
    assert words(api, "/search?search=_") == []
    page = api.get("/dictionary?language=de-de&limit=1").get_json()["pagination"]
    assert page["next"].endswith("/dictionary?offset=1&limit=1&language=de-de")
    assert "total" not in page
    languages = api.get("/dictionary/languages").get_json()
    assert languages["data"] == [{"code": "de-de", "count": 2}, {"code": "fr-fr", "count": 1}]
    assert "pagination" not in languages
    assert fields(api.get("/dictionary?sort=x&order=x&method=x")) == {"language", "sort", "order", "method"}
    assert fields(api.get("/dictionary/search?language=x")) == {"search", "language"}


def test_a_recording_is_a_confirmed_upload_of_ones_own_that_no_other_word_has(api: Api) -> None:
    upload = recording(api)
    made = post(api, method="recorded", upload_id=str(upload.id), pronunciation=None)
    assert made.status_code == 201, made.text
    entry = made.get_json()["data"]
    link = entry["audio_url"].removeprefix("http://127.0.0.1:8000")
    assert api.app.test_client().get(link).data == b"RIFF"
    assert fields(post(api, word="x", method="recorded", upload_id=str(upload.id))) == {"upload_id"}
    assert api.request("DELETE", f"/uploads/{upload.id}").status_code == 404
    assert put(api, entry["id"], upload_id=str(upload.id)).status_code == 200
    assert put(api, entry["id"], method="spelled", pronunciation="p").get_json()["data"]["audio_url"] is None
    assert post(api, word="x", method="recorded", upload_id=str(upload.id)).status_code == 201
    for columns in (
        {"user_id": uuid4()},
        {"category": "script"},
        {"status": "pending"},
        {"workspace": make_workspace("other", "Other")},
    ):
        foreign = recording(api, **columns)
        refused = post(api, word="y", method="recorded", upload_id=str(foreign.id))
        assert fields(refused) == {"upload_id"}, columns


@pytest.mark.skipif(not espeak.is_here(), reason="espeak-ng is not installed: apt-get install espeak-ng")
def test_a_suggestion_is_what_the_default_engine_says(api: Api) -> None:
    wanted = {"word": "hello", "language": "en_GB"}
    answer = api.request("POST", "/dictionary/suggest-pronunciation", json=wanted)
    assert answer.get_json()["data"] == {"pronunciation": "həlˈəʊ", "ipa": "həlˈəʊ"}
    unread = api.request("POST", "/dictionary/suggest-pronunciation", json=wanted | {"word": "東京"})
    assert unread.status_code == 404
    assert "cannot read" in unread.get_json()["error"]["message"]


@pytest.mark.slow
def test_without_the_engine_nothing_is_suggested(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
    wanted = {"word": "hello", "language": "en-gb"}
    refused = api.request("POST", "/dictionary/suggest-pronunciation", json=wanted)
    assert refused.status_code == 404
    assert "not installed" in refused.get_json()["error"]["message"]
    assert fields(api.request("POST", "/dictionary/suggest-pronunciation", json={})) == {"word", "language"}


@pytest.mark.parametrize("path", ["languages", "search", "suggest-pronunciation"])
def test_the_words_in_addresses_are_no_ids(api: Api, path: str) -> None:
    answer = api.request("DELETE", f"/dictionary/{path}")
    assert answer.status_code == 405
    assert "DELETE" not in answer.headers["Allow"]


def test_entries_of_another_workspace_are_not_there(api: Api) -> None:
    theirs = make_entry(make_workspace("other", "Other"), "theirs")
    assert put(api, str(theirs.id), word="x").status_code == 404
    assert api.request("DELETE", f"/dictionary/{theirs.id}").status_code == 404
    assert db.session.scalar(sa.select(DictionaryEntry.word)) == "theirs"
