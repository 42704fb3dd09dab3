"""A definition that somebody pasted or uploaded as JSON, and errors in it by line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from werkzeug.datastructures import FileStorage

from portal.errors import FieldError, InvalidQuery
from portal.input.bodies import strict_json
from portal.input.json_lines import line_near, lines_of

FIELD = "definition"
_EXCERPT = 80


@dataclass(frozen=True)
class LineError:
    """An error in the text, and the line that it is about."""

    message: str
    line: int | None = None
    """From 1; None where something is missing altogether."""
    excerpt: str = ""
    """The beginning of that line."""


@dataclass(frozen=True)
class Pasted:
    """The text of a definition; empty if none was given."""

    text: str

    @classmethod
    def of(cls, text: str, file: FileStorage | None) -> "Pasted":
        """What was uploaded, else what was pasted. Raises InvalidQuery for a file that is no text."""
        if file is None or not file.filename:
            return cls(text.strip("\ufeff \t\r\n"))
        try:
            return cls(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise InvalidQuery([FieldError(FIELD, "must be a text file in UTF-8.")]) from None

    def value(self) -> object:
        """What the text says. Raises InvalidQuery if it is not JSON."""
        try:
            return strict_json(self.text)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise InvalidQuery([FieldError(FIELD, f"is not JSON: {error.msg} ({where}).")]) from None
        except (ValueError, RecursionError):
            raise InvalidQuery([FieldError(FIELD, "is not JSON that can be read.")]) from None

    def errors_by_line(self, errors: Sequence[FieldError]) -> list[LineError]:
        """The errors of the definition, each at the line of its path or of the nearest that is there."""
        about = [error for error in errors if error.field.split(".")[0] == FIELD]
        if not self.text or not about:
            return []
        try:
            lines = lines_of(self.text)
        except (ValueError, IndexError):
            lines = {}
        return [self._at_line(error, lines) for error in about]

    def _at_line(self, error: FieldError, lines: Mapping[str, int]) -> LineError:
        path, words = _path(error), error_in_words(error)
        if not path or not lines:
            return LineError(words)
        line = line_near(lines, path)
        return LineError(words, line, self.text.split("\n")[line - 1].strip()[:_EXCERPT])


def error_in_words(error: FieldError) -> str:
    """An error of a definition as a sentence that says where it is."""
    return error.message if error.rule else f"{_path(error) or 'The text'} {error.message}"


def _path(error: FieldError) -> str:
    return error.field.removeprefix(FIELD).removeprefix(".")
