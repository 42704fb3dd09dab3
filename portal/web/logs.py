"""Logs: one JSON object a line, with every secret taken out."""

import json
import logging
import re

from portal import moments

_SECRETS = re.compile(
    r"(op_(?:live|test|pub)_)[0-9A-Za-z]+|((?:bearer|basic)\s+)[^\s'\"]+|((?:set-)?cookie:\s*)[^\r\n]+"
    r"|(/(?:signin|invitations)/)[^\s/?\"']+"
    r"|((?:code|state|nonce|signature|token|client_secret|code_verifier|(?:access|id|refresh)_token)=)[^&\s\"']+"
    r"|((?:client_secret|code_verifier|(?:access|id|refresh)_token)['\"]?: ?['\"]?)[^&\s\"']+"
    r"|(://[^\s:/@]*:)[^\s/@]+(?=@)|(eyJ)[\w-]{5,}\.[\w-]+\.?[\w-]*",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text without API keys, tokens, cookies, passwords, sign-in, invitation and file links."""
    return _SECRETS.sub(lambda match: next(kept for kept in match.groups() if kept) + "[redacted]", text)


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
    """Log warnings and worse of everything, and what happens in the portal, to standard error."""
    root = logging.getLogger()
    if any(isinstance(handler.formatter, JsonFormatter) for handler in root.handlers):
        return
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root.addHandler(handler)
    logging.getLogger("portal").setLevel(logging.INFO)
