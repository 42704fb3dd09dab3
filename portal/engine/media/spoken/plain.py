"""Numbers and percentages of languages without rules of their own."""

from collections.abc import Mapping

from portal.engine.media.spoken.numbers import Numbers, Rules, compiled


def _rules(numbers: Numbers, percent: str) -> Rules:
    return compiled(
        [
            (rf"({numbers.pattern})\s?%", lambda found: numbers.words(found[1]) + numbers.space + percent),
            numbers.last(),
        ]
    )


RULES: Mapping[str, Rules] = {
    "es-es": _rules(Numbers("es", ",", ".\u00a0\u202f", "coma"), "por ciento"),
    "es-mx": _rules(Numbers("es", ".", ",\u00a0\u202f", "punto"), "por ciento"),
    "fr-fr": _rules(Numbers("fr", ",", ". \u00a0\u202f", "virgule"), "pour cent"),
    "pt-br": _rules(Numbers("pt_BR", ",", ".\u00a0\u202f", "vírgula"), "por cento"),
    "pt-pt": _rules(Numbers("pt", ",", ".\u00a0\u202f", "vírgula"), "por cento"),
    "ja-jp": _rules(Numbers("ja", ".", ",", "点", space=""), "パーセント"),
    "ko-kr": _rules(Numbers("ko", ".", ",", "점"), "퍼센트"),
}
"""By locale."""
