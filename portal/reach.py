"""How the portal is reached: below a path of its own, through proxies that say so, and by which addresses."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask, current_app, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

from portal.config import Settings


class BelowPath:
    """Serve below the path of the base URL, whether the proxy in front takes it off or not."""

    def __init__(self, app: Any, path: str) -> None:
        self._app, self._path = app, path

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ.get("SCRIPT_NAME"):
            asked = environ.get("PATH_INFO", "")
            if asked == self._path or asked.startswith(self._path + "/"):
                environ["PATH_INFO"] = asked.removeprefix(self._path) or "/"
            environ["SCRIPT_NAME"] = self._path
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


def absolute_url(path: str) -> str:
    """The address by which people reach this path of ours: below the base URL where there is one."""
    base: str = current_app.config["BASE_URL"] or request.root_url.rstrip("/")
    return base + path


def absolute_url_for(endpoint: str, **values: Any) -> str:
    """The address by which people reach a view."""
    return absolute_url(url_for(endpoint, **values).removeprefix(request.root_path.rstrip("/")))


def init_app(app: Flask, settings: Settings) -> None:
    path = unquote(urlsplit(settings.base_url or "").path, "latin-1")
    if path:
        app.wsgi_app = BelowPath(app.wsgi_app, path)  # type: ignore[method-assign]
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops
        )
