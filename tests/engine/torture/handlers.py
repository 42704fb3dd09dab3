"""Node types whose work only takes time, as a package brings them; they write down where they begin.

The graph: a source, two operators that make a take of each line, a validator that sends lines back to the
first of them, and a sink. Verdicts depend on line and round alone, so it is known which steps a run has.
"""

import hashlib
import io
import os
import threading
import time
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from portal import moments
from portal.definitions.catalog import Category, NodeType, Port
from portal.engine.contract import Ability, Context, Item, StepInput, StepOutput, Take, Usage, Verdict
from tests.definitions.graphs import edge, graph, node

FOLDER = "TORTURE_FOLDER"
"""The environment variable that names the folder in which handlers say what they do."""
LINES = 3
STEPS = Counter(source=1, first=3, second=1, check=4, sink=1)
"""How many iterations each node of `definition` has."""
TAKES = 9
"""How many takes a run of it makes: 3, 2 and 1 in the rounds of the first operator, 3 of the second."""

_TEXT, _BOTH = ("text",), ("text", "audio")
_DEAF = {"type": "boolean", "default": False, "description": "Whether it never looks for a cancel."}
_SECONDS = {"type": "number", "default": 0.3, "minimum": 0, "maximum": 600}


def definition(seconds: float) -> dict[str, Any]:
    """A workflow each of whose steps takes about so long."""
    nodes = [
        node("source_torture", "source", seconds=seconds),
        node("operator_torture", "first", seconds=seconds),
        node("operator_torture", "second", seconds=seconds, deaf=True),
        node("validator_torture", "check", seconds=seconds),
        node("sink_torture", "sink", seconds=seconds),
    ]
    edges = [
        edge("source", "first"),
        edge("source", "second"),
        edge("first", "check"),
        edge("second", "check"),
        edge("check", "sink", "pass"),
        edge("check", "first", "fail"),
    ]
    return graph(nodes, edges)


def straight(seconds: float, deaf: bool = False) -> dict[str, Any]:
    """Three steps, one after another."""
    nodes = [
        node("source_torture", "source", seconds=seconds, deaf=deaf),
        node("operator_torture", "first", seconds=seconds),
        node("sink_torture", "sink", seconds=seconds),
    ]
    return graph(nodes, [edge("source", "first"), edge("first", "sink")])


def read(step: StepInput, _context: Context) -> StepOutput:
    return StepOutput(
        items=[
            Item(source=step.node_id, line=number, locale="en-us", text=f"Line {number}")
            for number in range(LINES)
        ]
    )


def speak(step: StepInput, context: Context) -> StepOutput:
    items = []
    for item in step.items:
        audio = context.store(io.BytesIO(_sound(f"{step.node_id} {item.line}")), "audio/wav")
        take = Take(audio=audio, duration_ms=10, voice="Test", provider="test", model="test")
        items.append(replace(item, take=take))
    return StepOutput(items=items, usage=Usage(characters=len(items)))


def judge(step: StepInput, _context: Context) -> StepOutput:
    verdicts = [Verdict(passed=step.iteration > item.line, score=50.0) for item in step.items]
    return StepOutput(verdicts=verdicts)


def deliver(step: StepInput, _context: Context) -> StepOutput:
    return StepOutput(delivered=step.items)


@dataclass(frozen=True)
class Handler:
    node_type: NodeType
    job: Callable[[StepInput, Context], StepOutput]

    def ability(self, _environment: Any) -> Ability:
        return Ability()

    def run(self, step: StepInput, context: Context) -> StepOutput:
        with _noted(context.key("")):
            self._take_time(step, context)
            return self.job(step, context)

    def _take_time(self, step: StepInput, context: Context) -> None:
        """Between half and one and a half of the node's seconds."""
        number = hashlib.blake2b(context.key("seconds").encode(), digest_size=2).digest()
        until = time.monotonic() + step.setting("seconds") * (0.5 + number[0] / 255)
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))
            if not step.setting("deaf"):
                context.check()


@contextmanager
def _noted(key: str) -> Iterator[None]:
    """Write down when the work on a step begins, and who is within one."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        yield
        return
    inside = Path(folder) / "inside" / f"{os.getpid()}.{threading.get_native_id()}"
    with (Path(folder) / "begun" / str(os.getpid())).open("a", encoding="ascii") as file:
        file.write(f"{key} {moments.now().isoformat()}\n")
    inside.touch()
    try:
        yield
    finally:
        inside.unlink(missing_ok=True)


def _sound(text: str) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(hashlib.blake2b(text.encode()).digest() * 3)
    return content.getvalue()


def _type(slug: str, category: Category, inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> NodeType:
    settings: dict[str, Any] = {"seconds": _SECONDS, "deaf": _DEAF}
    if category == "validation":
        settings["max_retries"] = {"type": "integer", "default": 50, "minimum": 1, "maximum": 50}
    return NodeType(
        slug=slug,
        category=category,
        display_name=slug,
        description="For tests of the engine.",
        inputs=inputs,
        outputs=outputs,
        settings=settings,
    )


SOURCE = Handler(_type("source_torture", "source", (), (Port("lines", _TEXT),)), read)
OPERATOR = Handler(
    _type("operator_torture", "operator", (Port("lines", _TEXT),), (Port("lines", _BOTH),)), speak
)
VALIDATOR = Handler(
    _type(
        "validator_torture",
        "validation",
        (Port("lines", ("audio",)),),
        (Port("pass", _BOTH), Port("fail", _BOTH)),
    ),
    judge,
)
SINK = Handler(_type("sink_torture", "output", (Port("lines", ("audio",)),), ()), deliver)
