"""What runs come to: the same as a naive interpreter of the rules says (docs/engine.md)."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import OutputLine, RunStatus, Step, Take
from portal.definitions.catalog import CATALOG, FAIL
from portal.definitions.pipeline import Pipeline
from portal.definitions.structure import validate_definition
from tests.definitions.graphs import checked, edge, graph, node, smallest
from tests.engine.fabric import Bench, verdict_of
from tests.examples import A_FIFTH
from tests.factories import make_workflow, make_workspace

LOCALES = ("en-us", "de-de", "fr-fr")


class Piece(NamedTuple):
    """An item as the interpreter sees it."""

    source: str
    line: int
    locale: str
    text: str
    take: str | None = None
    """Which step made it."""


class Told(NamedTuple):
    """What the interpreter says of a run."""

    iterations: Mapping[str, int]
    delivered: set[tuple[str, int, str]]
    dropped: set[tuple[str, int, str]]


def interpret(definition: JsonObject) -> Told:
    """Follow engine.md 3.4 by hand: components in order, rounds inside cycles, no counts, no database."""
    nodes = {each["id"]: each for each in definition["graph"]["nodes"]}
    edges = [(e["source"], e["sourcePort"], e["target"]) for e in definition["graph"]["edges"]]
    reached = {name for name, each in nodes.items() if each["type"] == "source_script"}
    while more := {target for source, _, target in edges if source in reached} - reached:
        reached |= more
    edges = [each for each in edges if each[0] in reached]

    def leads(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [target for source, _, target in edges if source == start]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [target for source, _, target in edges if source == name]
        return found

    after = {name: leads(name) for name in reached}
    component = {
        name: frozenset({name} | {other for other in after[name] if name in after[other]}) for name in reached
    }
    box: dict[str, list[Piece]] = {name: [] for name in reached}
    ran = dict.fromkeys(nodes, 0)
    refused: dict[tuple[str, str, int, str], int] = {}
    delivered: set[tuple[str, int, str]] = set()
    dropped: set[tuple[str, int, str]] = set()

    def send(name: str, port: str, pieces: list[Piece], inside: dict[str, list[Piece]]) -> None:
        targets = [target for source, out, target in edges if source == name and out == port]
        if port == FAIL and not targets:
            dropped.update((each.source, each.line, each.locale) for each in pieces)
        for target in targets if pieces else ():
            into = inside if component[target] == component[name] else box
            into.setdefault(target, []).extend(pieces)

    def work(name: str, pieces: list[Piece], inside: dict[str, list[Piece]]) -> None:
        ran[name] += 1
        kind, config = nodes[name]["type"], nodes[name]["config"]
        pieces = list(dict.fromkeys(pieces))
        if kind == "source_script":
            texts = [text for text in config["text"].split("\n") if text.strip()]
            send(name, "lines", [Piece(name, n, "en-us", text) for n, text in enumerate(texts)], inside)
        elif kind == "operator_translator":
            given = dict.fromkeys(
                each
                if each.locale == locale
                else each._replace(locale=locale, text=f"{each.text} in {locale}")
                for each in pieces
                for locale in config["target_languages"]
            )
            send(name, "lines", list(given), inside)
        elif CATALOG[kind].category == "validation":
            ports: dict[str, list[Piece]] = {"pass": [], "fail": []}
            for each in pieces:
                passed = verdict_of(name, each.line, each.locale, ran[name])
                key = (name, each.source, each.line, each.locale)
                out = "fail" if passed is False and refused.get(key, 0) < config["max_retries"] else "pass"
                refused[key] = refused.get(key, 0) + (passed is False)
                ports[out].append(each)
            for port, given_out in ports.items():
                send(name, port, given_out, inside)
        elif CATALOG[kind].category == "output":
            delivered.update((each.source, each.line, each.locale) for each in pieces)
        elif "audio" in CATALOG[kind].outputs[0].fields:
            made = [each._replace(take=f"{name} {ran[name]} {number}") for number, each in enumerate(pieces)]
            send(name, "lines", made, inside)
        else:
            send(name, "lines", [each._replace(text=f"{each.text} by {name}") for each in pieces], inside)

    left = set(component.values())
    while left:
        group = next(
            each
            for each in left
            if not any(
                other != each and other in left and any(a in after[b] for a in each for b in other)
                for other in left
            )
        )
        left.remove(group)
        cyclic = len(group) > 1
        if not cyclic:
            [name] = group
            if box[name] or nodes[name]["type"] == "source_script":
                work(name, box[name], {})
            continue
        waiting = {name: box[name] for name in group if box[name]}
        while waiting:
            inside: dict[str, list[Piece]] = {}
            for name, pieces in waiting.items():
                work(name, pieces, inside)
            waiting = inside
    return Told({name: times for name, times in ran.items() if times}, delivered, dropped - delivered)


def told_by_the_database(run_id: Any) -> Told:
    db.session.rollback()
    steps = db.session.execute(
        sa.select(Step.node_id, sa.func.count()).where(Step.run_id == run_id).group_by(Step.node_id)
    )
    takes = db.session.execute(
        sa.select(OutputLine.line_id, Take.locale_code, Take.status)
        .join(OutputLine, sa.and_(OutputLine.run_id == Take.run_id, OutputLine.position == Take.line))
        .where(Take.run_id == run_id)
    ).all()

    def keys(status: str) -> set[tuple[str, int, str]]:
        found = set()
        for line_id, locale, taken in takes:
            if taken == status:
                source, _, number = line_id.rpartition(":")
                found.add((source, int(number) - 1, locale))
        return found

    return Told(dict(map(tuple, steps)), keys("delivered"), keys("dropped"))


@st.composite
def graphs(draw: st.DrawFn) -> JsonObject:
    """Random legal graphs: fan-out, fan-in, several sources, cycles through `fail`."""
    sources = [
        node("source_script", f"s{n}", text="\n".join(f"line {i} of {n}" for i in range(draw(_SMALL))))
        for n in range(draw(st.integers(1, 2)))
    ]
    texts = [
        node(draw(st.sampled_from(_TEXT_TYPES)), f"t{n}", target_languages=draw(_LANGUAGES))
        for n in range(draw(st.integers(0, 2)))
    ]
    generators = [node("operator_generator", f"g{n}") for n in range(draw(st.integers(1, 2)))]
    audio = [
        node(draw(st.sampled_from(_AUDIO_TYPES)), f"a{n}", max_retries=draw(_SMALL))
        for n in range(draw(st.integers(0, 3)))
    ]
    sinks = [node("sink_preview", f"x{n}") for n in range(draw(st.integers(1, 2)))]
    ordered = [*sources, *texts, *generators, *audio, *sinks]
    edges: dict[tuple[str, str, str], JsonObject] = {}
    for place, target in enumerate(ordered):
        if target["type"] == "source_script":
            continue
        before = [each for each in ordered[:place] if _fits(each, target)]
        if not before:
            continue
        for source in draw(st.lists(st.sampled_from(before), min_size=1, max_size=2, unique_by=_id)):
            port = draw(st.sampled_from([each.name for each in CATALOG[source["type"]].outputs]))
            edges[source["id"], port, target["id"]] = edge(source["id"], target["id"], port)
    validators = [each for each in audio if CATALOG[each["type"]].category == "validation"]
    for validator in validators:
        if draw(st.booleans()):
            back = draw(st.sampled_from(generators))
            edges[validator["id"], FAIL, back["id"]] = edge(validator["id"], back["id"], FAIL)
    return graph(draw(st.permutations(ordered)), list(edges.values()))


_SMALL = st.integers(1, 3)
_LANGUAGES = st.lists(st.sampled_from(LOCALES), min_size=1, max_size=2, unique=True)
_TEXT_TYPES = ("operator_translator", "operator_normalizer", "operator_phoneme_injector")
_AUDIO_TYPES = ("validator_noise", "validator_error_rate", "operator_pronunciation_corrector")


def _id(each: JsonObject) -> str:
    name: str = each["id"]
    return name


def _fits(source: JsonObject, target: JsonObject) -> bool:
    given, needed = CATALOG[source["type"]].outputs, CATALOG[target["type"]].inputs
    return bool(given) and set(needed[0].fields) <= set(given[0].fields)


@pytest.mark.slow
@A_FIFTH
@given(definition=graphs())
def test_any_legal_graph_ends_as_the_rules_say(sqlite_app: Flask, definition: JsonObject) -> None:
    assert validate_definition(definition) == []
    assert Pipeline.of(definition).cycles(through_fail=False) == []
    bench = Bench()
    run = bench.start(make_workflow(make_workspace(uuid4().hex)), definition)
    run = bench.finish(run.id)
    assert (run.status, run.error) == (RunStatus.COMPLETED, None)
    assert told_by_the_database(run.id) == interpret(definition)
    assert run.finished_steps == run.total_steps == sum(interpret(definition).iterations.values())


@pytest.mark.slow
def test_the_smallest_workflow_delivers_its_line(app: Flask) -> None:
    bench = Bench()
    run = bench.start(make_workflow(make_workspace()), smallest())
    assert run.status == RunStatus.PENDING
    run = bench.finish(run.id)
    assert (run.status, run.output_line_count, run.delivered_audio_ms) == (RunStatus.COMPLETED, 1, 100)
    assert run.usage_summary is not None
    assert run.usage_summary["characters"] == 5
    assert told_by_the_database(run.id) == interpret(smallest())


@pytest.mark.slow
def test_a_line_comes_back_through_fail_until_its_retries_are_spent(app: Flask) -> None:
    definition = checked()
    definition["graph"]["nodes"][2]["config"] = {"max_retries": 2}
    definition["graph"]["nodes"][0]["config"] = {"text": "\n".join(f"line {n}" for n in range(8))}
    bench = Bench()
    run = bench.finish(bench.start(make_workflow(make_workspace()), definition).id)
    told = told_by_the_database(run.id)
    assert told == interpret(definition)
    assert told.iterations["validator_error_rate"] == 2
    assert len(told.delivered) == 8


@pytest.mark.slow
def test_a_take_that_was_delivered_is_not_dropped_where_another_branch_refuses_it(app: Flask) -> None:
    script, speak = (
        node("source_script", text="\n".join(f"line {n}" for n in range(6))),
        node("operator_generator"),
    )
    check = node("validator_noise", max_retries=1)
    early, late = node("sink_preview", "early"), node("sink_preview", "late")
    definition = graph(
        [script, speak, early, check, late],
        [
            edge("source_script", "operator_generator"),
            edge("operator_generator", "early"),
            edge("operator_generator", "validator_noise"),
            edge("validator_noise", "late", "pass"),
        ],
    )
    bench = Bench()
    run = bench.finish(bench.start(make_workflow(make_workspace()), definition).id)
    told = told_by_the_database(run.id)
    assert told == interpret(definition)
    assert len(told.delivered) == 6
