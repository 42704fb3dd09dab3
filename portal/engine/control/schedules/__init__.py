"""Schedules: workflows that run by themselves at the moments of a cron expression."""
