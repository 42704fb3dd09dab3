"""What workflows may be called and described as: one policy for every way in (contract part 2, 6.1)."""

import re
from dataclasses import dataclass

from pydantic_core import CoreSchema, core_schema

from portal.input.bodies import Rule, refused
from portal.input.bounds import MAX_DESCRIPTION, MAX_WORKFLOW_NAME
from portal.input.parameters import Refused
from portal.input.text import is_storable

_BIDIRECTIONAL = r"\u2028-\u202e\u2066-\u2069"
"""Line and paragraph separators, and what reverses the text around it."""
_NO_NAME = rf"\x00-\x1f\x7f-\x9f{_BIDIRECTIONAL}"
_NO_DESCRIPTION = rf"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDIRECTIONAL}"

NAME_PATTERN = rf"^[^{_NO_NAME}]*[^\s{_NO_NAME}][^{_NO_NAME}]*$"
DESCRIPTION_PATTERN = rf"^[^{_NO_DESCRIPTION}]*$"
_NAME_ALLOWED = f"must be 1 to {MAX_WORKFLOW_NAME} characters, not only blanks, without control characters."

COPY_SUFFIX = " (Copy)"
UNTITLED = "Untitled workflow"


def workflow_name(text: str) -> str:
    """The name, trimmed. Raises Refused."""
    name = text.strip()
    if not is_storable(text) or not re.fullmatch(NAME_PATTERN, text) or len(name) > MAX_WORKFLOW_NAME:
        raise Refused(_NAME_ALLOWED)
    return name


def copied_name(name: str) -> str:
    """The name of a copy."""
    return name[: MAX_WORKFLOW_NAME - len(COPY_SUFFIX)] + COPY_SUFFIX


@dataclass(frozen=True)
class Name(Rule):
    """The name of a workflow, trimmed."""

    allowed = _NAME_ALLOWED

    def schema(self) -> CoreSchema:
        text = core_schema.str_schema(
            strict=True, min_length=1, max_length=MAX_WORKFLOW_NAME, pattern=NAME_PATTERN
        )
        return core_schema.no_info_before_validator_function(_read_name, text)


def _read_name(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return workflow_name(value)
    except Refused as refusal:
        raise refused(str(refusal)) from None


@dataclass(frozen=True)
class Description(Rule):
    """The description of a workflow, kept as it is sent."""

    allowed = f"must be text of at most {MAX_DESCRIPTION:,} characters, without control characters."

    def schema(self) -> CoreSchema:
        pattern = DESCRIPTION_PATTERN
        return core_schema.str_schema(strict=True, max_length=MAX_DESCRIPTION, pattern=pattern)
