"""Headers that every answer carries."""

import re

import brotli
import pytest
from flask import Flask
from flask.testing import FlaskClient

PATHS = [
    "/login",
    "/",
    "/nowhere",
    "/healthz",
    "/api/v1/nowhere",
    "/static/portal.css",
    "/static/nothing",
    "/signin/x",
    "/login?next=/",
    "/auth/start",
    "/auth/callback?code=x&state=y",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_lets_a_browser_run_or_frame_what_is_not_ours(sqlite_app: Flask, path: str) -> None:
    headers = sqlite_app.test_client().get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Request-Id"]


def test_pages_are_private_and_differ_by_cookie(sqlite_app: Flask) -> None:
    headers = sqlite_app.test_client().get("/login").headers
    assert headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in headers["Vary"]


def test_a_foreign_host_is_refused(sqlite_app: Flask) -> None:
    client: FlaskClient = sqlite_app.test_client()
    assert client.get("/login", base_url="http://evil.example").status_code == 400
    assert client.get("/api/v1/workflows", base_url="http://evil.example").status_code == 400


def test_a_body_over_the_bound_is_refused(sqlite_app: Flask) -> None:
    answer = sqlite_app.test_client().post(
        "/logout", data={"x": "y" * 1_100_000}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code in (303, 413)


def test_a_static_file_is_kept_for_ever_only_under_the_mark_of_its_content(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    [marked] = re.findall(r"/static/portal\.css\?v=\w+", client.get("/login").text)
    assert "immutable" in client.get(marked).headers["Cache-Control"]
    for other in ("/static/portal.css", "/static/portal.css?v=0", "/static/absent.css?v=0"):
        assert "immutable" not in client.get(other).headers.get("Cache-Control", "")


def test_pages_and_styles_go_compressed_to_whoever_takes_it(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    for path in ("/login", "/static/portal.css"):
        plain = client.get(path)
        packed = client.get(path, headers={"Accept-Encoding": "gzip, br"})
        assert packed.headers["Content-Encoding"] == "br"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert "Content-Encoding" not in plain.headers
        assert len(packed.data) < len(plain.data) / 2
    assert brotli.decompress(packed.data) == plain.data
    assert client.get("/login", headers={"Accept-Encoding": "gzip, br, zstd"}).content_encoding == "zstd"


def test_json_and_parts_of_a_file_go_as_they_are(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    takes = {"Accept-Encoding": "gzip, br"}
    assert "Content-Encoding" not in client.get("/openapi.json", headers=takes).headers
    part = client.get("/static/portal.css", headers=takes | {"Range": "bytes=10-99"})
    assert (part.status_code, len(part.data)) == (206, 90)
    assert "Content-Encoding" not in part.headers


def test_a_compressed_file_that_a_browser_has_is_not_sent_again(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    takes = {"Accept-Encoding": "br"}
    whole = client.get("/static/portal.css", headers=takes)
    mark = whole.headers["ETag"]
    assert int(whole.headers["Content-Length"]) == len(whole.data)
    again = client.head("/static/portal.css", headers=takes)
    assert (again.headers["Content-Length"], again.data) == (whole.headers["Content-Length"], b"")
    assert client.get("/static/portal.css", headers=takes | {"If-None-Match": mark}).status_code == 304
