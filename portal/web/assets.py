"""URLs of static files, versioned by a hash of their content."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, current_app, url_for


@cache
def _content_hash(path: Path, _modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def asset_url(filename: str) -> str:
    """The URL of a static file; it changes with the content."""
    return url_for("static", filename=filename, v=asset_version(filename))


def asset_version(filename: str) -> str:
    """The content hash of a static file, cached until the file is modified."""
    path = Path(current_app.static_folder or "") / filename
    return _content_hash(path, path.stat().st_mtime_ns)


def init_app(app: Flask) -> None:
    app.add_template_global(asset_url)
