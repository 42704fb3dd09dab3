"""What varies between errors of one cause: one table of rules, with a version.

Rules are alternatives at each position of a text, from left to right: the first that fits takes its piece
out. Their patterns never backtrack into a repetition without a small bound (it is possessive), and begin
where a word, a quotation or a number begins: the work grows with the length of the text.
"""

import re
from typing import NamedTuple

VERSION = 1
"""Grows with every change of the table: `flask failures regroup` then groups stored failures anew."""

VARIES = "…"
"""What stands for a piece that varies."""


class Rule(NamedTuple):
    """A kind of piece that varies; or, if `kept`, a piece that looks like one and does not."""

    name: str
    pattern: str
    kept: bool = False


_MONTH = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?"
    "|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_DAY = "(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,? )"
_REASON = (
    "(?:Bad Request|Unauthorized|Payment Required|Forbidden|Not Found|Method Not Allowed|Not Acceptable"
    "|Conflict|Gone|Payload Too Large|Content Too Large|Unprocessable|Too Many Requests|Internal Server Error"
    "|Not Implemented|Bad Gateway|Service Unavailable|Gateway Time-?out)"
)
_LANGUAGE = "(?:ar|bg|cs|da|de|el|en|es|et|fi|fr|hr|hu|ja|ko|lt|lv|nl|pl|pt|ro|ru|sk|sl|sv|th|tr|uk|vi|zh)"
"""Languages of locales in small letters, without those that are English words."""
_HEX = "[0-9A-Fa-f]"
_UNIT = (
    r"(?: ?%| ?(?:[kKMGT]?i?[Bb]|bytes?|characters?|ns|us|µs|ms|s|secs?|seconds?|m|mins?|minutes?"
    r"|h|hours?|d|days?)\b)"
)

RULES = (
    # Most of a text: taken over in one step, it need not be compared with the other rules letter by letter.
    Rule("words", r"(?<![a-z])(?:[a-z]++(?:[ ,]++|[:;.)] ++|\Z))++", kept=True),
    Rule("status of HTTP", rf"\bHTTP(?:/\d(?:\.\d)?)? [1-5]\d\d\b|\b[1-5]\d\d {_REASON}\b", kept=True),
    Rule("address", r"\b[A-Za-z][A-Za-z0-9+.-]{1,15}+://[^\s\"'<>,;()]*+"),
    Rule("e-mail", r"(?<![\w.+-])[\w.+-]{1,64}+@[\w.-]{1,255}+"),
    Rule(
        "quoted value",
        r"\"[^\"\n]*+\"|“[^“”\n]*+”|„[^„“”\n]*+[“”]|«[^«»\n]*+»|`[^`\n]*+`|‘[^‘’\n]*+’|(?<!\w)'[^'\n]*+'(?!\w)",
    ),
    Rule("UUID", rf"\b{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}\b"),
    Rule(
        "time",
        r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9}+)?+)?+(?:Z|[+-]\d\d:?\d\d)?+)?+"
        r"|\b\d{1,4}/\d{1,2}/\d{1,4}\b"
        rf"|\b{_DAY}?(?:\d{{1,2}} )?{_MONTH}\.? \d{{1,4}}\b(?:,? \d{{4}}\b)?+",
    ),
    Rule(
        "path",
        r"\b[A-Za-z]:\\[^\s\"'<>|:;,]*+"
        r"|(?<![\w.])(?:~|\.{1,2})?+(?:/[\w.@%+=~-]++)++/?+"
        r"|(?<![\w./@+-])[\w.@+-]{1,64}+(?:/[\w.@+-]{1,64}+){2,64}+"
        r"|(?<![\w./@+-])(?:[\w@+-]{1,64}+/){1,20}+[\w@+-]{1,64}+\.\w{1,8}+",
    ),
    Rule(
        "locale",
        r"\b[a-z]{2,3}[-_](?:[A-Z][a-z]{3}[-_])?[A-Z]{2}\b|\b[a-z]{2}[-_](?:419|[A-Z][a-z]{3})\b"
        rf"|(?<![\w-]){_LANGUAGE}-[a-z]{{2}}(?![\w-])",
    ),
    Rule("hexadecimal number", rf"\b0[xX]{_HEX}++|\b(?=[A-Fa-f]{{0,63}}+\d){_HEX}{{7,}}+\b"),
    Rule("id", r"(?<![A-Za-z0-9])(?=[A-Za-z]{0,63}+\d)[A-Za-z0-9]{8,}+"),
    Rule("number", rf"(?:(?<!\w)[+-])?+\d++(?:[.,:]\d++)*+(?:[eE][+-]?\d{{1,3}}+\b)?+{_UNIT}?+"),
)
LIST = rf"{VARIES}(?:(?:[,;:|/+x-] ?| )?+{VARIES})++"
"""Several pieces after each other count as one, however many there are."""

_KEPT, _VARIES = ("|".join(rule.pattern for rule in RULES if rule.kept is kept) for kept in (True, False))
_PIECES = re.compile(f"({_KEPT})|{_VARIES}")
_LISTS = re.compile(LIST)


def without_what_varies(text: str) -> str:
    """The text with VARIES for each piece that varies, in one line."""
    found = _PIECES.sub(_replacement, text)
    return _LISTS.sub(VARIES, " ".join(found.split()))


def _replacement(piece: re.Match[str]) -> str:
    return piece[1] or VARIES
