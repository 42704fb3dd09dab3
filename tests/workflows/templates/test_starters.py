"""The starters: each is legal as it is, and needs nothing to run but a text."""

import copy

import pytest

from portal.definitions.preflight import Surroundings, preflight_definition
from portal.definitions.structure import validate_definition
from portal.input.parameters import Refused
from portal.workflows.templates.bodies import CATEGORIES, template_id
from portal.workflows.templates.starters import STARTERS, Starter


@pytest.mark.parametrize("starter", STARTERS.values(), ids=lambda starter: starter.id)
def test_a_starter_is_legal_and_wants_nothing_but_a_text(starter: Starter) -> None:
    assert validate_definition(starter.definition) == []
    definition = copy.deepcopy(starter.definition)
    here = Surroundings()
    assert {error.rule for error in preflight_definition(definition, here).errors} == {"empty_script"}
    definition["graph"]["nodes"][0]["config"]["text"] = "Hello"
    assert preflight_definition(definition, here).errors == []


@pytest.mark.parametrize("starter", STARTERS.values(), ids=lambda starter: starter.id)
def test_a_starter_is_what_a_template_may_be(starter: Starter) -> None:
    assert template_id(starter.id) == starter.id
    assert starter.category in CATEGORIES
    with pytest.raises(Refused):
        template_id(starter.id + "x")
