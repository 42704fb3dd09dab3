"""The methods of a fixed address are its own, even where an address with an id fits it too and has others.

`PATCH /workspaces/slug-available` changes no workspace of that id, and `GET …/runs/preview` reads no run.
"""

from contextlib import suppress

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Rule

_WITHOUT_VIEW = {"HEAD", "OPTIONS"}


def init_app(app: Flask) -> None:
    """Call this once all views are registered."""
    fixed: dict[tuple[str, str], set[str]] = {}
    for rule in app.url_map.iter_rules():
        if _is_fixed(rule):
            before, _, last = rule.rule.rpartition("/")
            fixed.setdefault((before, last), set()).update(rule.methods or ())

    def refuse_others() -> None:
        rule = request.url_rule
        if rule is None or _is_fixed(rule):
            return
        own = fixed.get((rule.rule.rpartition("/")[0], request.path.rpartition("/")[2]))
        if own is not None:
            raise MethodNotAllowed(valid_methods=sorted(own))

    app.before_request_funcs.setdefault(None, []).insert(0, refuse_others)  # whoever asks

    @app.after_request
    def allow(answer: Response) -> Response:
        if "Allow" in answer.headers:
            rules = _rules_of(app, answer.headers["Allow"].replace(",", " ").split())
            own = [rule.methods or set() for rule in rules if _is_fixed(rule)]
            if own and len(own) < len(rules):
                answer.headers["Allow"] = ", ".join(sorted(set().union(*own)))
        return answer


def _is_fixed(rule: Rule) -> bool:
    """Whether the last part of its address is no argument."""
    return not rule.rule.endswith(">")


def _rules_of(app: Flask, methods: list[str]) -> list[Rule]:
    """The rules that fit the address of the request, one for each of these methods."""
    adapter = app.create_url_adapter(request)
    found: list[Rule] = []
    if adapter is not None:
        for method in sorted(set(methods) - _WITHOUT_VIEW):
            with suppress(HTTPException):
                found.append(adapter.match(method=method, return_rule=True)[0])
    return found
