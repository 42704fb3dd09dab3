"""Verdicts as validators give them."""

from collections.abc import Sequence
from typing import Any

from portal.engine.contract import Json, StepInput, Verdict


def judged(step: StepInput, score: float, **more: Any) -> Verdict:
    """The verdict of a score, which is brought into 0 to 100, by the node's threshold."""
    score = round(min(max(score, 0.0), 100.0), 2)
    return Verdict(passed=score >= step.setting("threshold"), score=score, **more)


def not_judged(reason: str, **more: Any) -> Verdict:
    return Verdict(passed=None, reason=reason, **more)


def summary(verdicts: Sequence[Verdict]) -> Json:
    """What people may read about a step that judged."""
    scores = [verdict.score for verdict in verdicts if verdict.score is not None]
    reasons = dict.fromkeys(verdict.reason for verdict in verdicts if verdict.passed is None)
    return {
        "passed": sum(verdict.passed is True for verdict in verdicts),
        "refused": sum(verdict.passed is False for verdict in verdicts),
        "not_judged": sum(verdict.passed is None for verdict in verdicts),
        "mean_score": round(sum(scores) / len(scores), 2) if scores else None,
        "reasons": [reason for reason in reasons if reason][:20],
    }
