"""gunicorn's hooks: the check before it starts, and a log format like the portal's own, secrets redacted."""

import sys
from pathlib import Path

from gunicorn.config import Config
from gunicorn.glogging import Logger

from portal.config import BadSetting, environment, read_settings
from portal.database.compatibility import why_unfit
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
