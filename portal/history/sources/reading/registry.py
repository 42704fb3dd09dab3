"""The readers that there are: the portal's own, and those of installed packages by their entry points."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from portal.errors import FieldError, InvalidQuery
from portal.history.sources.reading.reader import Reader
from portal.input import sentences

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
