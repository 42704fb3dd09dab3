"""German as it is spoken."""

import re
from collections.abc import Mapping

from portal.engine.media.spoken.numbers import Numbers, Rules, Writer, compiled

_MONTHS = (
    "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
    "Dezember",
)  # fmt: skip
_ABBREVIATIONS: Mapping[str, str] = {
    r"z\.\s?B\.": "zum Beispiel",
    r"d\.\s?h\.": "das heißt",
    r"u\.\s?a\.": "unter anderem",
    r"i\.\s?d\.\s?R\.": "in der Regel",
    r"usw\.(?=\s*$)": "und so weiter.",
    r"usw\.": "und so weiter",
    r"etc\.": "et cetera",
    r"bzw\.": "beziehungsweise",
    r"ca\.": "circa",
    r"ggf\.": "gegebenenfalls",
    r"evtl\.": "eventuell",
    r"inkl\.": "inklusive",
    r"zzgl\.": "zuzüglich",
    r"vgl\.": "vergleiche",
    r"Dr\.": "Doktor",
    r"Prof\.": "Professor",
    r"Hr\.": "Herr",
    r"Nr\.(?=\s?\d)": "Nummer",
    r"Abb\.(?=\s?\d)": "Abbildung",
    r"Mio\.": "Millionen",
    r"Mrd\.": "Milliarden",
    r"Std\.": "Stunden",
    r"Min\.": "Minuten",
    r"Sek\.": "Sekunden",
    r"St\.(?=\s[A-ZÄÖÜ])": "Sankt",
}
_UNITS: Mapping[str, tuple[str, str, str]] = {
    "km/h": ("ein", "Kilometer pro Stunde", "Kilometer pro Stunde"),
    "m/s": ("ein", "Meter pro Sekunde", "Meter pro Sekunde"),
    "kWh": ("eine", "Kilowattstunde", "Kilowattstunden"),
    "km²": ("ein", "Quadratkilometer", "Quadratkilometer"),
    "m²": ("ein", "Quadratmeter", "Quadratmeter"),
    "km": ("ein", "Kilometer", "Kilometer"),
    "cm": ("ein", "Zentimeter", "Zentimeter"),
    "mm": ("ein", "Millimeter", "Millimeter"),
    "m": ("ein", "Meter", "Meter"),
    "kg": ("ein", "Kilogramm", "Kilogramm"),
    "mg": ("ein", "Milligramm", "Milligramm"),
    "g": ("ein", "Gramm", "Gramm"),
    "t": ("eine", "Tonne", "Tonnen"),
    "ml": ("ein", "Milliliter", "Milliliter"),
    "l": ("ein", "Liter", "Liter"),
    "°C": ("ein", "Grad Celsius", "Grad Celsius"),
    "°": ("ein", "Grad", "Grad"),
    "TB": ("ein", "Terabyte", "Terabyte"),
    "GB": ("ein", "Gigabyte", "Gigabyte"),
    "MB": ("ein", "Megabyte", "Megabyte"),
    "kB": ("ein", "Kilobyte", "Kilobyte"),
    "GHz": ("ein", "Gigahertz", "Gigahertz"),
    "MHz": ("ein", "Megahertz", "Megahertz"),
    "kHz": ("ein", "Kilohertz", "Kilohertz"),
    "Hz": ("ein", "Hertz", "Hertz"),
    "kW": ("ein", "Kilowatt", "Kilowatt"),
    "W": ("ein", "Watt", "Watt"),
    "V": ("ein", "Volt", "Volt"),
    "dB": ("ein", "Dezibel", "Dezibel"),
    "h": ("eine", "Stunde", "Stunden"),
    "min": ("eine", "Minute", "Minuten"),
    "ms": ("eine", "Millisekunde", "Millisekunden"),
    "s": ("eine", "Sekunde", "Sekunden"),
}
"""Each with what "one" is before it, and its name for one and for several."""
_MONEY: Mapping[str, tuple[str, str]] = {
    "€": ("ein", "Euro"),
    "EUR": ("ein", "Euro"),
    "$": ("ein", "Dollar"),
    "USD": ("ein", "Dollar"),
    "£": ("ein", "Pfund"),
    "GBP": ("ein", "Pfund"),
    "CHF": ("ein", "Franken"),
}
_HUGE = "Millionen|Milliarden|Million|Milliarde"
_WEAK = "am|vom|zum|beim|im|dem|den|des|bis|seit dem|ab dem"
"""Words after which an ordinal ends in -en."""
_ARTICLES = "der|die|das"
"""Words after which it ends in -e."""
_FRACTIONS = {
    "1/2": "ein halb",
    "1/3": "ein Drittel",
    "2/3": "zwei Drittel",
    "1/4": "ein Viertel",
    "3/4": "drei Viertel",
    "½": "ein halb",
    "⅓": "ein Drittel",
    "⅔": "zwei Drittel",
    "¼": "ein Viertel",
    "¾": "drei Viertel",
}


