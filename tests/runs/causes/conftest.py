"""The workspace to import into, and the function that imports, as for tests of history."""

from tests.history.conftest import Import, load, workspace

__all__ = ["Import", "load", "workspace"]
