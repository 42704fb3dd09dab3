"""The methods of a fixed address are its own, even where an address with ids fits it too and has others.

`PATCH /workspaces/slug-available` changes no workspace of that id.
"""

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed


def init_app(app: Flask) -> None:
    """Call this once all views are registered."""
    fixed: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        if not rule.arguments:
            fixed.setdefault(rule.rule, set()).update(rule.methods or ())

    def refuse_others() -> None:
        if request.url_rule is not None and request.url_rule.arguments and request.path in fixed:
            raise MethodNotAllowed(valid_methods=sorted(fixed[request.path]))

    app.before_request_funcs.setdefault(None, []).insert(0, refuse_others)  # whoever asks

    @app.after_request
    def allow(answer: Response) -> Response:
        if "Allow" in answer.headers and request.path in fixed:
            answer.headers["Allow"] = ", ".join(sorted(fixed[request.path]))
        return answer
