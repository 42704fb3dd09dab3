"""What holds for every answer of the portal, whatever was asked and however it went."""

from uuid import UUID

from werkzeug.test import TestResponse

from portal.errors import is_api
from portal.web.headers import A_YEAR, CONTENT_SECURITY_POLICY

EVERYWHERE = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ALSO_NEEDED = {405: "Allow", 429: "Retry-After", 503: "Retry-After"}
MAX_COOKIE = 4096


def faults(answer: TestResponse, *, secure: bool = False) -> list[str]:
    """What is wrong with the headers and cookies of an answer (ASVS 3.3.1 to 3.4.8); `secure`: over https."""
    headers, path, status = answer.headers, answer.request.path, answer.status_code
    wrong = [name for name, value in EVERYWHERE.items() if headers.get(name) != value]
    if headers.get("Strict-Transport-Security") != (f"max-age={A_YEAR}" if secure else None):
        wrong.append("Strict-Transport-Security")
    wrong += [name for name in headers.keys() if name.startswith("Access-Control-")]  # noqa: SIM118
    try:
        UUID(headers.get("X-Request-Id", ""))
    except ValueError:
        wrong.append("X-Request-Id")
    if status in ALSO_NEEDED and ALSO_NEEDED[status] not in headers:
        wrong.append(ALSO_NEEDED[status])
    if is_api(path) and status == 401 and headers.get("WWW-Authenticate") != "Bearer":
        wrong.append("WWW-Authenticate")
    if answer.data and "Content-Type" not in headers:
        wrong.append("Content-Type")
    return wrong + _caching(answer) + _cookies(answer, secure)


def _caching(answer: TestResponse) -> list[str]:
    path, said = answer.request.path, answer.headers.get("Cache-Control", "")
    if path.startswith("/static/"):
        return []
    if is_api(path):
        return [] if said == "no-store" else [f"Cache-Control: {said}"]
    wrong = [] if said in ("private, no-cache", "no-store") else [f"Cache-Control: {said}"]
    return wrong if "Cookie" in answer.headers.get("Vary", "") else [*wrong, "Vary"]


def _cookies(answer: TestResponse, secure: bool) -> list[str]:
    wrong = []
    for cookie in answer.headers.getlist("Set-Cookie"):
        name, *said = (part.strip() for part in cookie.split(";"))
        wanted = {"HttpOnly", "SameSite=Lax", "Path=/"} | ({"Secure"} if secure else set())
        kept = wanted <= set(said) and not any(part.lower().startswith("domain") for part in said)
        if not kept or name.startswith("__Host-") != secure or len(cookie) > MAX_COOKIE:
            wrong.append(f"Set-Cookie: {cookie[:80]}")
    return wrong
