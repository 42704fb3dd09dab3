"""The catalog of node types: its numbers are those of the contract (part 2, 4.3)."""

import typing

import pytest
from onepin.types.node_type import NodeType as ClientNodeType

from portal.definitions.catalog import CATALOG, NODE_TYPES, OLD_SLUGS

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
    **{(slug, "max_retries"): (1, 50) for slug in NODE_TYPES if slug.startswith("validator_")},
}


def test_the_types_are_those_of_the_client() -> None:
    words, _ = typing.get_args(ClientNodeType)
    assert set(NODE_TYPES) == set(typing.get_args(words))
    assert set(OLD_SLUGS.values()) < set(NODE_TYPES)
    assert not set(OLD_SLUGS) & set(NODE_TYPES)


@pytest.mark.parametrize("slug", NODE_TYPES)
def test_an_absent_setting_has_its_default(slug: str) -> None:
    found = CATALOG[slug]
    for config in ({}, dict.fromkeys(found.settings)):
        assert {key: found.value(config, key) for key in found.settings} == SETTINGS[slug]
    ranges = {
        (slug, key): (schema["minimum"], schema["maximum"])
        for key, schema in found.settings.items()
        if "minimum" in schema
    }
    assert ranges == {where: limits for where, limits in RANGES.items() if where[0] == slug}


def test_an_empty_text_counts_as_absent_and_other_values_as_they_are() -> None:
    script, check = CATALOG["source_script"], CATALOG["validator_noise"]
    assert script.value({"input_type": ""}, "input_type") == "text"
    assert script.value({"csv_has_header": False}, "csv_has_header") is False
    assert check.value({"threshold": 0}, "threshold") == 0
