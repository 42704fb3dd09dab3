"""The keys of settings in words."""

import pytest

from portal.definitions.catalog import CATALOG
from portal.definitions.settings import setting_name


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("threshold", "Threshold"),
        ("max_retries", "Max retries"),
        ("csv_column", "CSV column"),
        ("llm_candidate_filter", "LLM candidate filter"),
        ("fallback_to_detector_ipa", "Fallback to detector IPA"),
        ("k", "K"),
        ("Already in words", "Already in words"),
        ("", ""),
    ],
)
def test_a_key_is_written_in_words(key: str, words: str) -> None:
    assert setting_name(key) == words


def test_the_settings_of_a_node_type_have_different_names() -> None:
    for node_type in CATALOG.values():
        assert len({setting_name(key) for key in node_type.settings}) == len(node_type.settings)
