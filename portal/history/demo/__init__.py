"""The sample workspace of `flask demo`: its history and the simulation of live runs."""
