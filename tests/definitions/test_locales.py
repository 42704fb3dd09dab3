"""The locales of the portal, however they are written."""

import pytest

from portal.definitions.locales import FAMILIES, LOCALES, canonical, canonical_source


@pytest.mark.parametrize("locale", LOCALES)
def test_case_and_underscores_do_not_matter(locale: str) -> None:
    for written in (locale, locale.upper(), locale.replace("-", "_").title()):
        assert canonical(written) == canonical_source(written) == locale


@pytest.mark.parametrize(
    "other", ["", "de", "de-DE-1996", "xx-xx", " de-de", "de--de", "\u212ao-kr", "DE-DE\n"]
)
def test_other_texts_are_no_locales(other: str) -> None:
    assert canonical(other) is None


def test_a_language_means_its_first_locale_in_scripts_only() -> None:
    assert FAMILIES == {
        "de": "de-de",
        "en": "en-us",
        "es": "es-es",
        "fr": "fr-fr",
        "ja": "ja-jp",
        "ko": "ko-kr",
        "pt": "pt-br",
        "zh": "zh-cn",
    }
    assert canonical_source("EN") == "en-us"
    assert canonical("en") is None
    assert canonical_source("tlh") is None
