"""Phonemizer: marks words of the workspace's dictionary with how they are pronounced."""

from dataclasses import replace

from portal.definitions.catalog import CATALOG, NodeType
from portal.engine.contract import Ability, Context, StepInput, StepOutput
from portal.engine.environment import Environment
from portal.engine.media.markup.dictionary import Found, Marking, marked

MAX_LISTED = 200
"""Words in each list of the result."""


class OperatorPhonemeInjector:
    """Voices that read IPA get it, others the alias. `llm_candidate_filter` changes nothing here."""

    node_type: NodeType = CATALOG["operator_phoneme_injector"]

    def ability(self, environment: Environment) -> Ability:
        return Ability()

    def run(self, step: StepInput, context: Context) -> StepOutput:
        """An item that is marked anew loses its take, which says its words as before."""
        marking = Marking(
            max_words=step.setting("max_ngram"),
            skip_addresses=step.setting("exclude_address_rows"),
            use_parts=step.setting("use_derived_word_parts"),
        )
        words = {locale: context.pronunciations(locale) for locale in {item.locale for item in step.items}}
        found, items = Found(), []
        for number, item in enumerate(step.items, 1):
            context.check()
            written = marked(item, words[item.locale], marking, found)
            items.append(item if written == item.markup else replace(item, markup=written, take=None))
            context.progress(number, len(step.items))
        return StepOutput(
            items=items,
            result={
                "marked": sum(found.known.values()),
                "words": dict(sorted(found.known.items())[:MAX_LISTED]),
                "not_found": sorted(found.unknown)[:MAX_LISTED],
                "not_found_words": len(found.unknown),
            },
        )
