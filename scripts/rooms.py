"""The rooms of the portal: who imports whom, and how many lines each has.

`python -m scripts.rooms` prints them from the bottom up.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PORTAL = Path(__file__).resolve().parents[1] / "portal"

LAYERS = (
    ("errors", "moments", "paging"),
    ("input",),
    ("config",),
    ("database",),
    ("web",),
    ("storage",),
    ("auth",),
    ("workspaces",),
    ("definitions",),
    ("speech",),
    ("runs",),
    ("workflows", "usage", "finding"),
    ("engine",),
    ("history",),
    ("ingest",),
    ("checks",),
    ("api", "pages", "cli"),
    ("failures", "health", "server"),
)
"""What may import what: a room imports those of the lines above it, never one of its own line or below."""

SCRIPTS = ("portal.database.migrations",)
"""Alembic runs these files; nothing imports them."""

Arrows = Mapping[str, set[str]]


@cache
def modules() -> dict[str, Path]:
    """The modules of the portal by their dotted names; a package is named without `__init__`."""
    found = {}
    for file in sorted(PORTAL.rglob("*.py")):
        name = ".".join(file.relative_to(PORTAL.parent).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith(SCRIPTS):
            found[name] = file
    return found


@cache
def imports(file: Path) -> set[str]:
    """All that a file imports, with what comes from a module as `module.name` too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def arrows(folder: str = "portal") -> Arrows:
    """Which children of a folder, rooms and modules, import which others."""
    known = modules()
    found: dict[str, set[str]] = defaultdict(set)
    for module, file in known.items():
        importer = _child(folder, module)
        imported = {name for name in imports(file) if name in known}
        # `from portal.runs import query` is an import of the module, not of all that the folder holds.
        imported = {name for name in imported if not any(other.startswith(f"{name}.") for other in imported)}
        if importer:
            found[importer] |= {child for name in imported if (child := _child(folder, name))} - {importer}
    return found


def _child(folder: str, module: str) -> str | None:
    rest = module.removeprefix(f"{folder}.")
    return None if rest == module else rest.split(".")[0]


def folders() -> list[str]:
    """Every folder of the portal that holds modules."""
    return [name for name, file in modules().items() if file.name == "__init__.py"]


def cycle(arrows: Arrows) -> list[str]:
    """A way along the arrows that comes back to where it began; empty where there is none."""
    finished: set[str] = set()

    def search(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name not in finished:
            for imported in sorted(arrows.get(name, ())):
                if found := search(imported, [*way, name]):
                    return found
            finished.add(name)
        return []

    return next((found for name in sorted(arrows) if (found := search(name, []))), [])


def _lines(room: str) -> int:
    prefix = f"portal.{room}"
    files = [file for name, file in modules().items() if name == prefix or name.startswith(f"{prefix}.")]
    return sum(len(file.read_text().splitlines()) for file in files)


def report() -> Iterator[str]:
    drawn = arrows()
    for layer in LAYERS:
        for room in layer:
            if _lines(room):
                below = ", ".join(sorted(drawn.get(room, ()))) or "nothing"
                yield f"{room:12} {_lines(room):6,} lines  imports {below}"


if __name__ == "__main__":
    print("\n".join(report()))
