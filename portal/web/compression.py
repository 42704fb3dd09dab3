"""What goes over the wire smaller than it is: pages, fragments, styles and scripts."""

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path

import brotli
from flask import Flask, Response, request
from flask_compress import Compress

TYPES = ("text/html", "text/css", "text/javascript", "image/svg+xml")
"""JSON is left as it is: a page of runs is a few kB, and packing it costs more than a script's wire saves."""

STATIC: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.compress,
    "gzip": lambda content: gzip.compress(content, mtime=0),
}
"""How static files are packed, the best way first: as small as they get, since it is done once."""


def init_app(app: Flask) -> None:
    """Compress answers of these types.

    To be called before whatever else adds headers: who registers first sees an answer last. Pages are packed
    for each request and therefore quickly: zstd takes a fourth of brotli's time and comes as small.
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
    def shrink(response: Response) -> Response:
        # A range of a file is one of the file as it lies: compressed it would be another.
        if response.status_code == 206:
            return response
        if request.endpoint == "static" and response.mimetype in TYPES:
            return _shrink_file(response, folder / (request.view_args or {})["filename"])
        return compress.after_request(response)


def pack_static_files(folder: Path) -> None:
    """Pack what is there, so that no request has to wait for it."""
    for path in folder.rglob("*"):
        if path.suffix in (".css", ".js", ".svg"):
            for encoding in STATIC:
                _packed(path, path.stat().st_mtime_ns, encoding)


def _shrink_file(response: Response, path: Path) -> Response:
    response.vary.add("Accept-Encoding")
    encoding = request.accept_encodings.best_match(STATIC)
    if encoding is None or response.status_code not in (200, 304):
        return response
    etag, _ = response.get_etag()
    response.set_etag(etag or "", weak=True)
    if response.status_code == 200:
        response.direct_passthrough = False
        response.close()
        response.set_data(_packed(path, path.stat().st_mtime_ns, encoding))
        response.content_encoding = encoding
    return response


@cache
def _packed(path: Path, _modified_ns: int, encoding: str) -> bytes:
    return STATIC[encoding](path.read_bytes())
