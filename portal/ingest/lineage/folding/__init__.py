"""Folds events of OpenLineage into runs with their steps. Pure: no database, and in any order."""
