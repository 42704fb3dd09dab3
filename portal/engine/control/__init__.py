"""What people and schedules do with runs: start, cancel, pause, resume."""
