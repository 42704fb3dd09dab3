"""How many examples Hypothesis tries, for tests whose examples each take a while."""

from hypothesis import settings

A_FIFTH = settings(max_examples=max(settings().max_examples // 5, 10))
"""For tests that write to a database again and again: a fifth of PORTAL_TEST_EXAMPLES."""

FEW = settings(max_examples=max(settings().max_examples // 20, 10))
"""For tests that ask for a page many times an example."""
