"""What gunicorn takes of the portal: a look before it starts, and how it writes its log.

Its lines are like the portal's own, the access log too, with every secret taken out.
"""

import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from portal.config import BadSetting, environment, read_settings
from portal.database.compatibility import why_unfit
from portal.web.logs import JsonFormatter


class Log(Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            for handler in logger.handlers:
                handler.setFormatter(JsonFormatter())


def refuse_unfit_database(instance: Path) -> None:
    """Do not start on a database that can never serve; one that is away for a moment holds up no start."""
    try:
        why_not = why_unfit(read_settings(environment(), instance).database_url)
    except BadSetting as refusal:
        why_not = str(refusal)
    if why_not is not None:
        sys.exit(f"Run Portal does not start. {why_not}")
