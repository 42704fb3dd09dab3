"""`validator_noise`: judges how clear of noise the audio is, by measures of its samples."""

from dataclasses import replace

from portal.definitions.catalog import CATALOG
from portal.engine.contract import Ability, Context, Item, StepInput, StepOutput, Usage, Verdict
from portal.engine.environment import Environment
from portal.engine.media.listening.noise import measure
from portal.engine.media.listening.recogniser import take_of
from portal.engine.media.listening.verdicts import judged, not_judged, summary
from portal.engine.media.sound import NotSound, decode

MEASURE = "signal-to-noise ratio, level, clipping, silence"


class NoiseValidator:
    """Its score is that of `listening.noise.Noise`."""

    node_type = CATALOG["validator_noise"]

    def ability(self, environment: Environment) -> Ability:
        return Ability()

    def run(self, step: StepInput, context: Context) -> StepOutput:
        verdicts = []
        for item in step.items:
            context.check()
            verdicts.append(_verdict(step, item, context))
            context.progress(len(verdicts), len(step.items))
        judged_ms = sum(take_of(item).duration_ms for item in step.items)
        return StepOutput(verdicts=verdicts, result=summary(verdicts), usage=Usage(audio_ms=judged_ms))


def _verdict(step: StepInput, item: Item, context: Context) -> Verdict:
    with context.open(take_of(item).audio) as content:
        audio = content.read()
    try:
        noise = measure(decode(audio))
    except NotSound as error:
        return not_judged(f"The audio of this line {error}.", scored_on=MEASURE)
    if noise is None:
        return not_judged("The audio of this line is too short to be judged.", scored_on=MEASURE)
    verdict = judged(step, noise.score, scored_on=MEASURE)
    return verdict if verdict.passed else replace(verdict, reason=str(noise))
