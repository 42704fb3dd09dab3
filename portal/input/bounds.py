"""Maximum sizes of values, the same for every way in."""

MAX_NUMBER = 2**53 - 1
"""The largest integer that every JSON parser reads exactly."""
MAX_BIGINT = 2**63 - 1
"""The largest value of a BIGINT column."""
MAX_EMAIL = 254
MAX_FIRST_OR_LAST_NAME = 100
MAX_PERSON_NAME = 200
MAX_PERSON_ID = 200
MAX_WORKFLOW_NAME = 200
MAX_DESCRIPTION = 5000
