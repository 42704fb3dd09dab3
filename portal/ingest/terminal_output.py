"""What a command wrote, as plain text."""

import re

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # control sequences: colours, moves of the cursor
    r"|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # titles, links and other strings, with their ends
    r"|[ -/]*[0-~])?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain_text(raw: bytes, most: int) -> str:
    """The last bytes of an output, up to so many, without escape sequences and control characters.

    Of a line that was written over, such as a progress bar, the last state counts.
    """
    kept = raw[-most:] if most else b""
    if len(kept) < len(raw):
        kept = kept.lstrip(bytes(range(0x80, 0xC0)))  # the rest of a character that was cut in two
    lines = _ESCAPE.sub("", kept.decode("utf-8", "replace")).split("\n")
    shown = (line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return _CONTROL.sub("", "\n".join(shown))
