"""The catalog of node types: its numbers are those of the contract (part 2, 4.3)."""

import typing

import pytest
from onepin.types.node_type import NodeType as ClientNodeType

from portal.definitions.catalog import CATALOG, OLD_SLUGS, OURS, MissingType, Port
from tests.definitions.plug_ins import READ, SHOUT, SING, installed

SETTINGS = {
    "source_script": {
        "input_type": "text",
        "text": None,
        "upload_ids": [],
        "csv_column": None,
        "csv_has_header": True,
        "source_language": None,
        "input_mode": "plain",
    },
    "operator_translator": {"target_languages": []},
    "operator_normalizer": {"engine": "llm", "target_locale": None},
    "operator_generator": {"voice_map": {}, "target_locale": None},
    "operator_phoneme_injector": {
        "max_ngram": 1,
        "llm_candidate_filter": True,
        "exclude_address_rows": True,
        "use_derived_word_parts": True,
    },
    "operator_pronunciation_corrector": {
        "n_candidates": 2,
        "seed": None,
        "target_ipa_source": "dictionary",
        "fallback_to_detector_ipa": True,
    },
    "validator_error_rate": {"threshold": 93, "max_retries": 3},
    "validator_naturalness": {"threshold": 70, "max_retries": 3},
    "validator_noise": {"threshold": 70, "max_retries": 3},
    "validator_pronunciation": {"threshold": 99, "max_retries": 3, "k": 1.0},
    "sink_preview": {"format": "wav"},
}
RANGES = {
    ("operator_phoneme_injector", "max_ngram"): (1, 5),
    ("operator_pronunciation_corrector", "n_candidates"): (1, 8),
    ("validator_error_rate", "threshold"): (70, 99),
    ("validator_naturalness", "threshold"): (0, 100),
    ("validator_noise", "threshold"): (0, 100),
    ("validator_pronunciation", "threshold"): (0, 100),
    **{(slug, "max_retries"): (1, 50) for slug in OURS if slug.startswith("validator_")},
}


def test_the_types_are_those_of_the_client() -> None:
    words, _ = typing.get_args(ClientNodeType)
    assert set(OURS) == set(typing.get_args(words))
    assert set(OLD_SLUGS.values()) < set(OURS)
    assert not set(OLD_SLUGS) & set(OURS)


@pytest.mark.parametrize("slug", OURS)
def test_an_absent_setting_has_its_default(slug: str) -> None:
    found = OURS[slug]
    for config in ({}, dict.fromkeys(found.settings)):
        assert {key: found.value(config, key) for key in found.settings} == SETTINGS[slug]
    ranges = {
        (slug, key): (schema["minimum"], schema["maximum"])
        for key, schema in found.settings.items()
        if "minimum" in schema
    }
    assert ranges == {where: limits for where, limits in RANGES.items() if where[0] == slug}


def test_an_empty_text_counts_as_absent_and_other_values_as_they_are() -> None:
    script, check = OURS["source_script"], OURS["validator_noise"]
    assert script.value({"input_type": ""}, "input_type") == "text"
    assert script.value({"csv_has_header": False}, "csv_has_header") is False
    assert check.value({"threshold": 0}, "threshold") == 0


def test_types_of_packages_follow_ours_and_the_next_ones_replace_them() -> None:
    with installed(SHOUT, SING):
        assert list(CATALOG) == [*OURS, "operator_shout", "operator_sing"]
        assert CATALOG["operator_shout"] is CATALOG.find("operator_shout") is SHOUT
        CATALOG.install([SING])
        assert "operator_shout" not in CATALOG
    assert dict(CATALOG) == OURS


@pytest.mark.parametrize(
    ("slug", "category"),
    [
        ("source_x", "source"),
        ("operator_x", "operator"),
        ("validator_x", "validation"),
        ("sink_x", "output"),
        ("of old", "operator"),
    ],
)
def test_a_missing_type_has_the_category_of_its_name_and_any_port(slug: str, category: str) -> None:
    found = CATALOG.find(slug)
    assert isinstance(found, MissingType)
    assert (found.category, found.settings) == (category, {})
    assert found.input("x") == Port("x", ())
    assert found.output("y") == Port("y", ("text", "audio"))


def test_of_ours_only_the_generator_speaks() -> None:
    assert [slug for slug, found in OURS.items() if found.speaks] == ["operator_generator"]
    assert (SING.speaks, SHOUT.speaks, READ.speaks) == (True, False, False)
