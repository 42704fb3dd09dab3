"""The portal over real HTTP, for clients that need a real server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from werkzeug.serving import make_server

from portal import create_app
from portal.database.engine import db


@contextmanager
def served(environment: dict[str, str], instance: Path) -> Iterator[str]:
    """Serve the portal on a free port of this machine; gives its base URL."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    base_url = f"http://127.0.0.1:{server.server_port}"
    app = create_app(environment | {"PORTAL_BASE_URL": base_url}, instance=instance)
    server.app = app
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield base_url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        with app.app_context():
            db.engine.dispose()
