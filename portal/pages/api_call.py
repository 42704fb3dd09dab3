"""The line of curl that asks the API what a page shows."""

import shlex
from typing import Any

from flask import current_app, request, url_for


def curl_line(endpoint: str, **args: Any) -> str:
    """A command to paste into a shell; the key comes from the environment."""
    base = current_app.config["BASE_URL"] or request.root_url.rstrip("/")
    address = base + url_for(endpoint, **args).removeprefix(request.root_path)
    return f'curl -H "Authorization: Bearer $PORTAL_API_KEY" {shlex.quote(address)}'
