"""Export: delivers the takes that reach it. Their format is made when somebody downloads them."""

from portal.definitions.catalog import CATALOG, NodeType
from portal.engine.contract import Ability, Context, Item, StepInput, StepOutput
from portal.engine.environment import Environment


class SinkPreview:
    node_type: NodeType = CATALOG["sink_preview"]

    def ability(self, environment: Environment) -> Ability:
        return Ability()

    def run(self, step: StepInput, context: Context) -> StepOutput:
        """Deliver each take once, also where it came by two ways of which one rewrote the text."""
        delivered: dict[object, Item] = {}
        for item in step.items:
            if item.take is not None:
                delivered.setdefault((item.source, item.line, item.locale, item.take), item)
        items = list(delivered.values())
        locales: dict[str, dict[str, int]] = {}
        for item in items:
            counted = locales.setdefault(item.locale, {"lines": 0, "duration_ms": 0})
            counted["lines"] += 1
            counted["duration_ms"] += item.take.duration_ms if item.take else 0
        return StepOutput(
            delivered=items,
            result={
                "lines": len(items),
                "duration_ms": sum(counted["duration_ms"] for counted in locales.values()),
                "locales": locales,
                "format": step.setting("format"),
            },
        )
