"""gunicorn's hooks: the check before it starts, the folder in which workers share what they measure, and a
log format like the portal's own, secrets redacted."""

import shutil
import sys
import tempfile
from pathlib import Path

from gunicorn.config import Config
from gunicorn.glogging import Logger

from portal.config import environment, read_settings
from portal.database.compatibility import why_unfit
from portal.input.setting_values import BadSetting
from portal.web.logs import JsonFormatter


class Log(Logger):  # type: ignore[misc]
    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            for handler in logger.handlers:
                handler.setFormatter(JsonFormatter())


def refuse_unfit_database(instance: Path) -> None:
    """Exit if the database can never serve; one that is only unreachable now does not prevent the start."""
    try:
        reason = why_unfit(read_settings(environment(), instance).database_url)
    except BadSetting as refusal:
        reason = str(refusal)
    if reason is not None:
        sys.exit(f"Run Portal does not start. {reason}")


def make_metrics_folder(instance: Path) -> str | None:
    """A new folder for the request times of all workers; None without a token for metrics.

    It has to be in PROMETHEUS_MULTIPROC_DIR before a worker begins.
    """
    wanted = read_settings(environment(), instance).metrics_token is not None
    return tempfile.mkdtemp(prefix="run-portal-metrics-") if wanted else None


def mark_worker_dead(folder: str, pid: int) -> None:
    """Keep what a worker counted, without what held for it only while it lived."""
    from prometheus_client.multiprocess import mark_process_dead  # after the folder is set

    mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def remove_metrics_folder(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
