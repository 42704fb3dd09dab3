"""What goes over the wire smaller than it is: pages, fragments, styles and scripts."""

from flask import Flask, Response
from flask_compress import Compress

TYPES = ("text/html", "text/css", "text/javascript", "image/svg+xml")
"""JSON is left as it is: a page of runs is a few kB, and packing it costs more than a script's wire saves."""


def init_app(app: Flask) -> None:
    """Compress answers of these types.

    To be called before whatever else adds headers: who registers first sees an answer last.
    """
    app.config.update(
        COMPRESS_REGISTER=False,
        COMPRESS_MIMETYPES=list(TYPES),
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_STREAMS=False,
    )
    compress = Compress(app)

    @app.after_request
    def shrink(response: Response) -> Response:
        # A range of a file is one of the file as it lies: compressed it would be another.
        if response.status_code == 206:
            return response
        if response.mimetype in TYPES:
            response.direct_passthrough = False
            response.make_sequence()  # a static file is small: read whole, it can be packed and is closed
        return compress.after_request(response)
