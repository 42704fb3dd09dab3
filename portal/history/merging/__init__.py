"""Merges what several lines say of one run, so that neither their order nor repetition matters.

What is said of a run is a state. Two states merge into one by rules that are commutative, associative
and idempotent: a join-semilattice, as of state-based CRDTs. A run that one line has told of is stored as its
row alone, with its moment and the fields that the line names; only where lines of several moments met, a map
of moments stands beside it.
"""
