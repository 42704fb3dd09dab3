"""How gunicorn serves the portal; it finds this file in the folder where it is started.

What the command line says counts more, such as `--workers 2`. Why gunicorn: docs/decisions/. The arbiter
has the portal's code too, which its workers share; new code therefore needs a restart, not a reload.
"""

import gc
import os
from typing import Any

from portal import ROOT, server
from portal.web import compression

bind = "127.0.0.1:8000"
worker_class = "gthread"
threads = 8
limit_request_line = 8190
keepalive = 30
forwarded_allow_ips = ""  # what proxies say is for PORTAL_PROXY_HOPS alone to believe
control_socket_disable = True
logger_class = "portal.server.Log"


MEASURES = "PROMETHEUS_MULTIPROC_DIR"
"""The folder in which the workers share their request times, if there are metrics; new at every start."""


def on_starting(arbiter: Any) -> None:
    compression.precompress_static_files(ROOT / "static")
    server.refuse_unfit_database(ROOT / "instance")
    os.environ.pop(MEASURES, None)
    if folder := server.make_metrics_folder(ROOT / "instance"):
        os.environ[MEASURES] = folder


def child_exit(arbiter: Any, worker: Any) -> None:
    if folder := os.environ.get(MEASURES):
        server.mark_worker_dead(folder, worker.pid)


def on_exit(arbiter: Any) -> None:
    if folder := os.environ.get(MEASURES):
        server.remove_metrics_folder(folder)


def post_worker_init(worker: Any) -> None:
    gc.collect()
    gc.freeze()  # what start-up made stays: looking through it for garbage would hold up a request for 80 ms
