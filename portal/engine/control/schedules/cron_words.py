"""Cron expressions and periods in words, as the end of a sentence: what is not common is quoted."""

import re

_NUMBER = re.compile(r"[0-9]{1,2}")
_STEP = re.compile(r"\*/([0-9]{1,2})")
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_SHORT = {name[:3].upper(): number for number, name in enumerate(_DAYS)}
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def in_words(cron: str, zone: str) -> str:
    """When a valid expression comes, such as `every Monday at 06:30 (Europe/Berlin)`."""
    return _by_minutes(cron) or f"{_by_days(cron) or f'by {cron}'} ({zone})"


def period_in_words(seconds: int) -> str:
    """How often something comes, such as `every 15 minutes`."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return _every(seconds // size, unit)


def _every(count: int, unit: str) -> str:
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"


def _by_minutes(cron: str) -> str | None:
    """Of an expression that comes at least every hour, whatever the zone."""
    minute, *rest = cron.split()
    if rest != ["*"] * 4:
        return None
    step = _STEP.fullmatch(minute)
    if minute == "*" or (step and int(step[1]) == 1):
        return "every minute"
    if step and 60 % int(step[1]) == 0:
        return _every(int(step[1]), "minute")
    return f"every hour at minute {int(minute)}" if _NUMBER.fullmatch(minute) else None


def _by_days(cron: str) -> str | None:
    """Of an expression that comes once a day at most."""
    minute, hour, day, month, weekday = cron.split()
    if not (_NUMBER.fullmatch(minute) and _NUMBER.fullmatch(hour)) or month != "*":
        return None
    days = _day_of_month(day) if weekday == "*" else _weekdays(weekday) if day == "*" else None
    return f"{days} at {int(hour):02}:{int(minute):02}" if days else None


def _day_of_month(day: str) -> str | None:
    if day == "*":
        return "every day"
    if day == "L":
        return "on the last day of every month"
    return f"on day {int(day)} of every month" if _NUMBER.fullmatch(day) else None


def _weekdays(field: str) -> str | None:
    first, dash, last = field.partition("-")
    if dash:
        begin, end = _weekday(first), _weekday(last)
        return f"from {begin} to {end}" if begin and end else None
    names = [name for part in field.split(",") if (name := _weekday(part))]
    if len(names) <= field.count(","):
        return None
    *others, last = names
    return f"every {', '.join(others)} and {last}" if others else f"every {last}"


def _weekday(text: str) -> str | None:
    if text in _SHORT:
        return _DAYS[_SHORT[text]]
    return _DAYS[int(text) % 7] if _NUMBER.fullmatch(text) and int(text) <= 7 else None
