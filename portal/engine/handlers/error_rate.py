"""`validator_error_rate`: compares what speech recognition hears with the text."""

from portal.definitions.catalog import CATALOG
from portal.engine.contract import Ability, Context, Item, StepInput, StepOutput, Verdict
from portal.engine.environment import Environment
from portal.engine.media.listening import recogniser
from portal.engine.media.listening.recogniser import Heard
from portal.engine.media.listening.verdicts import judged, not_judged, summary
from portal.engine.media.listening.words import NotComparable, difference


class ErrorRateValidator:
    """Its score is 100 points less the word error rate in percent."""

    node_type = CATALOG["validator_error_rate"]

    def ability(self, environment: Environment) -> Ability:
        return Ability(unavailable=recogniser.why_not(environment))

    def run(self, step: StepInput, context: Context) -> StepOutput:
        hearing = recogniser.listen(step.items, context)
        verdicts = [
            _verdict(step, item, heard, hearing.model)
            for item, heard in zip(step.items, hearing.heard, strict=True)
        ]
        return StepOutput(verdicts=verdicts, result=summary(verdicts), usage=hearing.usage)


def _verdict(step: StepInput, item: Item, heard: Heard, model: str | None) -> Verdict:
    if heard.text is None:
        return not_judged(heard.reason or "", scored_on=model)
    try:
        found = difference(item.text, heard.text, item.locale)
    except NotComparable as error:
        return not_judged(str(error), transcript=heard.text, scored_on=model)
    return judged(
        *(step, 100 * (1 - found.wer)),
        wer=found.wer,
        cer=found.cer,
        transcript=heard.text,
        scored_on=model,
        error_counts={
            "substitutions": found.substitutions,
            "insertions": found.insertions,
            "deletions": found.deletions,
            "reference_units": found.words,
        },
    )
