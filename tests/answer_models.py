"""Holds answers of the API against its description: status, headers, every field, and no field beyond."""

from functools import cache
from typing import Any

import jsonschema_rs
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from portal.api.openapi import describe

Json = dict[str, Any]
PREFIX = "/api/v1/"
UNDESCRIBED = (405, 500)
"""Failures that no operation lists: there is no such method, or the portal has a bug."""


def faults(app: Flask, answer: TestResponse) -> list[str]:
    """In what an answer of the API is not as described; nothing for what is no answer of an operation."""
    path, method = answer.request.path, answer.request.method
    if not path.startswith(PREFIX) or method in ("HEAD", "OPTIONS"):
        return []
    operation = _operation(app, path, method)
    described = operation["responses"] if operation else {}
    response = described.get(str(answer.status_code))
    if response is None:
        is_failure = operation is None or answer.status_code in UNDESCRIBED
        return _mismatches("Failure", answer) if is_failure else [f"status {answer.status_code}"]
    if "$ref" in response:
        response = _document()["components"]["responses"][response["$ref"].rsplit("/", 1)[-1]]
    missing = [f"no header {name}" for name in response["headers"] if name not in answer.headers]
    if "application/json" not in response["content"]:
        return missing + [answer.content_type] * (answer.content_type not in response["content"])
    name = "Failure" if answer.status_code >= 400 else operation["operationId"]
    return missing + _mismatches(name, answer)


def _operation(app: Flask, path: str, method: str) -> Json | None:
    try:
        endpoint, _ = app.url_map.bind("localhost").match(path, method)
    except HTTPException:
        return None
    return _operations()[endpoint.removeprefix("api.")]


def _mismatches(name: str, answer: TestResponse) -> list[str]:
    errors = _validator(name).iter_errors(answer.get_json())
    return [f"{'.'.join(map(str, error.instance_path))}: {error.message[:200]}" for error in errors]


@cache
def _document() -> Json:
    app = Flask("described")
    from portal.api import bp

    app.register_blueprint(bp)
    return describe(app, "")


@cache
def _operations() -> dict[str, Json]:
    methods = [operation for found in _document()["paths"].values() for operation in found.values()]
    return {operation["operationId"]: operation for operation in methods}


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """The validator of an operation's success, or of Failure."""
    if name == "Failure":
        schema: Json = {"$ref": "#/components/schemas/Failure"}
    else:
        responses = _operations()[name]["responses"]
        success, *_ = [answer for status, answer in responses.items() if status.startswith("2")]
        schema = success["content"]["application/json"]["schema"]
    whole = closed(schema) | {"components": closed(_document()["components"])}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def closed(schema: Any) -> Any:
    """The schema with no field allowed that it does not describe."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    no_others = {"additionalProperties": False} if "properties" in schema and "required" in schema else {}
    return {name: closed(part) for name, part in schema.items()} | no_others
