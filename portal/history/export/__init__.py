"""Lists of runs as files: CSV for spreadsheets, and the lines of history that an import reads."""
