"""`validator_naturalness`: says that nothing here can judge it. A package may bring a node type that does."""

from portal.definitions.catalog import CATALOG
from portal.engine.contract import Ability, Context, StepInput, StepOutput
from portal.engine.environment import Environment
from portal.engine.media.listening.verdicts import not_judged, summary

REASON = "Nothing here judges how natural speech sounds."


class NaturalnessValidator:
    """Lets every line pass without a score."""

    node_type = CATALOG["validator_naturalness"]

    def ability(self, environment: Environment) -> Ability:
        return Ability(unavailable=REASON)

    def run(self, step: StepInput, context: Context) -> StepOutput:
        verdicts = [not_judged(REASON) for _ in step.items]
        return StepOutput(verdicts=verdicts, result=summary(verdicts))
