"""What a workspace used: totals over days, weeks and months, by language, and what happened in it."""
