"""The fields of lines: those that are known, which ones a line names, and whom."""
