"""The last attempt at a node is that of the highest iteration, then the one recorded last."""

from types import SimpleNamespace

from portal.runs.detail.attempts import last_attempts


def attempt(node_id: str, iteration: int, position: int) -> SimpleNamespace:
    return SimpleNamespace(node_id=node_id, iteration=iteration, position=position)


def test_the_last_attempt_is_by_iteration_then_position_and_nodes_keep_their_order() -> None:
    steps = [attempt("b", 2, 0), attempt("a", 1, 1), attempt("b", 1, 2), attempt("a", 1, 3)]
    last = last_attempts(steps)
    assert [(node_id, step.position) for node_id, step in last.items()] == [("b", 0), ("a", 3)]
