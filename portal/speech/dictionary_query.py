"""What requests say of the dictionary: which entries they want, and what an entry is to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic_core import CoreSchema, core_schema

from portal.database.models import DictionaryMethod
from portal.definitions.locales import LOCALES, canonical
from portal.errors import FieldError, InvalidQuery
from portal.input import bodies, parameters, sentences
from portal.input.parameters import Reader
from portal.input.repeated import ORDERS, any_of
from portal.paging import Slice
from portal.speech.voice_query import locale

METHODS = tuple(method.value for method in DictionaryMethod)
NATURAL_ORDERS = {"uses_count": "desc", "created_at": "desc", "word": "asc"}
"""Every sort key with its default direction."""
MAX_WORD, MAX_PRONUNCIATION, MAX_NOTE = 200, 500, 1000
_LATEST = "created_at"


@dataclass(frozen=True)
class Locale(bodies.Rule):
    """One of our locales, in any case and with `_` for `-`, as it is stored."""

    allowed = sentences.one_of(LOCALES)

    def schema(self) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_stored, core_schema.literal_schema([*LOCALES]))


def _stored(value: object) -> object:
    return canonical(value) if isinstance(value, str) else value


_Word = Annotated[str, bodies.Text(1, MAX_WORD)]
_Pronunciation = Annotated[str, bodies.Text(1, MAX_PRONUNCIATION)]
_Note = Annotated[str, bodies.Text(0, MAX_NOTE)]
_Method = Annotated[str, bodies.OneOf(METHODS)]
_Language = Annotated[str, Locale()]
_UploadId = Annotated[UUID, bodies.Id()]


@dataclass(frozen=True, kw_only=True)
class DictionaryQuery:
    """Validated query parameters of the list and of the search."""

    slice: Slice = Slice()
    search: str = ""
    languages: Sequence[str] = ()
    """Of which an entry has one; empty means any."""
    methods: Sequence[str] = ()
    sort: str = _LATEST
    order: str = NATURAL_ORDERS[_LATEST]

    @classmethod
    def parse_list(cls, args: Mapping[str, Sequence[str]]) -> Self:
        """The parameters of the list, which is of one language. Raises InvalidQuery."""
        reader = _reader(args)
        language = reader.require("language", locale, "")
        methods = any_of(reader, "method", args.get("method", ()), parameters.one_of(METHODS))
        return cls._finish(reader, languages=(language,), methods=methods)

    @classmethod
    def parse_search(cls, args: Mapping[str, Sequence[str]]) -> Self:
        """The parameters of the search, in any language. Raises InvalidQuery."""
        reader = _reader(args)
        text = reader.require("search", parameters.search, "")
        languages = any_of(reader, "language", args.get("language", ()), locale)
        return cls._finish(reader, search=text, languages=languages)

    @classmethod
    def _finish(cls, reader: Reader, **values: Any) -> Self:
        sort = reader.read("sort", parameters.one_of(tuple(NATURAL_ORDERS)), _LATEST)
        order = reader.read("order", parameters.one_of(ORDERS), NATURAL_ORDERS[sort])
        query = cls(slice=reader.slice(), sort=sort, order=order, **values)
        reader.finish()
        return query


def _reader(args: Mapping[str, Sequence[str]]) -> Reader:
    return Reader({name: values[-1] for name, values in args.items()})


def _of_method(method: str, **fields: dict[str, str]) -> dict[str, Any]:
    """What an entry of this method must have, as JSON Schema; what may only be null may be absent."""
    required = ["method", *(name for name, schema in fields.items() if schema["type"] != "null")]
    return {"properties": {"method": {"const": method}, **fields}, "required": required}


class EntrySpec(bodies.Body):
    """A word to add."""

    model_config = ConfigDict(
        title="NewDictionaryEntry",
        json_schema_extra={
            "oneOf": [
                _of_method("spelled", pronunciation={"type": "string"}, upload_id={"type": "null"}),
                _of_method("recorded", upload_id={"type": "string"}),
            ]
        },
    )

    word: _Word
    method: _Method
    language: _Language
    description: _Note | None = None
    pronunciation: Annotated[
        _Pronunciation | None, Field(description="How it is spelled as it sounds; with the method spelled.")
    ] = None
    ipa: _Pronunciation | None = None
    upload_id: Annotated[
        _UploadId | None,
        Field(description="A confirmed upload of yours of category dictionary; with the method recorded."),
    ] = None

    @classmethod
    def read(cls, body: Mapping[str, object], *errors: FieldError, **context: object) -> Self:
        spec = super().read(body, *errors, **context)
        given = spec.upload_id is not None
        if found := offence(spec.method, spec.pronunciation, has_recording=given, is_given_one=given):
            raise InvalidQuery([found])
        return spec


class EntryChanges(bodies.Changes):
    """What to change."""

    model_config = ConfigDict(title="DictionaryEntryChanges")

    word: _Word = bodies.absent()
    method: _Method = bodies.absent()
    language: _Language = bodies.absent()
    description: _Note | None = bodies.absent()
    pronunciation: _Pronunciation | None = bodies.absent()
    ipa: _Pronunciation | None = bodies.absent()
    upload_id: _UploadId = bodies.absent()


class WordToPronounce(bodies.Body):
    """A word whose pronunciation is wanted."""

    word: _Word
    language: _Language


def offence(
    method: str, pronunciation: str | None, *, has_recording: bool, is_given_one: bool
) -> FieldError | None:
    """What is wrong with an entry of this method, be it stored or about to be."""
    if method == DictionaryMethod.SPELLED and pronunciation is None:
        return FieldError("pronunciation", "is required with the method spelled.")
    if method == DictionaryMethod.SPELLED and is_given_one:
        return FieldError("upload_id", "belongs to the method recorded.")
    if method == DictionaryMethod.RECORDED and not has_recording:
        return FieldError("upload_id", "is required with the method recorded.")
    return None
