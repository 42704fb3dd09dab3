"""How `run-portal` comes to a machine: downloaded from the portal, or installed as a package."""

import ast
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from flask import Flask

import run_portal
from tests.exec.conftest import ROOT, Machine

FILE = ROOT / "run_portal.py"


@pytest.mark.slow
def test_the_portal_serves_the_command_to_everybody(sqlite_app: Flask, machine: Machine) -> None:
    answer = sqlite_app.test_client().get("/run-portal")
    assert (answer.status_code, answer.mimetype) == (200, "text/x-python")
    assert answer.headers["Content-Disposition"] == "attachment; filename=run-portal"
    downloaded = machine.home / "run-portal"
    downloaded.write_bytes(answer.data)
    downloaded.chmod(0o755)
    said = subprocess.check_output([downloaded, "--version"], timeout=60)
    assert said.decode() == f"run-portal {run_portal.VERSION}\n"


def test_who_has_the_command_does_not_get_it_again(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    mark = client.get("/run-portal").headers["ETag"]
    again = client.get("/run-portal", headers={"If-None-Match": mark})
    assert (again.status_code, again.data) == (304, b"")


def test_the_documentation_links_to_the_command(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    assert 'href="/run-portal"' in client.get("/docs").text
    assert "/run-portal)" in client.get("/llms.txt").text


def test_the_package_has_the_command_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    entry = EntryPoint("run-portal", project["scripts"]["run-portal"], "console_scripts")
    assert entry.load() is run_portal.main
    assert project["version"] == run_portal.VERSION


def test_the_command_needs_nothing_but_python_3_9() -> None:
    tree = ast.parse(FILE.read_text(), feature_version=(3, 9))
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {str(node.module).partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported - {"__future__"} <= sys.stdlib_module_names


def _python_3_9() -> Path | None:
    places = [*Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"), shutil.which("python3.9")]
    return next((Path(place) for place in places if place and _works(place)), None)


def _works(python: Path | str) -> bool:
    return subprocess.run([python, "--version"], capture_output=True, timeout=60).returncode == 0


@pytest.mark.slow
def test_the_command_runs_in_python_3_9(machine: Machine) -> None:
    python = _python_3_9()
    if python is None:
        pytest.skip("There is no Python 3.9 here.")
    command = [python, "-W", "error", FILE, "exec", "--workflow", "Backup", "--verbose", "--", "echo", "ran"]
    ran = subprocess.run(command, env=machine.environment, capture_output=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, b"ran\n")
    assert ran.stderr.endswith(b" was sent\n")
