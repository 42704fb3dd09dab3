"""The settings of nodes by name: their keys in words."""

from portal.web.formats import humanize, sentence


def setting_name(key: str) -> str:
    """The key of a setting in words: `max_retries` is Max retries, `csv_column` CSV column."""
    return sentence(humanize(key))
