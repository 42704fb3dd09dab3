"""Figures over many runs: summary, activity, trends and usual durations."""
