"""Pace check: a validator that refuses what is spoken too fast."""

from portal.definitions.catalog import NodeType, Port
from portal.engine.contract import Ability, Context, Item, StepInput, StepOutput, Usage, Verdict
from portal.engine.environment import Environment

NODE_TYPE = NodeType(
    slug="validator_pace",
    category="validation",
    display_name="Pace check",
    description="Judges whether a line is spoken slowly enough to follow.",
    inputs=(Port("lines", ("audio",)),),
    outputs=(Port("pass", ("text", "audio")), Port("fail", ("text", "audio"))),
    settings={
        "characters_per_second": {
            "type": "number",
            "default": 17,
            "minimum": 1,
            "maximum": 100,
            "description": "A line that is spoken at this pace, or more slowly, scores 100.",
        },
        "threshold": {"type": "number", "default": 90, "minimum": 0, "maximum": 100},
        "max_retries": {"type": "integer", "default": 3, "minimum": 1, "maximum": 50},
    },
)


class Pace:
    node_type = NODE_TYPE

    def ability(self, environment: Environment) -> Ability:
        return Ability()

    def run(self, step: StepInput, context: Context) -> StepOutput:
        verdicts = []
        for item in step.items:
            context.check()
            verdicts.append(self._judge(item, step))
        heard = sum(item.take.duration_ms for item in step.items if item.take)
        return StepOutput(verdicts=verdicts, usage=Usage(audio_ms=heard))

    def _judge(self, item: Item, step: StepInput) -> Verdict:
        if item.take is None or item.take.duration_ms <= 0:
            return Verdict(passed=None, reason="There is no audio to judge.")
        pace = len(item.text) / (item.take.duration_ms / 1000)
        score = round(100 * min(1, step.setting("characters_per_second") / pace), 1) if pace else 100.0
        return Verdict(
            passed=score >= step.setting("threshold"),
            score=score,
            reason=f"{pace:.1f} characters a second.",
            scored_on="the length of the text and of the audio",
        )


HANDLER = Pace()
