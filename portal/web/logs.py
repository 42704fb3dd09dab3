"""Logs: one JSON object per line, secrets redacted."""

import json
import logging
import re

from portal import moments

_SECRETS = re.compile(
    r"(op_(?:live|test|pub|ing|ping)_)[0-9A-Za-z]+|((?:bearer|basic)\s+)[^\s'\"]+|((?:set-)?cookie:\s*)[^\r\n]+"
    r"|(/(?:signin|invitations|ping)/)[^\s/?\"']+"
    r"|((?:code|state|nonce|signature|token|client_secret|code_verifier|(?:access|id|refresh)_token)=)[^&\s\"']+"
    r"|((?:client_secret|code_verifier|(?:access|id|refresh)_token)['\"]?: ?['\"]?)[^&\s\"']+"
    r"|(://[^\s:/@]*:)[^\s/@]+(?=@)|(eyJ)[\w-]{5,}\.[\w-]+\.?[\w-]*",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Redact keys, tokens, cookies, passwords, and sign-in, invitation, file and ping addresses."""
    return _SECRETS.sub(lambda match: next(label for label in match.groups() if label) + "[redacted]", text)


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": moments.format_moment(moments.now()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True)


def init_logging() -> None:
    """Log to standard error: INFO from the portal, WARNING from everything else."""
    root = logging.getLogger()
    if any(isinstance(handler.formatter, JsonFormatter) for handler in root.handlers):
        return
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root.addHandler(handler)
    logging.getLogger("portal").setLevel(logging.INFO)
