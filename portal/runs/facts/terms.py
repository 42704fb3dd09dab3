"""What a run is found by exactly: its branch, its labels, and the nodes at which it failed.

Labels and nodes may be many and of any length, so each is a term: a digest, which both databases index alike.
"""

import json
from collections.abc import Iterable
from hashlib import blake2b

from portal.runs.facts.facts import Given, labels_in

MAX_BRANCH = 500
"""Characters of a branch; what an earlier release stored may be longer, and is not found."""
MOST_LABELS = 100
"""The number of labels that a run is found by: its first ones."""


def branch_of(source: object) -> str | None:
    """The branch that history names."""
    branch = Given(Given(source).object("ref")).text("branch")
    return branch if branch and len(branch) <= MAX_BRANCH else None


def labels_of(source: object) -> list[tuple[str, str]]:
    """The labels by which a run is found, values as text: true, false and numbers as in JSON."""
    given = labels_in(Given(source).object("labels") or {})
    texts = ((key, each if isinstance(each, str) else json.dumps(each)) for key, each in given.items())
    return list(texts)[:MOST_LABELS]


def label_terms(source: object) -> set[bytes]:
    return {label_term(f"{key}={value}") for key, value in labels_of(source)}


def label_term(label: str) -> bytes:
    """The term of a label, written key=value."""
    return _term("label", label)


def step_terms(names: Iterable[str | None]) -> set[bytes]:
    return {step_term(name) for name in names if name}


def step_term(name: str) -> bytes:
    """The term of a failed step, by the id of its node or by its name."""
    return _term("step", name)


def _term(kind: str, text: str) -> bytes:
    said = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
    return blake2b(said, digest_size=16).digest()
