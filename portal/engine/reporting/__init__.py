"""How the engine fares, for people and for metrics."""
