"""Holds answers of the portal against the models of this release's client; prints what they refuse as JSON.

Run by the tests in a process of its own, so that each release is imported by itself. Standard input says what
each address answered; with the argument `routes` it prints what the client can request instead.
"""

import ast
import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Iterator
from operator import attrgetter
from types import ModuleType
from typing import Any

import onepin
from onepin.core.pydantic_utilities import parse_obj_as
from pydantic import ValidationError


def main() -> None:
    if sys.argv[1:] == ["routes"]:
        print(json.dumps(sorted([path, method] for method, path, _, _ in requests())))
        return
    models = dict(reads())
    answers: dict[str, list[Any]] = json.load(sys.stdin)
    refused = [
        f"GET {path}: {error}"
        for path, model in models.items()
        for answer in answers.get(path, ())
        for error in complaints(model, answer)
    ]
    print(json.dumps({"known": sorted(models), "refused": refused}))


def complaints(model: Any, answer: Any) -> Iterator[str]:
    """What the model does not take of an answer."""
    try:
        parse_obj_as(type_=model, object_=answer)
    except ValidationError as error:
        for each in error.errors():
            yield f"{model.__name__}: {'.'.join(str(part) for part in each['loc'])}: {each['msg']}"


def reads() -> Iterator[tuple[str, Any]]:
    """The path of every GET that the client knows, and the model of its answer."""
    return ((path, model_of(module, calls)) for method, path, module, calls in requests() if method == "GET")


def requests() -> Iterator[tuple[str, str, ModuleType, list[ast.Call]]]:
    """Method and path, with {} for each argument, of every request that the client knows, and its code."""
    for found in pkgutil.walk_packages(onepin.__path__, "onepin."):
        if not found.name.endswith(".raw_client"):
            continue
        module = importlib.import_module(found.name)
        for function in methods(module):
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            request = next(call for call in calls if getattr(call.func, "attr", "") in ("request", "stream"))
            asked = {word.arg: word.value for word in request.keywords}
            yield asked["method"].value, pattern(request.args[0]), module, calls


def methods(module: ModuleType) -> Iterator[ast.FunctionDef]:
    """Those of the client that waits for its answers; the other one asks the same."""
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("Async"):
            for function in node.body:
                if isinstance(function, ast.FunctionDef) and function.name != "__init__":
                    yield function


def pattern(path: ast.expr) -> str:
    parts = path.values if isinstance(path, ast.JoinedStr) else [path]
    return "/" + "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)


def model_of(module: ModuleType, calls: list[ast.Call]) -> Any:
    """What the first call that parses an answer, that of a success, parses it as."""
    parses = [call for call in calls if getattr(call.func, "id", "") == "parse_obj_as"]
    first = min(parses, key=lambda call: call.lineno)
    [named] = [word.value for word in first.keywords if word.arg == "type_"]
    return attrgetter(ast.unparse(named))(module)


if __name__ == "__main__":
    main()
