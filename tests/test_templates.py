"""How templates are written: short lines, no code in markup, no hand-made addresses, fragments apart."""

import re
from pathlib import Path

import pytest
from flask import Flask

TEMPLATES = Path(__file__).parents[1] / "templates"
MAX_LINE = 120

RULES = {
    "a line of more than 120 characters": re.compile(rf"^.{{{MAX_LINE + 1},}}$", re.MULTILINE),
    "an inline style": re.compile(r"\sstyle=|<style"),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)|\son[a-z]+=|hx-on"),
    "unescaped output": re.compile(r"\|\s*safe\b|\bMarkup\b|autoescape false"),
    "an address built from strings": re.compile(r"""(?:href|action|src|hx-get|hx-post)=["']/"""),
    "a tab": re.compile(r"\t"),
    "white space at the end of a line": re.compile(r"[ \t]$", re.MULTILINE),
}


@pytest.mark.parametrize("fault", RULES)
def test_no_template_has(fault: str) -> None:
    having = [str(file.relative_to(TEMPLATES)) for file in _files() if RULES[fault].search(file.read_text())]
    assert having == []


def test_fragments_extend_nothing() -> None:
    assert [file.name for file in _files() if file.name[0] == "_" and "{% extends" in file.read_text()] == []


def test_indentation_is_not_sent(sqlite_app: Flask) -> None:
    template = sqlite_app.jinja_env.from_string(
        "<ul>\n  {% for n in (1, 2) %}\n    <li>{{ n }}</li>\n  {% endfor %}\n</ul>"
    )
    assert template.render() == "<ul>\n<li>1</li>\n<li>2</li>\n</ul>"


def _files() -> list[Path]:
    files = sorted(TEMPLATES.rglob("*.html"))
    assert files
    return files
