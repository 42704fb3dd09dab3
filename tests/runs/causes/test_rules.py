"""What varies between errors of one cause, and that taking it out is cheap whatever the text."""

import importlib
import re
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.runs.causes.rules import LIST, RULES, VARIES, without_what_varies

EXAMPLES = [
    ("Validate ja-JP: word error rate 0.31, at most 0.10", "Validate …: word error rate …, at most …"),
    ("Voice de-DE: 401 Unauthorized, the key expired", "Voice …: 401 Unauthorized, the key expired"),
    ("Validate ko-kr: too slow in a no-go de-fr-xx", "Validate …: too slow in a no-go de-fr-xx"),
    ("HTTP 503 from https://api.acme.example/v1?x=1, retry in 5 s", "HTTP 503 from …, retry in …"),
    ("HTTP/1.1 404 and HTTP 429", "HTTP/1.1 404 and HTTP 429"),
    ("run 1f3a9c00-aaaa-4bbb-8ccc-0123456789ab is gone", "run … is gone"),
    ("job run_8f3kd92k at 0x7fff12ab, commit deadbee1", "job run_… at …, commit …"),
    ("a decade of facades was defaced", "a decade of facades was defaced"),
    ("cannot open 'a b.txt' or \"c\" or `d` or “e” or «f»", "cannot open … or … or … or … or …"),
    ("don't and can't aren't quoted", "don't and can't aren't quoted"),
    ("/usr/lib/x.py:12: no module", "…: no module"),
    ("in src/app/main.py, tests/x.py and C:\\Users\\me\\a.txt", "in … and …"),
    ("and/or read/write", "and/or read/write"),
    ("at 2026-11-28T10:00:00.123Z after 1m 20s", "at … after …"),
    ("on Fri, 28 Nov 2026 and November 3", "on … and …"),
    ("Market closed in May", "Market closed in May"),
    ("for zh-Hans-CN, pt_BR and es-419", "for … and …"),
    ("wrote to ada@acme.example", "wrote to …"),
    ("lines 1, 2 and 3, 4, 5", "lines … and …"),
    ("worker-12 of gpu3 ran out: 12,345.6 MB", "worker-… of gpu… ran out: …"),
    ("  two\n\tlines  ", "two lines"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "found"), EXAMPLES)
def test_what_varies_is_taken_out_and_the_words_stay(text: str, found: str) -> None:
    assert without_what_varies(text) == found


@given(st.lists(st.sampled_from([text for text, _ in EXAMPLES] + [VARIES, " ", "'", '"', "/", "-"])))
def test_the_result_is_never_longer_and_never_has_what_varies_twice_in_a_row(parts: list[str]) -> None:
    text = "".join(parts)
    found = without_what_varies(text)
    assert len(found) <= len(text)
    assert f"{VARIES}{VARIES}" not in found
    assert found == " ".join(found.split())


@pytest.mark.parametrize("number", ["7", "12,345", "-0.5", "1e9", "99 %", "3 min", "1:02:03", "12/5"])
def test_errors_that_differ_in_a_number_are_of_one_cause(number: str) -> None:
    assert without_what_varies(f"took {number} here") == "took … here"


@pytest.mark.parametrize("pattern", [*(rule.pattern for rule in RULES), LIST], ids=range(len(RULES) + 1))
def test_no_rule_can_backtrack_far(pattern: str) -> None:
    """Every repetition is possessive or has a bound below five: no text makes a rule try many ways."""
    parse = importlib.import_module("re._parser").parse
    assert [each for each in repetitions(parse(pattern)) if each > 4] == []


def repetitions(parsed: Any) -> list[int]:
    """The most ways in which each repetition of a pattern that is not possessive may be shortened."""
    found: list[int] = []
    for kind, argument in parsed:
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            found.append(int(argument[1]) - int(argument[0]))
        for inner in argument if isinstance(argument, tuple) else (argument,):
            for each in inner if isinstance(inner, list) else (inner,):
                if hasattr(each, "getwidth"):
                    found += repetitions(each)
    return found


def test_the_guard_sees_a_pattern_that_backtracks() -> None:
    parse = importlib.import_module("re._parser").parse
    assert max(repetitions(parse("x|(?:a+)+b"))) > 4
    assert max(repetitions(parse("(?:y(?:a++)*+b{2}c?)"))) <= 4


UNITS = ("'a ", '"', "“", "a-", "a/", "1:", "a.a@", "… ", "1, ", "f", "é1", "/", "A1", "ab", "~/", "x: ")


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_what_rules_read_of_a_text_grows_with_its_length(unit: str) -> None:
    """Counted in characters: an attempt at one place may read to the end only if few places allow one."""
    half, whole = (characters_read((unit * size)[:size]) for size in (1000, 2000))
    assert whole <= 2.2 * half + 500


def characters_read(text: str) -> int:
    """How far the rules read from each place at which they are tried, whether they match there or not."""
    whole = re.compile("|".join(rule.pattern for rule in RULES))
    place = read = 0
    while place < len(text):
        for rule in RULES:
            for prefixes in beginnings(rule.pattern):
                found = [match for prefix in prefixes if (match := prefix.match(text, place))]
                read += max((len(match[0]) for match in found), default=0)
        taken = whole.match(text, place)
        place = max(place + 1, taken.end() if taken else 0)
    return read


@cache
def beginnings(pattern: str) -> list[list[re.Pattern[str]]]:
    """The beginnings of each alternative of a pattern, of one element, two elements and so on."""
    parser, compiler = (importlib.import_module(f"re.{name}") for name in ("_parser", "_compiler"))
    whole = parser.parse(pattern)
    is_branch = len(whole) == 1 and str(whole[0][0]) == "BRANCH"
    return [
        [compiler.compile(each[:length]) for length in range(1, len(each) + 1)]
        for each in (whole[0][1][1] if is_branch else [whole])
    ]
