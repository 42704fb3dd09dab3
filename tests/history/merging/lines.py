"""Lines about the same few runs, as different ways in would bring them, in any order."""

from typing import Any

from hypothesis import strategies as st

from tests.history.lines import an_id, run_line

MINUTES = [f"2026-03-01T12:{minute:02}:00Z" for minute in range(4)]
ENDS = ("completed", "failed", "cancelled")

moments = st.sampled_from(MINUTES)
maybe = st.one_of(st.none(), moments)


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    step: dict[str, Any] = {
        "node_id": draw(st.sampled_from("ab")),
        "status": draw(st.sampled_from(["running", *ENDS])),
    }
    optional = {
        "iteration": st.sampled_from([1, 2]),
        "map_index": st.sampled_from([0, 1]),
        "started_at": maybe,
        "completed_at": maybe,
        "error": st.sampled_from([None, "boom", "bang"]),
        "exit_code": st.sampled_from([None, 1]),
        "result": st.sampled_from([None, {"a": 1}, {"a": 2}, "text"]),
    }
    for name in draw(st.sets(st.sampled_from(sorted(optional)))):
        step[name] = draw(optional[name])
    return step


@st.composite
def lines(draw: st.DrawFn, replacing: bool = True) -> dict[str, Any]:
    """A line of a run or of one step; each of a few runs is named in one way."""
    which = draw(st.sampled_from(["by id", "in its source"]))
    named: dict[str, Any] = {"source": "ci", "external_id": "7", "attempt": draw(st.sampled_from([1, 2]))}
    if which == "by id":
        named = {"id": an_id("merged"), "attempt": draw(st.sampled_from([1, 1, 2]))}
    named["at"] = draw(moments)
    if replacing and draw(st.integers(0, 9)) == 0:
        named["replace"] = True
    if draw(st.booleans()) and draw(st.booleans()):
        if which == "by id":
            named["run_id"] = named.pop("id")
        bare = {key: value for key, value in run_line().items() if key == "workflow_id"}
        return bare | named | {"type": "step"} | draw(steps())
    line = {key: value for key, value in run_line().items() if key in ("type", "workflow_id")} | named
    line["status"] = draw(st.sampled_from(["pending", "running", "paused", *ENDS]))
    optional = {
        "created_at": moments,
        "started_at": maybe,
        "completed_at": maybe,
        "updated_at": moments,
        "error": st.sampled_from([None, "boom", "bang"]),
        "title": st.sampled_from([None, "A", "B", "C"]),
        "labels": st.sampled_from([None, {"branch": "main"}, {"branch": "dev"}]),
        "unknown": st.sampled_from([None, 1, True, 1.0, "x"]),
        "outcome": st.sampled_from([None, "timed_out", "aborted"]),
        "usage_summary": st.sampled_from([None, {"cpu": 1}]),
        "total_steps": st.sampled_from([None, 5]),
        "credits": st.sampled_from([None, 0, 3]),
        "token_cost": st.sampled_from([None, 7]),
        "triggered_by": st.sampled_from([None, {"id": "ada"}, {"id": "bob", "more": 1}]),
        "definition_snapshot": st.sampled_from([None, {"graph": {}}]),
        "output_lines": st.sampled_from([None, [], [{"script": "hi"}], [{"script": "ho", "takes": [{}]}]]),
        "steps": st.lists(steps(), max_size=3),
    }
    for name in draw(st.sets(st.sampled_from(sorted(optional)))):
        line[name] = draw(optional[name])
    return line
