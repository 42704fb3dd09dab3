"""How to bring in the history of other systems: for each, the lines to run."""

from collections.abc import Sequence
from dataclasses import dataclass

from portal.auth.gate import current_principal
from portal.history.sources.reading import registry
from portal.pages import bp
from portal.web.rendering import render

_IMPORT = "flask import "
UNREAD = ("Kestra", "n8n", "CDEvents")
"""Systems that people ask for and that have no reader yet."""


@dataclass(frozen=True)
class System:
    """A system that has a reader."""

    name: str
    title: str
    reads: str
    commands: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class BringInPage:
    """What `history/bring_in.html` shows."""

    systems: Sequence[System]
    plug_ins: Sequence[str]
    """The names of the readers that installed packages bring."""
    hooks: Sequence[str]
    """The commands that make addresses for live events."""
    unread: Sequence[str] = UNREAD


@bp.get("/history/bring-in")
def bring_in() -> str:
    workspace = current_principal().workspace
    of = f"--workspace {workspace.slug} " if workspace else ""
    into = f"{_IMPORT}{of}"
    systems = [
        System(each.name, each.title, each.reads, [line.replace(_IMPORT, into) for line in each.commands])
        for each in registry.own_readers()
    ]
    plug_ins = [name for name in registry.names() if name not in registry.OWN]
    hooks = [
        f"flask hooks add {of}--kind github --repository OWNER/REPO",
        f"flask hooks add {of}--kind gitlab --repository GROUP/PROJECT",
    ]
    return render("history/bring_in.html", BringInPage(systems=systems, plug_ins=plug_ins, hooks=hooks))
