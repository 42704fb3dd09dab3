"""The API as OpenAPI 3.1: made from the routes, the permissions of views, operations and models."""

import re
from collections.abc import Iterator
from functools import cache

from flask import Flask
from werkzeug.routing import Rule

from portal.api.answers import (
    CursorPaginationJson,
    FailureJson,
    MetaJson,
    PaginationJson,
    UncountedPaginationJson,
)
from portal.api.components import Model, component_name, components
from portal.api.operations import OPERATIONS, Operation
from portal.api.schemas import STRING, UUID, Schema, list_of, ref
from portal.auth.principals import SCOPES
from portal.definitions.catalog import CATALOG
from portal.errors import InvalidQuery
from portal.input.bodies import Body
from portal.input.parameters import UUID_PATTERN
from portal.workflows.templates.bodies import ID_PATTERN as TEMPLATE_ID

Json = Schema
PREFIX = "/api/"
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_FREE_TEXT_ARGUMENTS = frozenset({"node_id", "audio_id", "node_type", "token", "provider_name", "model_name"})
"""Arguments of paths that are not UUIDs (contract 1.2)."""
_OTHER_IDS: dict[str, Schema] = {"template_id": {"type": "string", "pattern": f"^{TEMPLATE_ID}$"}}

_KEY, _TOKEN, _INGEST = "apiKey", "sessionToken", "ingestKey"
_WORKSPACE: Json = {
    "name": "X-Workspace-Id",
    "in": "header",
    "description": "The workspace. A key may leave it out; a session token may, whose user is in one only.",
    "schema": {"type": "string", "pattern": f"^({UUID_PATTERN})?$"},
}
_INTRODUCTION = """\
The run history of workflows. Send an API key (`op_live_…`) or a session token as a bearer token. Answers are
JSON: `data` and `meta`, for lists `pagination` too; refusals are `error` and `meta`. Times are RFC 3339 in
UTC. Later releases may add fields, parameters and values of `status`: ignore what you do not know."""
_REFUSALS = {
    400: "The request cannot be understood: a body that is no JSON object, no workspace named.",
    401: "No usable credential.",
    403: "The credential does not allow this.",
    402: "The balance or the plan of the workspace does not cover this.",
    404: "There is nothing here, or nothing that you may see.",
    410: "It was here, and is no longer.",
    409: "The present state does not allow this.",
    412: "It has changed since: If-Match names another version.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    422: "A parameter or field is not as described; every bad one is named.",
    429: "Too many requests.",
    503: "The database cannot be reached.",
}
_WAITING, _CHALLENGING = (429, 503), (401,)


def describe(app: Flask, base_url: str) -> Json:
    """The whole document, with this address as its server."""
    paths: dict[str, Json] = {}
    for rule, method in _routes(app):
        view = app.view_functions[rule.endpoint]
        name = rule.endpoint.rpartition(".")[2]
        described = _operation(name, OPERATIONS[name], rule, _security(view))
        paths.setdefault(_ARGUMENT.sub(r"{\1}", rule.rule), {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Run Portal", "version": "1", "description": _INTRODUCTION},
        "servers": [{"url": base_url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(found.tag for found in OPERATIONS.values())],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _schemas(tuple(CATALOG)),
            "responses": {f"Refused{status}": _refusal(status) for status in _REFUSALS},
            "parameters": {"Workspace": _WORKSPACE},
            "securitySchemes": {
                _KEY: {"type": "http", "scheme": "bearer", "description": "An API key, with scopes."},
                _TOKEN: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A session token of a person, whose role in the workspace decides.",
                },
                _INGEST: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An ingest key (`op_ing_…`), which opens nothing else.",
                },
            },
        },
    }


@cache
def _schemas(_node_types: tuple[str, ...]) -> dict[str, Schema]:
    """The components; those of definitions name the node types."""
    models: list[Model] = [MetaJson, PaginationJson, UncountedPaginationJson, CursorPaginationJson]
    models.append(FailureJson)
    for operation in OPERATIONS.values():
        models += [model for model in (operation.answer, operation.body) if model]
    return components(dict.fromkeys(models))


def _routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(PREFIX):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method


