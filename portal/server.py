"""What gunicorn writes: lines like the portal's own, its access log too, with every secret taken out."""

from typing import Any

from gunicorn.glogging import Logger

from portal.logs import JsonFormatter


class Log(Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            for handler in logger.handlers:
                handler.setFormatter(JsonFormatter())
