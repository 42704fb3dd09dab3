"""Script Input: a text or uploaded files become items, one for each line with something in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from portal.definitions.catalog import CATALOG, NodeType
from portal.definitions.locales import script_locale
from portal.engine.contract import Ability, Context, Item, Json, Refused, Script, StepInput, StepOutput, Usage
from portal.engine.environment import Environment
from portal.engine.media import markup
from portal.engine.media.children import ChildFailed, Children, Limits, TooSlow
from portal.engine.media.children.pdf_text import read_pages
from portal.input.text import storable

MAX_LINES = 50_000
PDF_PAGES, PDF_CHARACTERS = 1_000, 2_000_000
PDF_LIMITS = Limits(seconds=120, memory_bytes=1024**3)


@dataclass(frozen=True)
class Line:
    text: str
    markup: str | None = None


class SourceScript:
    node_type: NodeType = CATALOG["source_script"]

    def ability(self, environment: Environment) -> Ability:
        return Ability()

    def run(self, step: StepInput, context: Context) -> StepOutput:
        children = Children(context)
        lines: list[Line] = []
        for text in _texts(step, context, children):
            lines += lines_of(text, step.setting("input_mode"))
            if len(lines) > MAX_LINES:
                raise Refused(f"The script has more than {MAX_LINES:,} lines: split it into several.")
        locale = locale_of(step.config)
        items = [
            Item(source=step.node_id, line=number, locale=locale, text=line.text, markup=line.markup)
            for number, line in enumerate(lines)
        ]
        characters = sum(len(item.text) for item in items)
        return StepOutput(
            items=items,
            result={"lines": len(items), "characters": characters, "locale": locale},
            usage=Usage(processor_seconds=children.processor_seconds),
        )


def locale_of(config: Json) -> str:
    """The locale of a node's items."""
    return script_locale(SourceScript.node_type.value(config, "source_language"))


def lines_of(text: str, input_mode: str) -> list[Line]:
    """The lines that say something, counted as an upload's lines are counted."""
    stripped = (line.strip() for line in storable(text).splitlines())
    if input_mode == "plain":
        return [Line(line) for line in stripped if line]
    return [line for each in stripped if (line := _marked(each)).text]


def _marked(written: str) -> Line:
    parts = markup.parse(written)
    text = " ".join(markup.plain_text(written).split())
    return Line(text, markup.write(parts) if markup.has_elements(parts) else None)


def _texts(step: StepInput, context: Context, children: Children) -> Iterator[str]:
    match step.setting("input_type"):
        case "text":
            yield step.setting("text") or ""
        case "file":
            for script in context.scripts(step.setting("upload_ids")):
                context.check()
                yield _text_of(script, children)


def _text_of(script: Script, children: Children) -> str:
    if script.format == "pdf":
        return _text_of_pdf(script, children)
    try:
        return script.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{script.filename} is not text in UTF-8.") from None


def _text_of_pdf(script: Script, children: Children) -> str:
    with children.folder() as folder:
        path = folder / "script.pdf"
        path.write_bytes(script.content)
        limits = (PDF_PAGES, PDF_CHARACTERS)
        try:
            pages = list(children.stream(read_pages, str(path), *limits, folder=folder, limits=PDF_LIMITS))
        except TooSlow:
            raise Refused(f"{script.filename} took too long to read.") from None
        except ChildFailed:
            raise Refused(f"{script.filename} cannot be read: save it as a text file.") from None
    return _joined(script.filename, pages)


def _joined(filename: str, pages: Sequence[Mapping[str, str]]) -> str:
    if pages and "refusal" in pages[-1]:
        raise Refused(f"{filename} {pages[-1]['refusal']}")
    text = "\n".join(page["text"] for page in pages)
    if not text.strip():
        raise Refused(f"{filename} has no text: its pages may be pictures.")
    return text
