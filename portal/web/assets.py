"""The addresses of static files, which change with their content."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, current_app, url_for


@cache
def _content_hash(path: Path, _modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def asset_url(filename: str) -> str:
    """The address of a static file, another one whenever its content changes."""
    return url_for("static", filename=filename, v=asset_version(filename))


def asset_version(filename: str) -> str:
    """A mark of the content of a static file that is there."""
    path = Path(current_app.static_folder or "") / filename
    return _content_hash(path, path.stat().st_mtime_ns)


def init_app(app: Flask) -> None:
    app.add_template_global(asset_url)
