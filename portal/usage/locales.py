"""Names of languages, in English."""

_LANGUAGES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "zh": "Chinese",
}
_PLACES = {
    "br": "Brazil",
    "cn": "China",
    "de": "Germany",
    "es": "Spain",
    "fr": "France",
    "gb": "UK",
    "it": "Italy",
    "jp": "Japan",
    "kr": "Korea",
    "mx": "Mexico",
    "nl": "Netherlands",
    "pl": "Poland",
    "pt": "Portugal",
    "us": "US",
}


def display_name(locale_code: str) -> str:
    """`English (US)` for en-us; a code that has no name here is its own name."""
    language, _, place = locale_code.partition("-")
    if language not in _LANGUAGES or (place and place not in _PLACES):
        return locale_code
    return f"{_LANGUAGES[language]} ({_PLACES[place]})" if place else _LANGUAGES[language]
