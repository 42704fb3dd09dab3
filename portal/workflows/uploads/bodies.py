"""The bodies of requests about uploads."""

from typing import Annotated

from pydantic import ValidationInfo, field_validator

from portal.database.models import UploadCategory
from portal.input.bodies import Body, Matching, OneOf, refused
from portal.input.parameters import UUID_PATTERN
from portal.workflows.uploads.formats import FILENAME_PATTERN, FORMATS, clean_name, extension_of

MAX_FILENAME = 255
CONTEXTS = ("workflow", "playground", "assistant_session")


class UploadSpec(Body):
    """A file that is about to be sent."""

    category: Annotated[str, OneOf(tuple(UploadCategory))]
    filename: Annotated[
        str,
        Matching(
            FILENAME_PATTERN,
            MAX_FILENAME,
            f"must be a file name of 1 to {MAX_FILENAME} characters that ends in one of "
            f"{', '.join(f'.{each}' for formats in FORMATS.values() for each in formats)}.",
        ),
    ]

    @field_validator("filename")
    @classmethod
    def fits_category(cls, filename: str, values: ValidationInfo) -> str:
        """The cleaned name, if its extension is one of the category."""
        name, category = clean_name(filename), values.data.get("category")
        if category is not None and extension_of(name) not in FORMATS[category]:
            allowed = ", ".join(f".{each}" for each in FORMATS[category])
            raise refused(f"must end in one of {allowed} for the category {category}.")
        return name

    @property
    def format(self) -> str:
        return extension_of(self.filename)


class Confirmation(Body):
    """What an upload is for."""

    context_type: Annotated[str, OneOf(CONTEXTS)]
    context_id: Annotated[
        str, Matching(UUID_PATTERN, 36, "must be a UUID such as 123e4567-e89b-12d3-a456-426614174000.")
    ]
