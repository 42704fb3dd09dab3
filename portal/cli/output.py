"""Output of commands: text, or JSON with `--json`."""

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import click

Callback = TypeVar("Callback", bound=Callable[..., None])


def json_option(command: Callback) -> Callback:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def show(as_json: bool, values: Mapping[str, object], text: str) -> None:
    click.echo(json.dumps(values) if as_json else text)
