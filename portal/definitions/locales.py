"""The locales in which the portal speaks (contract part 2, 4.3)."""

from collections.abc import Mapping, Sequence

LOCALE_NAMES: Mapping[str, str] = {
    "de-de": "German (Germany)",
    "en-gb": "English (United Kingdom)",
    "en-us": "English (United States)",
    "es-es": "Spanish (Spain)",
    "es-mx": "Spanish (Mexico)",
    "fr-fr": "French (France)",
    "ja-jp": "Japanese (Japan)",
    "ko-kr": "Korean (South Korea)",
    "pt-br": "Portuguese (Brazil)",
    "pt-pt": "Portuguese (Portugal)",
    "zh-cn": "Chinese (China)",
}

LOCALES: Sequence[str] = tuple(LOCALE_NAMES)

FAMILIES: Mapping[str, str] = {
    **{locale.partition("-")[0]: locale for locale in reversed(LOCALES)},
    "en": "en-us",
    "es": "es-es",
    "pt": "pt-br",
}
"""The locale that a language without a region means."""

DEFAULT_SOURCE = "en-us"
"""The locale of a script that does not say its language."""


def canonical(text: str) -> str | None:
    """The locale that a text names, in any case and with `_` for `-`; None if it names none."""
    locale = folded(text)
    return locale if locale in LOCALES else None


def canonical_source(text: str) -> str | None:
    """The same for the language of a script, for which `en` is enough."""
    return canonical(text) or FAMILIES.get(folded(text))


def script_locale(language: object) -> str:
    """The locale of a script, by the language that its node names; what names none is the default."""
    return (isinstance(language, str) and canonical_source(language)) or DEFAULT_SOURCE


def display_name(code: str) -> str:
    """The name of a locale, or of a language without a region; of any other code, the code itself."""
    locale = folded(code)
    family = LOCALE_NAMES[FAMILIES[locale]].partition(" (")[0] if locale in FAMILIES else code
    return LOCALE_NAMES.get(locale, family)


def folded(text: str) -> str:
    """A code as it is compared; empty for what can be none."""
    return text.lower().replace("_", "-") if text.isascii() else ""
