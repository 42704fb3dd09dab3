"""HTTP compression of pages, fragments, styles and scripts."""

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path

import brotli
from flask import Flask, Response, request
from flask_compress import Compress

TYPES = ("text/html", "text/css", "text/javascript", "image/svg+xml")
"""JSON is not compressed: a page of runs is a few kB, and compressing costs a script more than it saves."""

STATIC: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.compress,
    "gzip": lambda content: gzip.compress(content, mtime=0),
}
"""Encodings of static files, best first, at the highest level, since each file is compressed once."""


def init_app(app: Flask) -> None:
    """Compress responses of these types.

    Call it before anything else that adds headers: Flask runs after_request functions in reverse order. Pages
    are compressed on each request, so speed counts: zstd takes a fourth of brotli's time for the same size.
    """
    app.config.update(
        COMPRESS_REGISTER=False,
        COMPRESS_MIMETYPES=list(TYPES),
        COMPRESS_ALGORITHM=["zstd", "br", "gzip"],
        COMPRESS_STREAMS=False,
    )
    compress = Compress(app)
    folder = Path(app.static_folder or "")

    @app.after_request
    def compress_response(response: Response) -> Response:
        # A range refers to the bytes of the uncompressed file.
        if response.status_code == 206:
            return response
        if request.endpoint == "static" and response.mimetype in TYPES:
            return _compress_file(response, folder / (request.view_args or {})["filename"])
        return compress.after_request(response)


def precompress_static_files(folder: Path) -> None:
    """Fill the cache of compressed files at start, so that no request has to wait."""
    for path in folder.rglob("*"):
        if path.suffix in (".css", ".js", ".svg"):
            for encoding in STATIC:
                _compressed(path, path.stat().st_mtime_ns, encoding)


def _compress_file(response: Response, path: Path) -> Response:
    response.vary.add("Accept-Encoding")
    encoding = request.accept_encodings.best_match(STATIC)
    if encoding is None or response.status_code not in (200, 304):
        return response
    etag, _ = response.get_etag()
    response.set_etag(etag or "", weak=True)
    if response.status_code == 200:
        response.direct_passthrough = False
        response.close()
        response.set_data(_compressed(path, path.stat().st_mtime_ns, encoding))
        response.content_encoding = encoding
    return response


@cache
def _compressed(path: Path, _modified_ns: int, encoding: str) -> bytes:
    return STATIC[encoding](path.read_bytes())
