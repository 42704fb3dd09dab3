"""Which readers there are, and how packages bring more."""

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.errors import InvalidQuery
from portal.history.sources.reading import registry
from tests.factories import NOON

MODULE = """
class Reader:
    name, title, reads, commands = "kestra", "Kestra", "Executions.", ()

    def read(self, source):
        yield {"type": "run"}

READER = Reader()
EMPTY = object()
"""
Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Makes a package on the path that brings a reader."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(distribution: str, name: str = "kestra", attribute: str = "READER", code: str = "") -> str:
        module = f"{distribution}_of_{tmp_path.name}".replace("-", "_")
        (tmp_path / f"{module}.py").write_text(MODULE + code)
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{name} = {module}:{attribute}\n")
        return module

    return make


def refusal(name: str) -> str:
    with pytest.raises(InvalidQuery) as refused:
        registry.reader(name)
    [error] = refused.value.errors
    assert error.field == "from"
    return error.message


def test_the_portals_own_readers_are_those_of_its_package() -> None:
    """A checkout that is not installed has no entry points."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][registry.GROUP] == registry.OWN


def test_every_reader_says_what_it_is() -> None:
    for name, found in zip(registry.OWN, registry.own_readers(), strict=True):
        assert found.name == name
        assert found.title
        assert found.reads.endswith(".")
        assert len(found.commands) == 2
        assert found.commands[1].startswith(f"flask import --from {name} ")


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    assert refusal("kestra") == f"must be one of {', '.join(registry.OWN)}."


def test_a_package_brings_a_reader_that_is_imported_when_it_is_named(package: Package) -> None:
    module, silent = package("run-portal-kestra"), package("silent", "n8n", code="raise SystemExit")
    assert registry.names() == [*registry.OWN, "kestra", "n8n"]
    assert module not in sys.modules
    assert registry.reader("kestra").title == "Kestra"
    assert silent not in sys.modules


def test_a_package_cannot_replace_a_reader_of_the_portal(package: Package) -> None:
    package("impostor", "github")
    assert registry.reader("github").title == "GitHub Actions"
    assert registry.names() == list(registry.OWN)


def test_two_packages_with_one_name_are_refused(package: Package) -> None:
    package("one"), package("two")
    assert refusal("kestra") == "kestra is what one and two both bring."


def test_a_package_that_is_broken_says_how(package: Package) -> None:
    package("broken", code="1 / 0\n")
    assert refusal("kestra") == "kestra of broken cannot be loaded: ZeroDivisionError: division by zero."


def test_what_is_no_reader_is_refused(package: Package) -> None:
    package("empty", attribute="EMPTY")
    assert refusal("kestra") == "kestra of empty is no reader: it has no read."


def test_options_without_from_and_wrong_ones_are_refused() -> None:
    assert registry.reading(None, NOON) is None
    with pytest.raises(InvalidQuery) as refused:
        registry.reading(None, NOON, zone="UTC")
    assert [error.field for error in refused.value.errors] == ["zone"]
    with pytest.raises(InvalidQuery) as refused:
        registry.reading("github", NOON, zone="Mars/Olympus", source=" ", workflow="x" * 201)
    assert [error.field for error in refused.value.errors] == ["source", "zone", "workflow"]
