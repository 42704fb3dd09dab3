"""The curl command that asks the API for what a page shows."""

import shlex
from typing import Any

from portal.web.proxy import absolute_url_for


def curl_command(endpoint: str, **args: Any) -> str:  # arguments of a URL, as Flask takes them
    """A command to paste into a shell. The API key comes from the environment."""
    address = absolute_url_for(endpoint, **args)
    return f'curl -H "Authorization: Bearer $PORTAL_API_KEY" {shlex.quote(address)}'
