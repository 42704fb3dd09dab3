"""The document that says which requests of the published client this portal answers."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from tests.onepin.conftest import NEWEST, program
from tests.onepin.test_models import ARGUMENT, MODELS

DOCUMENT = Path(__file__).parents[2] / "docs" / "client-routes.md"
ROW = re.compile(r"^\| `(\w+) (/\S+)` \| (yes|no) \|", re.MULTILINE)


@pytest.fixture
def known() -> set[tuple[str, str]]:
    """Method and path of each request that the newest client can make."""
    if not program(NEWEST).exists():
        pytest.skip(f"the onepin client {NEWEST} is not installed: run the tests with `make test`")
    printed = subprocess.run(
        [sys.executable, str(MODELS), "routes"], capture_output=True, check=True, text=True
    )
    return {(method, path) for path, method in json.loads(printed.stdout)}


@pytest.mark.slow
def test_the_document_names_each_request_of_the_client_and_whether_it_is_answered(
    sqlite_app: Flask, known: set[tuple[str, str]]
) -> None:
    routed = {
        (method, ARGUMENT.sub("{}", rule.rule))
        for rule in sqlite_app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    rows = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    documented = {(method, re.sub(r"{\w*}", "{}", path)): answer for method, path, answer in rows}
    assert documented == {request: "yes" if request in routed else "no" for request in known}
