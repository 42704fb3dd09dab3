"""Headers of every response: request id, caching and browser security."""

from flask import Flask, request
from werkzeug.wrappers import Response

from portal.config import Settings
from portal.errors import is_api
from portal.web import assets, envelope

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "media-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    )
)
A_YEAR = 31_536_000


def init_app(app: Flask, settings: Settings) -> None:
    secure = settings.base_url is not None and settings.base_url.startswith("https:")

    @app.after_request
    def add(response: Response) -> Response:
        headers = response.headers
        headers["X-Request-Id"] = envelope.request_id()
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if secure:
            headers["Strict-Transport-Security"] = f"max-age={A_YEAR}"
        if request.endpoint == "static":
            if _is_current_version(response):
                headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
            return response
        if not response.cache_control.no_store:
            headers["Cache-Control"] = "no-store" if is_api(request.path) else "private, no-cache"
        if not is_api(request.path):
            response.vary.add("Cookie")
        return response


def _is_current_version(response: Response) -> bool:
    """Whether the URL names the file's current content hash: such a response never changes."""
    named, version = (request.view_args or {}).get("filename"), request.args.get("v")
    return (
        response.status_code in (200, 304) and bool(version) and version == assets.asset_version(str(named))
    )
