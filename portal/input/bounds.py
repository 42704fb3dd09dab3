"""How large values may be, whichever way they come in: each bound stands here and nowhere else."""

MAX_NUMBER = 2**53 - 1
"""Whole numbers up to here mean the same to every reader of JSON."""
MAX_BIGINT = 2**63 - 1
"""The largest whole number of a database column."""
MAX_EMAIL = 254
MAX_FIRST_OR_LAST_NAME = 100
MAX_PERSON_NAME = 200
MAX_PERSON_ID = 200
MAX_WORKFLOW_NAME = 200
MAX_DESCRIPTION = 5000
