"""English as it is spoken."""

import re
from collections.abc import Mapping

from portal.engine.media.spoken.numbers import Numbers, Rules, Writer, compiled

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_MONTH = "|".join([*_MONTHS, *(f"{name[:3]}\\.?" for name in _MONTHS if name != "May"), "Sept\\.?"])

_ABBREVIATIONS: Mapping[str, str] = {
    r"Dr\.(?=\s[A-Z])": "Doctor",
    r"Mr\.": "Mister",
    r"Mrs\.": "Missus",
    r"Ms\.": "Miz",
    r"Prof\.": "Professor",
    r"St\.(?=\s[A-Z])": "Saint",
    r"(?<=[a-z]\s)(?:St|st)\.": "Street",
    r"Ave\.": "Avenue",
    r"Mt\.(?=\s[A-Z])": "Mount",
    r"Jr\.": "Junior",
    r"Sr\.": "Senior",
    r"e\.\s?g\.": "for example",
    r"i\.\s?e\.": "that is",
    r"etc\.(?=\s*$)": "et cetera.",
    r"etc\.": "et cetera",
    r"vs\.?": "versus",
    r"approx\.": "approximately",
    r"No\.(?=\s?\d)": "Number",
    r"no\.(?=\s?\d)": "number",
    r"Inc\.": "Incorporated",
    r"Ltd\.": "Limited",
    r"Corp\.": "Corporation",
    r"Dept\.": "Department",
}
_UNITS: Mapping[str, tuple[str, str]] = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "m/s": ("meter per second", "meters per second"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "km²": ("square kilometer", "square kilometers"),
    "m²": ("square meter", "square meters"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "m": ("meter", "meters"),
    "mi": ("mile", "miles"),
    "ft": ("foot", "feet"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "l": ("liter", "liters"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "TB": ("terabyte", "terabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"),
    "kB": ("kilobyte", "kilobytes"),
    "KB": ("kilobyte", "kilobytes"),
    "GHz": ("gigahertz", "gigahertz"),
    "MHz": ("megahertz", "megahertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "Hz": ("hertz", "hertz"),
    "kW": ("kilowatt", "kilowatts"),
    "W": ("watt", "watts"),
    "V": ("volt", "volts"),
    "dB": ("decibel", "decibels"),
    "hrs": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "h": ("hour", "hours"),
    "min": ("minute", "minutes"),
    "secs": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
}
_MONEY: Mapping[str, tuple[str, str, str, str]] = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "USD": ("dollar", "dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "JPY": ("yen", "yen", "sen", "sen"),
}
_SIGN, _CODE = r"[$€£¥]", "USD|EUR|GBP|JPY"
_HUGE = "thousand|million|billion|trillion"
_BEFORE_YEAR = "in|since|until|till|by|from|before|after|during|circa|early|mid|late|year|of|and|to|between"
_FRACTIONS = {
    "1/2": "one half",
    "1/3": "one third",
    "2/3": "two thirds",
    "1/4": "one quarter",
    "3/4": "three quarters",
    "½": "one half",
    "⅓": "one third",
    "⅔": "two thirds",
    "¼": "one quarter",
    "¾": "three quarters",
}


def rules(*, day_first: bool) -> Rules:
    """Those of British English, where the day is before the month, or of American English."""
    numbers = Numbers("en", ".", ",", "point", without_and=not day_first)
    number, words = numbers.pattern, numbers.words
    year = r"1[1-9]\d\d|20\d\d"

    def date(day: int, month: int, of: int | None) -> str | None:
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return None
        said = numbers.ordinal(day)
        said = f"the {said} of {_MONTHS[month - 1]}" if day_first else f"{_MONTHS[month - 1]} {said}"
        return said if of is None else f"{said}, {numbers.year(of)}"

    def iso(found: re.Match[str]) -> str:
        return date(int(found[3]), int(found[2]), int(found[1])) or found[0]

    def slashed(found: re.Match[str]) -> str:
        day, month = (int(found[1]), int(found[2])) if day_first else (int(found[2]), int(found[1]))
        return date(day, month, int(found[3])) or found[0]

    def named(day: str, month: str, of: str | None, found: re.Match[str]) -> str:
        place = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(month[:3]))
        return date(int(day), place, int(of) if of else None) or found[0]

    def time(found: re.Match[str]) -> str:
        hour, minute, half = int(found[1]), int(found[2] or 0), (found[3] or "").lower().replace(".", "")
        if hour > 24 or minute > 59:
            return found[0]
        said = [numbers.cardinal(hour)]
        if minute:
            said.append(f"oh {numbers.cardinal(minute)}" if minute < 10 else numbers.cardinal(minute))
        elif not half:
            said.append("o'clock" if 1 <= hour <= 12 else "hundred")
        if half:
            said.append(f"{half[0]}.m.")
        return " ".join(said)

    def money(amount: str, name: str, huge: str | None) -> str:
        one, many, part, parts = _MONEY[name]
        if huge:
            return f"{words(amount)} {huge} {many}"
        whole, _, decimals = amount.partition(".")
        said = f"{words(whole)} {one if whole == '1' else many}"
        if not decimals.strip("0"):
            return said
        if len(decimals) != 2:
            return f"{words(amount)} {many}"
        small = f"{numbers.cardinal(int(decimals))} {part if decimals == '01' else parts}"
        return small if whole == "0" else f"{said} and {small}"

    def unit(found: re.Match[str]) -> str:
        one, many = _UNITS[found[2]]
        if day_first:
            one, many = (name.replace("meter", "metre").replace("liter", "litre") for name in (one, many))
        return f"{words(found[1])} {one if numbers.is_one(found[1]) else many}"

    def decade(found: re.Match[str]) -> str:
        said = numbers.year(int(found[1]))
        return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"

    def span(found: re.Match[str]) -> str:
        are_years = all(re.fullmatch(year, each) for each in (found[1], found[2]))
        say = (lambda each: numbers.year(int(each))) if are_years else words
        return f"{say(found[1])} to {say(found[2])}"

    units = "|".join(map(re.escape, _UNITS))
    written: list[tuple[str, Writer]] = [
        *((rf"(?<!\w){short}", long) for short, long in _ABBREVIATIONS.items()),
        (rf"\b({year})-(\d\d)-(\d\d)\b", iso),
        (rf"\b(\d{{1,2}})/(\d{{1,2}})/({year})\b", slashed),
        (
            rf"\b({_MONTH})\s(\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s({year}))?\b(?![:.]\d)",
            lambda found: named(found[2], found[1], found[3], found),
        ),
        (
            rf"\b(?:[Tt]he\s)?(\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?({_MONTH})(?:,?\s({year}))?\b",
            lambda found: named(found[1], found[2], found[3], found),
        ),
        (r"\b(\d{1,2}):(\d\d)(?::\d\d)?(?:\s?([ap]\.?m\b\.?))?(?!\d)", time),
        (r"\b(\d{1,2})()\s?([ap]\.m\.|[ap]m\b)", time),
        (
            rf"({_SIGN})\s?({number})(?:\s({_HUGE})\b)?",
            lambda found: money(found[2], found[1], found[3]),
        ),
        (
            rf"\b({number})(?:\s({_HUGE}))?\s?({_SIGN}|(?:{_CODE})\b)",
            lambda found: money(found[1], found[3], found[2]),
        ),
        (rf"({number})\s?%", lambda found: f"{words(found[1])} percent"),
        (r"\b(1[1-9]\d0|20\d0)s\b", decade),
        (rf"(?<![\w.])({number})\s?({units})(?![\w°/])", unit),
        (r"\b(\d{1,15})(?:st|nd|rd|th)\b", lambda found: numbers.ordinal(int(found[1]))),
        (r"\+\d[\d\s()-]{5,}\d|\b\d{2,4}(?:-\d{2,4}){1,4}-?\d{4}\b", lambda found: numbers.digits(found[0])),
        (rf"\b({number})\s?[-–—]\s?({number})\b", span),
        (r"(?<![\d/])(?:[123]/[234])(?![\d/])|[½⅓⅔¼¾]", lambda found: _FRACTIONS.get(found[0], found[0])),
        (
            r"(?<![\d.])\d+(?:\.\d+){2,}",
            lambda found: " point ".join(numbers.words(each) for each in found[0].split(".")),
        ),
        (
            rf"\b((?:{_BEFORE_YEAR}|{_MONTH})\s)(1[5-9]\d\d|20\d\d)\b(?![,.]\d)",
            lambda found: found[1] + numbers.year(int(found[2])),
        ),
        (rf"(?<!\w)[-−](?={number})", "minus "),
        (r"#(?=\d)", "number "),
        (r"(?<=\d)\s?\+\s?(?=\d)", " plus "),
        (r"(?<=\d)\s?=\s?(?=\d)", " equals "),
        (r"(?<=\s)&(?=\s)", "and"),
        numbers.last(),
    ]
    return compiled(written)
