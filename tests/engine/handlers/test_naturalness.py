"""Nothing judges naturalness, and the check says so instead of a score."""

from pathlib import Path

from portal.engine.environment import Environment
from portal.engine.handlers.naturalness import REASON, NaturalnessValidator
from tests.engine.step_context import StepContext, item, step


def test_every_line_passes_without_a_score(tmp_path: Path) -> None:
    items = [item("Hello."), item("Bye.", line=1)]
    done = NaturalnessValidator().run(step("validator_naturalness", items), StepContext(tmp_path))
    assert [(each.passed, each.score, each.reason) for each in done.verdicts] == [(None, None, REASON)] * 2
    assert done.result["not_judged"] == 2


def test_it_says_that_it_cannot_work() -> None:
    assert NaturalnessValidator().ability(Environment()).unavailable == REASON
