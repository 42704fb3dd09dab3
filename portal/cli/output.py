"""How commands print: plain words, or JSON with `--json`."""

import json
from collections.abc import Callable
from typing import Any

import click


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def show(as_json: bool, values: dict[str, Any], text: str) -> None:
    click.echo(json.dumps(values) if as_json else text)
