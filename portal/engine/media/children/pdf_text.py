"""The text of a PDF file, read in a child process: such files are made by strangers."""

from collections.abc import Iterator

import pypdf
from pypdf.errors import PyPdfError


def read_pages(path: str, max_pages: int, max_characters: int) -> Iterator[dict[str, str]]:
    """Yield the `text` of each page in turn, or the `refusal`, the end of a sentence, that ends it."""
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            yield {"refusal": "is locked with a password."}
            return
        characters = 0
        for number, page in enumerate(reader.pages):
            if number == max_pages:
                yield {"refusal": f"has more than {max_pages:,} pages."}
                return
            text = page.extract_text()
            characters += len(text)
            if characters > max_characters:
                yield {"refusal": f"has more than {max_characters:,} characters."}
                return
            yield {"text": text}
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        yield {"refusal": "is damaged, or no PDF file."}