def rules() -> Rules:
    numbers = Numbers("de", ",", ".\u00a0\u202f", "Komma")
    number, words = numbers.pattern, numbers.words
    year = r"1[1-9]\d\d|20\d\d"
    months = "|".join(_MONTHS)

    def ordinal(day: int, before: str | None) -> str:
        said = numbers.ordinal(day)
        if before is None:
            return f"{said}r"
        return f"{before} {said}{'' if re.fullmatch(_ARTICLES, before, re.I) else 'n'}"

    def date(before: str | None, day: int, month: int, of: str | None, found: re.Match[str]) -> str:
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return found[0]
        said = f"{ordinal(day, before)} {_MONTHS[month - 1]}"
        return f"{said} {numbers.year(int(of))}" if of else said

    def time(found: re.Match[str]) -> str:
        hour, minute = int(found[1]), int(found[2] or 0)
        if hour > 24 or minute > 59:
            return found[0]
        said = f"{one(hour)} Uhr"
        return f"{said} {numbers.cardinal(minute)}" if minute else said

    def one(count: int) -> str:
        return "ein" if count == 1 else numbers.cardinal(count)

    def money(amount: str, name: str, huge: str | None) -> str:
        article, coin = _MONEY[name]
        if huge:
            return f"{words(amount)} {huge} {coin}"
        whole, _, decimals = amount.partition(",")
        said = f"{article if whole == '1' else words(whole)} {coin}"
        if not decimals.strip("0"):
            return said
        if len(decimals) != 2:
            return f"{words(amount)} {coin}"
        if whole == "0":
            return f"{one(int(decimals))} Cent" if coin in ("Euro", "Dollar") else f"{words(amount)} {coin}"
        return f"{said} {numbers.cardinal(int(decimals))}"

    def unit(found: re.Match[str]) -> str:
        article, single, several = _UNITS[found[2]]
        return f"{article} {single}" if numbers.is_one(found[1]) else f"{words(found[1])} {several}"

    def span(found: re.Match[str]) -> str:
        are_years = all(re.fullmatch(year, each) for each in (found[1], found[2]))
        say = (lambda each: numbers.year(int(each))) if are_years else words
        return f"{say(found[1])} bis {say(found[2])}"

    units = "|".join(map(re.escape, _UNITS))
    signs = "|".join(map(re.escape, _MONEY))
    before = rf"(?:\b({_WEAK}|{_ARTICLES})\s)?"
    written: list[tuple[str, Writer]] = [
        *((rf"(?<!\w){short}", long) for short, long in _ABBREVIATIONS.items()),
        (
            rf"(?i:{before})\b({year})-(\d\d)-(\d\d)\b",
            lambda found: date(found[1], int(found[4]), int(found[3]), found[2], found),
        ),
        (
            rf"(?i:{before})\b(\d{{1,2}})\.\s?(\d{{1,2}})\.(?:\s?({year})\b)?",
            lambda found: date(found[1], int(found[2]), int(found[3]), found[4], found),
        ),
        (
            rf"(?i:{before})\b(\d{{1,2}})\.\s?({months})(?:\s({year})\b)?",
            lambda found: date(found[1], int(found[2]), 1 + _MONTHS.index(found[3]), found[4], found),
        ),
        (r"\b(\d{1,2})[:.](\d\d)\sUhr\b", time),
        (r"\b(\d{1,2}):(\d\d)(?::\d\d)?(?!\d)", time),
        (r"\b(\d{1,2})()\sUhr\b", time),
        (
            rf"({number})(?:\s({_HUGE}))?\s?({signs})(?!\w)",
            lambda found: money(found[1], found[3], found[2]),
        ),
        (rf"(€|\$|£)\s?({number})", lambda found: money(found[2], found[1], None)),
        (rf"({number})\s?%", lambda found: f"{'ein' if found[1] == '1' else words(found[1])} Prozent"),
        (rf"(?<![\w,])({number})\s?({units})(?![\w°/])", unit),
        (
            rf"(?i:\b({_WEAK}|{_ARTICLES}))\s(\d{{1,3}})\.(?=\s\w)",
            lambda found: ordinal(int(found[2]), found[1]),
        ),
        (r"\+\d[\d\s()/-]{5,}\d|\b0\d{2,5}[\s/-]\d[\d\s-]{3,}\d\b", lambda found: numbers.digits(found[0])),
        (rf"\b({number})\s?[-–—]\s?({number})\b", span),
        (r"(?<![\d/])(?:[123]/[234])(?![\d/])|[½⅓⅔¼¾]", lambda found: _FRACTIONS.get(found[0], found[0])),
        (r"(?<![\d.,])(1[5-9]\d\d|20\d\d)(?!\d|[.,]\d)", lambda found: numbers.year(int(found[1]))),
        (rf"(?<!\w)[-−](?={number})", "minus "),
        (r"#(?=\d)", "Nummer "),
        (r"(?<=\d)\s?\+\s?(?=\d)", " plus "),
        (r"(?<=\d)\s?=\s?(?=\d)", " gleich "),
        (r"(?<=\s)&(?=\s)", "und"),
        numbers.last(),
    ]
    return compiled(written)
