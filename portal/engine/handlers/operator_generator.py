"""Voice Generator: each item gets a take that speaks it."""

from collections.abc import Mapping
from dataclasses import replace

from portal.definitions.catalog import CATALOG, NodeType
from portal.definitions.locales import canonical
from portal.engine.contract import Ability, Context, StepInput, StepOutput
from portal.engine.environment import Environment
from portal.engine.media.speakers import voices
from portal.engine.media.speakers.speech import Speech, Wanted
from portal.engine.media.speakers.voices import ChosenVoice


class OperatorGenerator:
    """`target_locale` chooses the locale whose voices speak all items; the items keep their own."""

    node_type: NodeType = CATALOG["operator_generator"]

    def ability(self, environment: Environment) -> Ability:
        return voices.ability(environment)

    def run(self, step: StepInput, context: Context) -> StepOutput:
        chosen = _voices(step, context)
        speech = Speech(context)
        wanted = [
            Wanted(item, chosen[item.locale], f"{item.source}:{item.line}:{item.locale}:{number}")
            for number, item in enumerate(step.items)
        ]
        items, unspoken = [], []
        for number, (each, take) in enumerate(zip(wanted, speech.takes(wanted), strict=True), 1):
            if take is None:
                unspoken.append(
                    {"line": each.item.line, "locale": each.item.locale, "text": each.item.text[:80]}
                )
                context.log(f"Line {each.item.line + 1} in {each.item.locale} has nothing to speak.")
            else:
                items.append(replace(each.item, take=take))
            context.progress(number, len(wanted))
        return StepOutput(
            items=items,
            result={
                "takes": len(items),
                "duration_ms": speech.audio_ms,
                "voices": {locale: _described(voice) for locale, voice in sorted(chosen.items())},
                "unspoken": unspoken[:100],
                "unspoken_lines": len(unspoken),
            },
            usage=speech.usage(),
        )


def _voices(step: StepInput, context: Context) -> Mapping[str, ChosenVoice]:
    """The voice for each locale of the items."""
    only = canonical(step.setting("target_locale") or "")
    locales = sorted({item.locale for item in step.items})
    return {
        locale: voices.voice_for(only or locale, step.setting("voice_map"), context.environment)
        for locale in locales
    }


def _described(voice: ChosenVoice) -> Mapping[str, str]:
    return {"provider": voice.provider, "model": voice.model, "voice": voice.name}
