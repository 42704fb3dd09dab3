"""The readers that there are: the portal's own, and those of installed packages by their entry points."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from portal.errors import FieldError, InvalidQuery
from portal.history.sources.reading.reader import Reader, Reading
from portal.input import bounds, parameters, sentences
from portal.input.text import is_storable
from portal.input.time_zones import UTC_NAME, time_zone, zone_of

MAX_SOURCE = 200
GROUP = "run_portal.history"
_HOME = "portal.history.sources"
OWN: Mapping[str, str] = {
    name: f"{_HOME}.{name}:READER"
    for name in (
        *("github", "gitlab", "jenkins", "airflow", "prefect", "dagster"),
        *("argo", "nextflow", "snakemake", "slurm", "wfformat"),
    )
}
"""The entry points of the portal's own readers, which a checkout that is not installed lacks."""


def names() -> list[str]:
    """What `--from` takes: our own readers, then those of packages."""
    return [*OWN, *_installed()]


def own_readers() -> list[Reader]:
    return [_load(name, value) for name, value in OWN.items()]


def reading(system: str | None, now: datetime, **given: str | None) -> Reading | None:
    """How a command reads its files, from its options; None for lines of history. Raises InvalidQuery."""
    options = {name: value for name, value in given.items() if value is not None}
    if system is None:
        if options:
            raise InvalidQuery([FieldError(name, "goes with --from only.") for name in options])
        return None
    values = parameters.Reader(options)
    source = values.read("source", _text_of(MAX_SOURCE), "")
    zone = values.read("zone", time_zone, UTC_NAME)
    workflow = values.read("workflow", _text_of(bounds.MAX_WORKFLOW_NAME), "")
    values.finish()
    return Reading(reader(system), now, source or None, zone_of(zone), workflow or None)


def _text_of(longest: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not 1 <= len(text) <= longest or not text.strip() or not is_storable(text):
            raise parameters.Refused(f"must be text of 1 to {longest} characters.")
        return text

    return parse


def reader(name: str) -> Reader:
    """The reader of this name; only its module is imported. Raises InvalidQuery."""
    if name in OWN:
        return _load(name, OWN[name])
    found = _installed().get(name)
    if found is None:
        raise _refusal(sentences.one_of(names()))
    if len(found) > 1:
        raise _refusal(f"{name} is what {' and '.join(sorted(map(_package, found)))} both bring.")
    return _load(name, found[0].value, _package(found[0]))


def _installed() -> dict[str, Sequence[EntryPoint]]:
    """Entry points of packages by name, without those that stand for readers of ours."""
    found: dict[str, list[EntryPoint]] = {}
    for entry_point in entry_points(group=GROUP):
        if entry_point.name not in OWN:
            found.setdefault(entry_point.name, []).append(entry_point)
    return {name: found[name] for name in sorted(found)}


def _package(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else entry_point.module


def _load(name: str, value: str, package: str = "the portal") -> Reader:
    module, _, attribute = value.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:
        raise _refusal(f"{name} of {package} cannot be loaded: {type(error).__name__}: {error}.") from error
    if not callable(getattr(found, "read", None)):
        raise _refusal(f"{name} of {package} is no reader: it has no read.")
    return cast(Reader, found)


def _refusal(reason: str) -> InvalidQuery:
    return InvalidQuery([FieldError("from", reason)])
