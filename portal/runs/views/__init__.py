"""Saved views: a name for a list of runs, one's own or the team's."""
