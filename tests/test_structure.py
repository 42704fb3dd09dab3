"""The shape of the project: who imports whom, and what is vendored."""

import ast
import base64
import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PORTAL = ROOT / "portal"
HTMX_SHA384 = "Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn"
"""Of htmx 4.0.1, taken from its published package, whose own SHA-512 matched the registry's."""

EDGES = ("portal.api", "portal.pages", "portal.cli")


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def modules(*folders: str) -> dict[str, set[str]]:
    """The imports of every module in these folders of the portal."""
    files = [
        file
        for folder in folders
        for file in (
            [PORTAL / f"{folder}.py"]
            if (PORTAL / f"{folder}.py").exists()
            else (PORTAL / folder).rglob("*.py")
        )
    ]
    assert files
    return {str(file.relative_to(ROOT)): imports(file) for file in files}


def test_services_know_nothing_of_requests_or_edges() -> None:
    for module, imported in modules("runs", "workflows", "history", "people").items():
        assert not {name for name in imported if name == "flask" or name.startswith("flask.")}, module
        assert not {name for name in imported if name.startswith(EDGES)}, module


def test_edges_reach_the_database_through_services_only() -> None:
    for module, imported in modules("api", "pages").items():
        assert not imported & {"portal.db", "portal.models", "sqlalchemy"}, module


def test_edges_do_not_import_each_other() -> None:
    for edge in ("api", "pages"):
        others = tuple(name for name in EDGES if name != f"portal.{edge}")
        for module, imported in modules(edge).items():
            assert not {name for name in imported if name.startswith(others)}, module


def test_the_ground_imports_nothing_but_itself() -> None:
    ground = ("addresses", "config", "db", "display", "errors", "folding", "moments", "reach")
    for module, imported in modules(*ground).items():
        ours = {name.split(".")[1] for name in imported if name.startswith("portal.")}
        assert ours <= {"addresses", "config", "errors", "moments", "reach"}, module


def test_addresses_are_made_in_one_place() -> None:
    readers = [
        file.name
        for file in PORTAL.rglob("*.py")
        if re.search(r"request\.(url|base_url|host_url|root_url|root_path|host|scheme)\b", file.read_text())
    ]
    assert readers == ["reach.py"]


def test_the_environment_is_read_in_one_place() -> None:
    readers = [
        file.name
        for file in PORTAL.rglob("*.py")
        if re.search(r"os\.environ|os\.getenv|from os", file.read_text())
    ]
    assert readers == ["config.py"]


def test_htmx_is_the_published_file_untouched() -> None:
    [file] = (ROOT / "static" / "vendor").glob("*.js")
    assert file.name == "htmx-4.0.1.min.js"
    assert base64.b64encode(hashlib.sha384(file.read_bytes()).digest()).decode() == HTMX_SHA384
    assert (ROOT / "static" / "vendor" / "htmx-4.0.1.LICENSE").exists()


def test_no_module_has_outgrown_its_subject() -> None:
    long = {
        str(file.relative_to(ROOT)): n
        for file in PORTAL.rglob("*.py")
        if (n := len(file.read_text().splitlines())) > 500
    }
    assert long == {}
