"""Node types of packages, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from portal.definitions.catalog import CATALOG, NodeType, Port

_LINES = (Port("lines", ("text",)),)
_AUDIO = (Port("lines", ("text", "audio")),)

SHOUT = NodeType(
    slug="operator_shout",
    category="operator",
    display_name="Shout",
    description="Writes lines in capitals.",
    inputs=_LINES,
    outputs=_LINES,
    settings={"ending": {"type": "string", "enum": ["", "!"], "default": ""}},
)
SING = replace(SHOUT, slug="operator_sing", display_name="Sing", outputs=_AUDIO)
READ = replace(SHOUT, slug="source_read", category="source", display_name="Read", inputs=())
LISTEN = replace(
    SHOUT,
    slug="validator_listen",
    category="validation",
    display_name="Listen",
    inputs=(Port("lines", ("audio",)),),
    outputs=(Port("pass", ("text", "audio")), Port("fail", ("text", "audio"))),
    settings={"max_retries": {"type": "integer", "default": 2, "minimum": 0, "maximum": 9}},
)


@contextmanager
def installed(*types: NodeType) -> Iterator[None]:
    """These types beside ours, for a portal that exists already."""
    CATALOG.install(types)
    try:
        yield
    finally:
        CATALOG.install(())
