"""The API's documentation for programs (`/openapi.json`), people (`/docs`) and agents (`/llms.txt`).

Beside it, to download: `run-portal`, a client of the API in one file.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, current_app, jsonify, send_file

from portal.api.openapi import Json, describe
from portal.auth.gate import public
from portal.web.proxy import base_url
from portal.web.rendering import render

bp = Blueprint("documentation", __name__)


@dataclass(frozen=True)
class Field:
    """A parameter or a field: a row of a table."""

    name: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True)
class Entry:
    """An operation, as the templates show it."""

    name: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    needs: str
    parameters: list[Field]
    body: list[Field]
    answer: list[Field]
    status: str
    refusals: dict[str, str]


@dataclass(frozen=True)
class Documentation:
    """What `documentation/page.html` and `documentation/llms.txt` show."""

    document: Json
    """The whole of OpenAPI."""
    entries: list[Entry]
    base: str
    """The portal's address."""


@bp.get("/openapi.json")
@public
def openapi() -> Response:
    return jsonify(_document())


@bp.get("/docs")
@public
def docs() -> str:
    return render("documentation/page.html", _documentation())


@bp.get("/llms.txt")
@public
def llms() -> Response:
    return Response(render("documentation/llms.txt", _documentation()), mimetype="text/plain")


@bp.get("/run-portal")
@public
def command() -> Response:
    """The command that runs a command and records the run."""
    path = Path(current_app.root_path) / "run_portal.py"
    return send_file(
        path,
        mimetype="text/x-python",
        as_attachment=True,
        download_name="run-portal",
        etag=hashlib.sha256(path.read_bytes()).hexdigest()[:32],
    )


def _documentation() -> Documentation:
    document = _document()
    return Documentation(document, list(_entries(document)), base_url())


def _document() -> Json:
    return describe(current_app, base_url())


def _entries(document: Json) -> Iterator[Entry]:
    order = [tag["name"] for tag in document["tags"]]
    found = [
        _entry(document, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    yield from sorted(found, key=lambda entry: order.index(entry.tag))


def _entry(document: Json, path: str, method: str, operation: Json) -> Entry:
    responses = {status: _resolved(document, answer) for status, answer in operation["responses"].items()}
    status, *_ = [status for status in responses if status.startswith("2")]
    answer = responses[status]["content"].get("application/json", {}).get("schema", {})
    data = answer.get("properties", {}).get("data", answer)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    parameters = [_resolved(document, parameter) for parameter in operation["parameters"]]
    return Entry(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        tag=operation["tags"][0],
        summary=operation["summary"],
        description=operation.get("description", ""),
        needs=_needs(operation["security"]),
        parameters=[
            Field(
                parameter["name"],
                kind_of(document, parameter["schema"]),
                parameter.get("required", False),
                parameter.get("description") or parameter["schema"].get("description", ""),
            )
            for parameter in parameters
        ],
        body=_fields(document, body),
        answer=_fields(document, data.get("items", data)),
        status=status,
        refusals={
            code: answer["description"] for code, answer in responses.items() if not code.startswith("2")
        },
    )


def _needs(security: list[Json]) -> str:
    if not security:
        return "Nothing: open to everybody"
    for way in security:
        if "ingestKey" in way:
            return "An ingest key"
        for scopes in way.values():
            if scopes:
                return f"An API key with the scope {scopes[0]}, or a session token"
    return "Any API key, or a session token" if len(security) > 1 else "A session token"


def _resolved(document: Json, item: Json) -> Json:
    """The item, or the target of its `$ref`."""
    if "$ref" not in item:
        return item
    found: Json = document
    for part in item["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def _fields(document: Json, schema: Json) -> list[Field]:
    whole = _resolved(document, schema)
    required = whole.get("required", ())
    return [
        Field(
            name, kind_of(document, part), name in required, _resolved(document, part).get("description", "")
        )
        for name, part in whole.get("properties", {}).items()
    ]


def kind_of(document: Json, schema: Json) -> str:
    """A schema in a few words: `whole number`, `list of text`, `Workspace or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(kind_of(document, part) for part in schema["anyOf"])
    if "type" not in schema:
        return "anything"
    if "const" in schema:
        return "always true"
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_type_words(document, schema, name) for name in types)


def _type_words(document: Json, schema: Json, name: str) -> str:
    if name == "string" and "enum" in schema:
        return ", ".join(word for word in schema["enum"] if word is not None)
    if name == "array":
        return f"list of {kind_of(document, schema['items'])}"
    plain = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    formats = {"uuid": "UUID", "date-time": "moment"}
    return formats.get(schema.get("format", ""), plain.get(name, name)) if name != "null" else "null"
