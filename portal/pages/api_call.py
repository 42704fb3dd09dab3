"""The line of curl that asks the API what a page shows."""

import shlex
from typing import Any

from portal.web.proxy import absolute_url_for


def curl_line(endpoint: str, **args: Any) -> str:
    """A command to paste into a shell; the key comes from the environment."""
    address = absolute_url_for(endpoint, **args)
    return f'curl -H "Authorization: Bearer $PORTAL_API_KEY" {shlex.quote(address)}'
