"""The handlers of node types: ours, and those of the packages that PORTAL_HANDLER_PLUGINS names.

Ours are imported when a step needs them: a web server lists node types without what handlers import. Only the
named packages are looked at and imported, once, when the portal starts (docs/handlers.md).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution
from typing import cast

from flask import Flask, current_app

from portal.config import Settings
from portal.definitions.catalog import CATALOG, CATEGORIES, FAIL, LINES, PASS, NodeType, Port, why_missing
from portal.definitions.settings import schema_faults
from portal.engine.contract import Handler, Refused
from portal.input.setting_values import BadSetting

_HANDLERS = "portal.engine.handlers"
_OURS: Mapping[str, str] = {
    "source_script": "source_script:SourceScript",
    "operator_translator": "translator:Translator",
    "operator_normalizer": "operator_normalizer:OperatorNormalizer",
    "operator_generator": "operator_generator:OperatorGenerator",
    "operator_phoneme_injector": "operator_phoneme_injector:OperatorPhonemeInjector",
    "operator_pronunciation_corrector": "operator_pronunciation_corrector:OperatorPronunciationCorrector",
    "validator_error_rate": "error_rate:ErrorRateValidator",
    "validator_naturalness": "naturalness:NaturalnessValidator",
    "validator_noise": "noise:NoiseValidator",
    "validator_pronunciation": "pronunciation:PronunciationValidator",
    "sink_preview": "sink_preview:SinkPreview",
}
"""The module and the class of each handler of ours."""

GROUP = "run_portal.handlers"
SETTING = "PORTAL_HANDLER_PLUGINS"
_EXTENSION = "portal.handlers"
_SLUG = re.compile(rf"({'|'.join(CATEGORIES)})_[a-z0-9_]{{1,40}}")
_LINES = (LINES,)
_PORTS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "source": ((), _LINES),
    "operator": (_LINES, _LINES),
    "validation": (_LINES, (PASS, FAIL)),
    "output": (_LINES, ()),
}
"""The names of the input and output ports of each category."""
_FIELDS = ("text", "audio")


def init_app(app: Flask, settings: Settings) -> None:
    """Import the named packages and install their node types in the catalog. Raises BadSetting."""
    found = plug_ins(settings.handler_plugins)
    app.extensions[_EXTENSION] = found
    CATALOG.install([handler.node_type for handler in found.values()])


def handler_for(slug: str) -> Handler:
    """The handler of a node type; for a plug-in's, within the application. Raises Refused."""
    if slug in _OURS:
        return _of_ours(slug)
    found: Mapping[str, Handler] = current_app.extensions[_EXTENSION]
    if slug not in found:
        raise Refused(f"The node cannot run: {why_missing(slug)}")
    return found[slug]


def handlers() -> list[Handler]:
    """Every handler: ours, and those of plug-ins."""
    found: Mapping[str, Handler] = current_app.extensions[_EXTENSION]
    return [*map(_of_ours, _OURS), *found.values()]


@cache
def _of_ours(slug: str) -> Handler:
    module, _, name = _OURS[slug].partition(":")
    return cast(Handler, getattr(import_module(f"{_HANDLERS}.{module}"), name)())


def plug_ins(distributions: Sequence[str]) -> dict[str, Handler]:
    """The handlers that these distributions bring, by node type. Raises BadSetting."""
    found: dict[str, Handler] = {}
    owners = dict.fromkeys(_OURS, "the portal itself")
    for name in distributions:
        for entry_point in _entry_points(name):
            handler = _load(name, entry_point)
            slug = handler.node_type.slug
            if slug in owners:
                raise BadSetting(f"{SETTING}: {name} brings {slug}, which {owners[slug]} brings too.")
            owners[slug], found[slug] = name, handler
    return found


def _entry_points(name: str) -> Sequence[EntryPoint]:
    try:
        found = distribution(name).entry_points.select(group=GROUP)
    except PackageNotFoundError:
        raise BadSetting(f"{SETTING} names {name}, which is not installed.") from None
    if not found:
        raise BadSetting(f"{SETTING} names {name}, which has no entry points of the group {GROUP}.")
    return sorted(found)


def _load(name: str, entry_point: EntryPoint) -> Handler:
    where = f"{SETTING}: {entry_point.value} of {name}"
    try:
        handler = entry_point.load()
        node_type = handler.node_type
        fault = next(_faults(node_type), None) if isinstance(node_type, NodeType) else None
    except Exception as error:
        raise BadSetting(f"{where} cannot be loaded: {type(error).__name__}: {error}.") from error
    callables = callable(getattr(handler, "run", None)) and callable(getattr(handler, "ability", None))
    if not (isinstance(node_type, NodeType) and callables):
        raise BadSetting(f"{where} must be a handler: an object with node_type, ability and run.")
    if fault:
        raise BadSetting(f"{where}: {fault}")
    return cast(Handler, handler)


def _faults(node_type: NodeType) -> Iterator[str]:
    """What the portal could not work with in a node type from elsewhere."""
    slug = node_type.slug
    if not (isinstance(slug, str) and _SLUG.fullmatch(slug)):
        yield f"the type {slug!r} must match {_SLUG.pattern}."
        return
    category = CATEGORIES[slug.partition("_")[0]]
    if node_type.category != category:
        yield f"the category of {slug} must be {category}."
    for kind, ports, names in zip(
        ("input", "output"), (node_type.inputs, node_type.outputs), _PORTS[category], strict=True
    ):
        if not _has_ports(ports, names):
            ports_of = (
                f"must have the {kind} ports {' and '.join(names)}" if names else f"has no {kind} ports"
            )
            yield f"{slug} {ports_of}, each with fields of {' and '.join(_FIELDS)}."
    if not all(isinstance(key, str) and key for key in node_type.settings):
        yield f"the settings of {slug} must be named by texts."
    for key, schema in node_type.settings.items():
        for path, said in schema_faults(schema):
            yield f"the setting {'.'.join(map(str, (key, *path)))} of {slug} {said}"
    if category == "validation" and not _counts_retries(node_type):
        yield f"{slug} must have the setting max_retries, a whole number with a default."
    yield from _unpublishable(node_type)


def _has_ports(ports: Sequence[Port], names: Sequence[str]) -> bool:
    fields = [each for port in ports for each in port.fields]
    return (
        [port.name for port in ports] == [*names]
        and all(port.fields for port in ports)
        and {*fields} <= {*_FIELDS}
    )


def _counts_retries(node_type: NodeType) -> bool:
    schema = node_type.settings.get("max_retries", {})
    return schema.get("type") == "integer" and schema.get("default") is not None


def _unpublishable(node_type: NodeType) -> Iterator[str]:
    """What the list of node types could not say."""
    slug = node_type.slug
    for name, value in (("display_name", node_type.display_name), ("description", node_type.description)):
        if not (isinstance(value, str) and value.strip()):
            yield f"the {name} of {slug} must be text."
    if not (isinstance(node_type.version, int) and node_type.version >= 1):
        yield f"the version of {slug} must be a whole number, 1 or more."
    try:
        json.dumps(dict(node_type.settings), allow_nan=False)
    except (TypeError, ValueError):
        yield f"the settings of {slug} must be JSON."
