"""The shape of the project: who imports whom, and what is vendored."""

import ast
import base64
import hashlib
import re
from pathlib import Path

import pytest

from portal.runs.statuses import STATUSES
from scripts import rooms
from scripts.rooms import imports

ROOT = Path(__file__).parents[1]
PORTAL = ROOT / "portal"
HTMX_SHA384 = "Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn"
"""Of htmx 4.0.1, taken from its published package, whose own SHA-512 matched the registry's."""

LOOSE = {"portal": 26, "portal.runs": 15}
"""The folders whose children are rooms themselves, as the design names them."""

EDGES = ("portal.api", "portal.pages", "portal.cli")


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


def test_rooms_import_only_rooms_below_them() -> None:
    layer = {room: number for number, rooms_of in enumerate(rooms.LAYERS) for room in rooms_of}
    for room, imported in rooms.arrows().items():
        assert room in layer, f"{room} has no place in scripts/rooms.py"
        upward = {name for name in imported if layer[name] >= layer[room]}
        assert not upward, f"{room} imports {upward}"


@pytest.mark.parametrize("folder", rooms.folders())
def test_within_a_room_imports_go_one_way(folder: str) -> None:
    assert rooms.cycle(rooms.arrows(folder)) == []


def test_a_cycle_would_be_found() -> None:
    assert rooms.cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert rooms.cycle({"a": {"b", "c"}, "b": {"c"}}) == []


def test_a_room_has_at_most_a_dozen_modules() -> None:
    for folder in rooms.folders():
        here = [name for name in rooms.modules() if name.rpartition(".")[0] == folder]
        if not folder.startswith(("portal.api", "portal.pages")):
            assert len(here) <= LOOSE.get(folder, 12), (folder, here)


def test_services_know_nothing_of_requests_or_edges() -> None:
    for module, imported in modules("runs", "workflows", "usage", "history", "workspaces", "ingest").items():
        assert not {name for name in imported if name == "flask" or name.startswith("flask.")}, module
        assert not {name for name in imported if name.startswith(EDGES)}, module


def test_edges_reach_the_database_through_services_only() -> None:
    for module, imported in modules("api", "pages", "cli").items():
        assert not imported & {
            "portal.database.engine",
            "portal.database.transactions",
            "portal.database.models",
            "sqlalchemy",
        }, module


def test_edges_do_not_import_each_other() -> None:
    for edge in ("api", "pages"):
        others = tuple(name for name in EDGES if name != f"portal.{edge}")
        for module, imported in modules(edge).items():
            assert not {name for name in imported if name.startswith(others)}, module


def test_addresses_are_made_in_one_place() -> None:
    readers = [
        file.name
        for file in PORTAL.rglob("*.py")
        if re.search(r"request\.(url|base_url|host_url|root_url|root_path|host|scheme)\b", file.read_text())
    ]
    assert readers == ["proxy.py"]


def test_the_environment_is_read_in_one_place() -> None:
    readers = [
        file.name
        for file in PORTAL.rglob("*.py")
        if re.search(r"os\.environ|os\.getenv|from os", file.read_text())
    ]
    assert readers == ["config.py"]


@pytest.mark.parametrize(
    ("rule", "home"),
    [
        (r"\\ud800", "portal/input/text.py"),
        (r"0-9a-fA-F\]\{8\}", "portal/input/parameters.py"),
        (r"\[0-9\]\{4\}-", "portal/moments.py"),
        (
            r"must be one of|must be a whole number from|without NUL or broken characters\.\"$",
            "portal/input/sentences.py",
        ),
        (r"date(time)?\(1970,|'1970-", "portal/moments.py"),
    ],
)
def test_a_rule_about_values_has_one_home(rule: str, home: str) -> None:
    """Text that can be stored, ids, days, the epoch, and the sentences that refuse a value."""
    files = [file for name, file in rooms.modules().items() if re.search(rule, file.read_text())]
    assert [str(file.relative_to(ROOT)) for file in files] == [home]


def test_pages_name_a_status_by_its_one_name() -> None:
    """Those of a workflow, which `workflows.py` puts in words, are others."""
    by_hand = [
        f"{module}: {node.value}"
        for module in modules("pages")
        if module != "portal/pages/workflows.py"
        for node in ast.walk(ast.parse((ROOT / module).read_text()))
        if isinstance(node, ast.Constant) and node.value in STATUSES
    ]
    assert by_hand == []


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
