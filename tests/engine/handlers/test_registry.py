"""Which handlers an installation has: ours, and those of the packages that the setting names."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from portal import create_app
from portal.definitions.catalog import CATALOG, OURS
from portal.engine.contract import Ability, Refused
from portal.engine.handlers import registry
from portal.engine.handlers.registry import handler_for, plug_ins
from portal.input.setting_values import BadSetting
from tests.conftest import settings_for
from tests.definitions.plug_ins import installed

HANDLERS = Path(registry.__file__).with_name("handlers")

MODULE = """
from dataclasses import replace
from portal.engine.contract import Ability, StepOutput
from tests.definitions.plug_ins import LISTEN, READ, SHOUT, SING

class Handler:
    def __init__(self, node_type):
        self.node_type = node_type
    def ability(self, environment):
        return Ability()
    def run(self, step, context):
        return StepOutput()

"""
Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Makes a package on the path, with a handler for each type that it is given as code."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, *types: str, code: str = "", group: str = "run_portal.handlers") -> str:
        module = f"{name}_of_{tmp_path.name}".replace("-", "_")
        made = "".join(f"h{number} = Handler({each})\n" for number, each in enumerate(types))
        (tmp_path / f"{module}.py").write_text(MODULE + made + code)
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        points = "".join(f"e{number} = {module}:h{number}\n" for number in range(len(types) or 1))
        (info / "entry_points.txt").write_text(f"[{group}]\n{points}")
        return module

    return make


def refusal(*names: str) -> str:
    with pytest.raises(BadSetting) as refused:
        plug_ins(names)
    assert str(refused.value).startswith("PORTAL_HANDLER_PLUGINS")
    return str(refused.value)


def test_only_the_named_packages_are_imported(package: Package) -> None:
    loud, silent = package("loud", "SHOUT", "SING"), package("silent", "READ", code="raise SystemExit")
    assert list(plug_ins(["loud"])) == ["operator_shout", "operator_sing"]
    assert loud in sys.modules
    assert silent not in sys.modules
    assert plug_ins([]) == {}


def test_the_portal_finds_its_node_types_and_handlers(package: Package, tmp_path: Path) -> None:
    package("loud-ones", "SHOUT", "LISTEN")
    settings = settings_for(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with installed():
        app = create_app(settings | {"PORTAL_HANDLER_PLUGINS": "Loud.Ones, loud_ones"}, instance=tmp_path)
        assert list(CATALOG) == [*OURS, "operator_shout", "validator_listen"]
        with app.app_context():
            assert handler_for("operator_shout").ability(None) == Ability()
            assert handler_for("operator_shout").node_type is CATALOG["operator_shout"]
        create_app(settings, instance=tmp_path)
        assert list(CATALOG) == list(OURS)


def test_each_module_of_the_handlers_is_the_handler_of_a_type_of_ours() -> None:
    assert list(registry._OURS) == list(OURS)
    modules = {where.partition(":")[0]: slug for slug, where in registry._OURS.items()}
    written = [file.stem for file in HANDLERS.glob("*.py") if file.stem != "__init__"]
    for module in written:
        handler = handler_for(modules[module])
        assert handler is handler_for(modules[module])
        assert handler.node_type is OURS[modules[module]]


def test_a_missing_handler_is_refused_with_what_to_install(sqlite_app: Flask) -> None:
    with pytest.raises(Refused) as refused:
        handler_for("operator_gone")
    assert "operator_gone" in refused.value.message
    assert "PORTAL_HANDLER_PLUGINS" in refused.value.message


def test_packages_that_are_not_there_or_bring_nothing_stop_the_start(package: Package) -> None:
    package("other", "SHOUT", group="console_scripts")
    assert "absent, which is not installed" in refusal("absent")
    assert "other, which has no entry points of the group run_portal.handlers" in refusal("other")


def test_a_type_of_ours_or_one_claimed_twice_stops_the_start_with_both_names(package: Package) -> None:
    package("first", "SHOUT")
    package("second", "SHOUT")
    package("twice", "SING", "SING")
    package("ours", "replace(SHOUT, slug='operator_normalizer')")
    assert refusal("first", "second").endswith("second brings operator_shout, which first brings too.")
    assert refusal("twice").endswith("twice brings operator_sing, which twice brings too.")
    assert refusal("ours").endswith("ours brings operator_normalizer, which the portal itself brings too.")


@pytest.mark.parametrize(
    ("node_type", "said"),
    [
        ("replace(SHOUT, slug='shout')", "'shout' must match"),
        ("replace(SHOUT, slug='operator_Shout')", "must match"),
        ("replace(SHOUT, slug='operator_' + 'x' * 41)", "must match"),
        ("replace(SHOUT, slug='sink_shout')", "the category of sink_shout must be output"),
        ("replace(SHOUT, inputs=())", "operator_shout must have the input ports lines"),
        ("replace(SHOUT, outputs=SHOUT.outputs * 2)", "operator_shout must have the output ports lines"),
        ("replace(READ, inputs=SHOUT.inputs)", "source_read has no input ports"),
        ("replace(LISTEN, outputs=SHOUT.outputs)", "must have the output ports pass and fail"),
        ("replace(SHOUT, inputs=(replace(SHOUT.inputs[0], fields=('video',)),))", "fields of text and audio"),
        ("replace(SHOUT, inputs=(replace(SHOUT.inputs[0], fields=()),))", "fields of text and audio"),
        ("replace(SHOUT, settings={'a': {'type': 'array'}})", "the setting a.items of operator_shout is req"),
        ("replace(SHOUT, settings={'a': 5})", "the setting a of operator_shout must be a schema"),
        ("replace(SHOUT, settings={5: {'type': 'string'}})", "the settings of operator_shout must be named"),
        ("replace(LISTEN, settings={})", "validator_listen must have the setting max_retries"),
        ("replace(SHOUT, display_name=' ')", "the display_name of operator_shout must be text"),
        ("replace(SHOUT, version=0)", "the version of operator_shout must be a whole number, 1 or more"),
        ("replace(SHOUT, settings=5)", "cannot be loaded: TypeError"),
        ("'operator_shout'", "must be a handler"),
    ],
)
def test_a_node_type_that_the_portal_cannot_work_with_stops_the_start(
    package: Package, node_type: str, said: str
) -> None:
    package("odd", node_type)
    assert said in refusal("odd")


def test_a_package_that_cannot_be_imported_stops_the_start(package: Package) -> None:
    package("broken", "SHOUT", code="import nothing_of_the_kind")
    package("plain", code="h0 = object()")
    assert "ModuleNotFoundError: No module named 'nothing_of_the_kind'" in refusal("broken")
    assert "AttributeError" in refusal("plain")


@pytest.mark.slow
def test_listing_node_types_imports_no_handler_and_nothing_that_handlers_need(tmp_path: Path) -> None:
    settings = settings_for(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    listed = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import pathlib, sys; from portal import create_app; "
            f"app = create_app({settings!r}, instance=pathlib.Path({str(tmp_path)!r})); "
            "assert app.test_client().get('/api/v1/nodes').status_code == 200; "
            "print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'soundfile') "
            "or m.startswith('portal.engine.handlers.') and not m.endswith('.registry')])",
        ],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.strip() == "[]"
