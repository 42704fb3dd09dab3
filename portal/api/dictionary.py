"""The dictionary: what words sound like (contract part 2, 10)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import Count, DeletedJson, SignedUrl, deleted, linked_by, one, uncounted_list
from portal.api.operations import PAGING, SEARCH, operation
from portal.api.request_values import body_and_ids, id_in_path, json_body
from portal.api.schemas import Schema, described, list_of, words
from portal.auth.gate import current_principal, requires
from portal.definitions.locales import LOCALES
from portal.input.bodies import OneOf
from portal.input.repeated import ORDERS
from portal.speech import dictionary as service
from portal.speech.dictionary import EntryRow
from portal.speech.dictionary_query import (
    METHODS,
    NATURAL_ORDERS,
    DictionaryQuery,
    EntryChanges,
    EntrySpec,
    WordToPronounce,
)
from portal.storage.signed_links import Grant, sign
from portal.workspaces.workspaces import workspace_id_of


class DictionaryEntryJson(TypedDict):
    """What a word sounds like in one language."""

    id: UUID
    word: str
    description: str | None
    method: Annotated[str, OneOf(METHODS)]
    pronunciation: str | None
    ipa: str | None
    audio_url: SignedUrl
    language: str
    uses_count: Annotated[Count, Field(description="How often a run applied it.")]
    created_by: UUID
    created_at: datetime
    updated_at: datetime


class DictionaryLanguageJson(TypedDict):
    """A language that has entries."""

    code: str
    count: Count


class SuggestionJson(TypedDict):
    """How the default engine pronounces a word."""

    pronunciation: Annotated[str, Field(description="In IPA.")]
    ipa: str


_LANGUAGE: Schema = words(*LOCALES)
_SORTING: dict[str, Schema] = {"sort": words(*NATURAL_ORDERS), "order": words(*ORDERS)}
_LIST: dict[str, Schema] = PAGING | _SORTING | {"language": _LANGUAGE, "method": list_of(words(*METHODS))}
_SEARCH: dict[str, Schema] = (
    PAGING
    | _SORTING
    | {
        "search": described(SEARCH, "Part of the word, in any case."),
        "language": list_of(_LANGUAGE),
    }
)


@bp.get("/dictionary")
@requires("dictionary:read")
@operation(
    tag="Dictionary",
    summary="List the entries of a language",
    answer=DictionaryEntryJson,
    shape="uncounted",
    query=_LIST,
    required=frozenset({"language"}),
)
def dictionary_entries() -> Response:
    query = DictionaryQuery.parse_list(request.args.to_dict(flat=False))
    return _list(query, linked=_LIST)


@bp.get("/dictionary/search")
@requires("dictionary:read")
@operation(
    tag="Dictionary",
    summary="Search entries in every language",
    answer=DictionaryEntryJson,
    shape="uncounted",
    query=_SEARCH,
    required=frozenset({"search"}),
)
def search_dictionary() -> Response:
    query = DictionaryQuery.parse_search(request.args.to_dict(flat=False))
    return _list(query, linked=_SEARCH)


@bp.get("/dictionary/languages")
@requires("dictionary:read")
@operation(
    tag="Dictionary",
    summary="Count entries by language",
    answer=DictionaryLanguageJson,
    shape="whole",
    description="Only languages that have entries, the one with most first.",
)
def dictionary_languages() -> Response:
    found = service.count_languages(workspace_id_of(current_principal()))
    answer: list[DictionaryLanguageJson] = [{"code": row.language, "count": row.entries} for row in found]
    return one(answer)


@bp.post("/dictionary/suggest-pronunciation")
@requires("dictionary:read")
@operation(
    tag="Dictionary",
    summary="Ask how a word is pronounced",
    answer=SuggestionJson,
    body=WordToPronounce,
    description="By the default engine, in IPA; 404 where it is not installed or cannot read the word.",
)
def suggest_pronunciation() -> Response:
    ipa = service.suggest(WordToPronounce.read(json_body()))
    answer: SuggestionJson = {"pronunciation": ipa, "ipa": ipa}
    return one(answer)


@bp.post("/dictionary")
@requires("dictionary:write")
@operation(
    tag="Dictionary",
    summary="Add a word",
    answer=DictionaryEntryJson,
    status=201,
    body=EntrySpec,
    refusals=(409,),
    description="409 if the language has it. An upload is the recording of one entry.",
)
def create_dictionary_entry() -> Response:
    spec = EntrySpec.read(json_body())
    return one(_entry(service.add_entry(current_principal(), spec, moments.now())), 201)


@bp.put("/dictionary/<entry_id>")
@requires("dictionary:write")
@operation(
    tag="Dictionary",
    summary="Change an entry",
    answer=DictionaryEntryJson,
    body=EntryChanges,
    refusals=(409,),
    description="What the body does not name stays as it is.",
)
def change_dictionary_entry(entry_id: str) -> Response:
    changes, [found_id] = body_and_ids(EntryChanges, entry_id=entry_id)
    return one(_entry(service.change_entry(current_principal(), found_id, changes, moments.now())))


@bp.delete("/dictionary/<entry_id>")
@requires("dictionary:write")
@operation(tag="Dictionary", summary="Delete an entry", answer=DeletedJson)
def delete_dictionary_entry(entry_id: str) -> Response:
    found_id = id_in_path("entry_id", entry_id)
    service.delete_entry(current_principal(), found_id)
    return deleted(found_id)


def _list(query: DictionaryQuery, linked: dict[str, Schema]) -> Response:
    page = service.list_entries(workspace_id_of(current_principal()), query)
    return uncounted_list(page, _entry, linked_by(linked))


def _entry(row: EntryRow) -> DictionaryEntryJson:
    recording = Grant("upload", row.workspace_id, row.upload_id) if row.upload_id else None
    return {
        "id": row.id,
        "word": row.word,
        "description": row.description,
        "method": row.method,
        "pronunciation": row.pronunciation,
        "ipa": row.ipa,
        "audio_url": sign(recording, moments.now()).url if recording else None,
        "language": row.language,
        "uses_count": row.uses_count,
        "created_by": row.created_by,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
