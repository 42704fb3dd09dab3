"""`validator_pronunciation`: compares the sounds of the text with those of what speech recognition hears."""

from dataclasses import replace

from portal.definitions.catalog import CATALOG
from portal.engine.contract import Ability, Context, Item, StepInput, StepOutput, Verdict
from portal.engine.environment import Environment
from portal.engine.media.children import ChildFailed, Children
from portal.engine.media.listening import phonemes, recogniser
from portal.engine.media.listening.phonemes import NoSounds
from portal.engine.media.listening.recogniser import Heard
from portal.engine.media.listening.verdicts import judged, not_judged, summary
from portal.speech import espeak


class PronunciationValidator:
    """Its score is 100 points less the phoneme error rate in percent, `k` times."""

    node_type = CATALOG["validator_pronunciation"]

    def ability(self, environment: Environment) -> Ability:
        return Ability(unavailable=_why_not(environment))

    def run(self, step: StepInput, context: Context) -> StepOutput:
        if reason := _why_not(context.environment):
            verdicts = [not_judged(reason) for _ in step.items]
            return StepOutput(verdicts=verdicts, result=summary(verdicts))
        hearing = recogniser.listen(step.items, context)
        children = Children(context)
        verdicts = [
            _verdict(step, item, heard, hearing.model, children)
            for item, heard in zip(step.items, hearing.heard, strict=True)
        ]
        spent = hearing.usage.processor_seconds + children.processor_seconds
        return StepOutput(
            verdicts=verdicts,
            result=summary(verdicts),
            usage=replace(hearing.usage, processor_seconds=spent),
        )


def _why_not(environment: Environment) -> str | None:
    return recogniser.why_not(environment) or (None if espeak.is_here() else phonemes.NOT_INSTALLED)


def _verdict(step: StepInput, item: Item, heard: Heard, model: str | None, children: Children) -> Verdict:
    if heard.text is None:
        return not_judged(heard.reason or "", scored_on=model)
    try:
        script = phonemes.sounds_of(item.text, item.locale, children)
        said = phonemes.sounds_of(heard.text, item.locale, children) if heard.text else ""
    except NoSounds as error:
        return not_judged(str(error), transcript=heard.text, scored_on=model)
    except ChildFailed as error:
        reason = f"{espeak.NAME} {error} on this line."
        return not_judged(reason, transcript=heard.text, scored_on=model)
    if not script:
        return not_judged("There is no sound in this line.", transcript=heard.text, scored_on=model)
    errors = phonemes.compare(script, said)
    return judged(
        *(step, 100 * (1 - step.setting("k") * errors.rate)),
        cer=errors.rate,
        transcript=heard.text,
        scored_on=model,
        error_counts={
            "substitutions": errors.substitutions,
            "insertions": errors.insertions,
            "deletions": errors.deletions,
            "reference_units": errors.sounds,
        },
    )
