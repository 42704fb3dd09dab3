"""What stored history says, read leniently."""

from datetime import timedelta

import pytest

from portal.runs.facts.facts import RunFacts, StepFacts, silent_since
from portal.runs.facts.outcomes import OUTCOME_WORDS, OUTCOMES, TRIGGER_WORDS, TRIGGERS, outcome_word
from tests.factories import NOON


def test_every_outcome_and_trigger_has_words() -> None:
    assert set(OUTCOME_WORDS) == set(OUTCOMES)
    assert set(TRIGGER_WORDS) == set(TRIGGERS)


@pytest.mark.parametrize(
    ("status", "outcome", "word"),
    [
        ("cancelled", "skipped", "Skipped"),
        ("completed", "succeeded_with_warnings", "With warnings"),
        ("failed", "timed_out", "Timed out"),
        ("completed", "succeeded", ""),
        ("failed", "failed", ""),
        ("cancelled", "aborted", ""),
        ("cancelled", "failed", "Failed"),
        ("running", "skipped", ""),
        ("completed", None, ""),
        ("completed", "unheard_of", ""),
    ],
)
def test_an_outcome_is_named_where_it_says_more_than_the_status(
    status: str, outcome: str | None, word: str
) -> None:
    assert outcome_word(status, outcome) == word


def test_nothing_is_known_of_what_is_no_object() -> None:
    for source in (None, [], "x", 1):
        assert not any(vars(RunFacts.read(source)).values())
        assert StepFacts.read(source) == StepFacts()


def test_an_active_run_is_silent_after_a_day_or_what_its_source_says() -> None:
    facts, later = RunFacts.read({}), NOON + timedelta(hours=25)
    assert silent_since(facts, NOON, later) == NOON
    assert silent_since(facts, NOON, NOON + timedelta(hours=23)) is None
    assert silent_since(facts, None, later) is None
    heard = RunFacts.read({"last_heard_at": "2026-03-02T12:00:00Z", "expires_after": 3600})
    assert silent_since(heard, NOON, later) is None
    assert silent_since(heard, NOON, later + timedelta(hours=1)) == NOON + timedelta(days=1)
    assert silent_since(RunFacts.read({"expires_after": 2**63 - 1}), NOON, later) is None
