"""How gunicorn serves the portal; it finds this file in the folder where it is started.

What the command line says counts more, such as `--workers 2`. Why gunicorn: docs/decisions/. The arbiter
has the portal's code too, which its workers share; new code therefore needs a restart, not a reload.
"""

import gc
from typing import Any

from portal import ROOT
from portal.server import refuse_unfit_database
from portal.web import compression

bind = "127.0.0.1:8000"
worker_class = "gthread"
threads = 8
limit_request_line = 8190
keepalive = 30
forwarded_allow_ips = ""  # what proxies say is for PORTAL_PROXY_HOPS alone to believe
control_socket_disable = True
logger_class = "portal.server.Log"


def on_starting(server: Any) -> None:
    compression.precompress_static_files(ROOT / "static")
    refuse_unfit_database(ROOT / "instance")


def post_worker_init(worker: Any) -> None:
    gc.collect()
    gc.freeze()  # what start-up made stays: looking through it for garbage would hold up a request for 80 ms
