"""Spell Out: an operator that has words in capitals spoken letter by letter."""

import re
from dataclasses import replace

from portal.definitions.catalog import NodeType, Port
from portal.engine.contract import Ability, Context, Item, StepInput, StepOutput, Usage
from portal.engine.environment import Environment

_TEXT = (Port("lines", ("text",)),)

NODE_TYPE = NodeType(
    slug="operator_spell_out",
    category="operator",
    display_name="Spell Out",
    description="Writes words in capitals, such as FAQ, letter by letter.",
    inputs=_TEXT,
    outputs=_TEXT,
    settings={
        "longest": {
            "type": "integer",
            "default": 4,
            "minimum": 2,
            "maximum": 20,
            "description": "Letters of the longest word that is spelled.",
        },
        "separator": {"type": "string", "enum": [" ", ". ", "-"], "default": " "},
        "spoken_as_words": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Words in capitals that stay as they are, such as NASA.",
        },
    },
)


class SpellOut:
    node_type = NODE_TYPE

    def ability(self, environment: Environment) -> Ability:
        return Ability()

    def run(self, step: StepInput, context: Context) -> StepOutput:
        items: list[Item] = []
        spelled = 0
        for number, item in enumerate(step.items):
            context.check()
            # A voice speaks the markup where there is any, so a new text would go unheard.
            text = item.text if item.markup else self._spell(item.text, step)
            spelled += text != item.text
            items.append(replace(item, text=text))
            context.progress(number + 1, len(step.items))
        characters = sum(len(item.text) for item in step.items)
        return StepOutput(items=items, result={"spelled_lines": spelled}, usage=Usage(characters=characters))

    def _spell(self, text: str, step: StepInput) -> str:
        separator, kept = step.setting("separator"), step.setting("spoken_as_words")

        def letters(found: re.Match[str]) -> str:
            return found[0] if found[0] in kept else separator.join(found[0])

        return re.sub(rf"\b[A-Z]{{2,{int(step.setting('longest'))}}}\b", letters, text)


HANDLER = SpellOut()