def _operation(name: str, operation: Operation, rule: Rule, security: list[Json]) -> Json:
    parameters = [_path_parameter(argument) for argument in _ARGUMENT.findall(rule.rule)]
    parameters += [
        _query_parameter(query, schema, query in operation.required)
        for query, schema in operation.parameters.items()
    ]
    described: Json = {
        "operationId": name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [*parameters, *([{"$ref": "#/components/parameters/Workspace"}] if security else [])],
        "security": security,
        "responses": _successes(operation)
        | {
            str(status): {"$ref": f"#/components/responses/Refused{status}"}
            for status in _refusals(operation, bool(parameters))
        },
    }
    if operation.description:
        described["description"] = operation.description
    if operation.deprecated:
        described["deprecated"] = True
    if operation.body:
        content = {"application/json": {"schema": ref(component_name(operation.body))}}
        described["requestBody"] = {"content": content, "required": not _may_be_empty(operation.body)}
    if operation.sends:
        content = {media_type: {"schema": dict(schema)} for media_type, schema in operation.sends.items()}
        described["requestBody"] = {"content": content, "required": True}
    return described


def _may_be_empty(body: type[Body]) -> bool:
    """Whether a request may leave its body out: what is empty is read as an object without keys."""
    try:
        body.read({})
    except InvalidQuery:
        return False
    return True


def _security(view: object) -> list[Json]:
    """A key needs the scope; what is no scope, no key may do; a public view needs no credential.

    A view for ingest keys takes nothing else.
    """
    if getattr(view, "portal_public", False):
        return []
    if getattr(view, "portal_ingest_key", None) is not None:
        return [{_INGEST: []}]
    permission: str | None = getattr(view, "portal_permission", None)
    token: Json = {_TOKEN: []}
    if permission is None:
        return [{_KEY: []}, token]
    return [{_KEY: [permission]}, token] if permission in SCOPES else [token]


def _refusals(operation: Operation, has_parameters: bool) -> list[int]:
    statuses = [400, 401, 403, 404, 429, 503]
    statuses += sorted(operation.refusals)
    has_body = operation.body is not None or operation.sends is not None
    statuses += [413, 415] if has_body else []
    statuses += [422] if has_parameters or has_body else []
    return sorted(set(statuses))


def _successes(operation: Operation) -> Schema:
    statuses = [operation.status, *([operation.otherwise] if operation.otherwise else [])]
    return {str(status): _success(operation) for status in statuses}


def _success(operation: Operation) -> Json:
    return {
        "description": operation.summary,
        "headers": _headers(operation.status),
        "content": _content(operation),
    }


def _content(operation: Operation) -> Json:
    if operation.answer is None:
        return {media_type: {"schema": STRING} for media_type in operation.media_types}
    one = ref(component_name(operation.answer))
    fields: dict[str, Schema] = {
        "data": one if operation.shape in ("one", "paged") else list_of(one),
        "meta": ref("Meta"),
    }
    if operation.shape in ("paged", "counted"):
        fields["pagination"] = ref("Pagination")
    if operation.shape == "uncounted":
        fields["pagination"] = ref("UncountedPagination")
    if operation.shape == "cursor":
        fields["pagination"] = ref("CursorPagination")
    schema = {"type": "object", "properties": fields, "required": list(fields)}
    return {"application/json": {"schema": one if operation.shape == "bare" else schema}}


def _refusal(status: int) -> Json:
    content = {"application/json": {"schema": ref("Failure")}}
    return {"description": _REFUSALS[status], "headers": _headers(status), "content": content}


def _headers(status: int) -> Json:
    headers: Json = {"X-Request-Id": {"required": True, "schema": UUID}}
    if status in _WAITING:
        seconds = {"type": "integer", "minimum": 1, "description": "Seconds until it is worth a new try."}
        headers["Retry-After"] = {"required": True, "schema": seconds}
    if status in _CHALLENGING:
        headers["WWW-Authenticate"] = {"required": True, "schema": STRING}
    return headers


def _path_parameter(name: str) -> Json:
    free: Schema = {"type": "string", "minLength": 1}
    schema = _OTHER_IDS.get(name) or (free if name in _FREE_TEXT_ARGUMENTS else UUID)
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(name: str, schema: Schema, required: bool) -> Json:
    parameter: Json = {"name": name, "in": "query", "required": required, "schema": schema}
    if schema.get("type") == "array" and "minItems" in schema:
        return parameter | {"style": "form", "explode": False}  # one comma list
    return parameter
