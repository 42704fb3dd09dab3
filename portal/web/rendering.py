"""How a page is rendered: a template, and the frozen dataclass of what it shows.

Each page and fragment has a context class beside its view. Its fields are the template's variables.
"""

import re
from dataclasses import fields
from typing import Any, ClassVar, Protocol

from flask import render_template
from jinja2.ext import Extension

_INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)


class Context(Protocol):
    """A dataclass whose fields are the variables of a template."""

    __dataclass_fields__: ClassVar[dict[str, Any]]  # the standard library's own protocol of dataclasses


class Dedent(Extension):
    """Leaves out the indentation of templates: it serves those who edit them and would weigh on each page."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return _INDENTATION.sub("", source)


def render(template: str, context: Context) -> str:
    """The template with the fields of this context as its variables."""
    return render_template(
        template, **{field.name: getattr(context, field.name) for field in fields(context)}
    )
