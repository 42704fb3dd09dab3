"""Script Input: which items texts and uploads become."""

from pathlib import Path
from typing import Any

import pytest

from portal.engine.contract import Cancelled, Item, Refused, Script, StepOutput
from portal.engine.handlers.source_script import SourceScript
from portal.workflows.uploads.formats import examine
from tests.engine.pdf_files import pdf
from tests.engine.step_context import StepContext, step


def script(content: bytes, filename: str = "script.txt", upload_id: str = "u1") -> Script:
    return Script(upload_id=upload_id, filename=filename, format=filename.rpartition(".")[2], content=content)


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    return StepContext(tmp_path)


def read(context: StepContext, **config: Any) -> StepOutput:
    return SourceScript().run(step("source_script", **config), context)


def test_each_line_with_something_in_it_is_an_item(context: StepContext) -> None:
    out = read(context, text="  One. \r\n\n\t\nTwo & <b>three</b>.\u2028Four.", source_language="EN_gb")
    assert out.items == [
        Item(source="node", line=0, locale="en-gb", text="One."),
        Item(source="node", line=1, locale="en-gb", text="Two & <b>three</b>."),
        Item(source="node", line=2, locale="en-gb", text="Four."),
    ]
    assert out.result == {"lines": 3, "characters": 28, "locale": "en-gb"}


@pytest.mark.parametrize(
    ("language", "locale"), [(None, "en-us"), ("", "en-us"), ("pt", "pt-br"), ("DE", "de-de")]
)
def test_the_locale_is_that_of_the_language(context: StepContext, language: str | None, locale: str) -> None:
    [item] = read(context, text="x", source_language=language).items
    assert item.locale == locale


@pytest.mark.parametrize("text", ["a\n\n b \x0bc\x1cd\x85e", "\ufeff a\r\rb", "", "x\u3000\n\u3000"])
def test_lines_are_counted_as_those_of_a_confirmed_upload(context: StepContext, text: str) -> None:
    content = text.encode()
    context.uploads = [script(content)]
    items = read(context, input_type="file").items
    facts = examine("txt", content)
    assert (len(items), sum(len(item.text) for item in items)) == (facts.line_count, facts.char_count)


def test_named_uploads_are_read_in_their_order_and_else_the_newest(context: StepContext) -> None:
    context.uploads = [script(b"\xef\xbb\xbfold", upload_id="u1"), script(b"new\n", upload_id="u2")]
    named = read(context, input_type="file", upload_ids=["u2", "u1"])
    assert [item.text for item in named.items] == ["new", "old"]
    assert [item.text for item in read(context, input_type="file").items] == ["new"]


def test_media_have_no_text(context: StepContext) -> None:
    assert read(context, input_type="media", text="x", upload_ids=["u1"]).items == []


def test_what_no_database_stores_is_left_out(context: StepContext) -> None:
    context.uploads = [script(b"a\x00b\n\x00\n")]
    assert [item.text for item in read(context, input_type="file").items] == ["ab"]


def test_markup_is_kept_beside_what_people_read(context: StepContext) -> None:
    text = 'Plain &amp; simple\n<emphasis>Very</emphasis> <audio src="/x"/> good\n<break/>'
    assert [(item.text, item.markup) for item in read(context, text=text, input_mode="markup").items] == [
        ("Plain & simple", None),
        (
            'Very <audio src="/x"/> good',
            '<emphasis>Very</emphasis> &lt;audio src="/x"/&gt; good',
        ),
    ]


def test_too_many_lines_are_refused(context: StepContext) -> None:
    with pytest.raises(Refused, match=r"more than 50,000 lines"):
        read(context, text="a\n" * 50_001)


@pytest.mark.slow
def test_a_pdf_is_read_page_by_page(context: StepContext) -> None:
    context.uploads = [script(pdf([["Hello there.", "How are you?"], [], ["Good bye."]]), "s.pdf")]
    out = read(context, input_type="file")
    assert [item.text for item in out.items] == ["Hello there.", "How are you?", "Good bye."]
    assert out.usage.processor_seconds > 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pdf([[], []]), r"^s\.pdf has no text: its pages may be pictures\.$"),
        (
            pdf([["x"]])[:200],
            r"^s\.pdf (is damaged, or no PDF file|has no text: its pages may be pictures)\.$",
        ),
        (b"%PDF-1.4 nothing", r"^s\.pdf is damaged, or no PDF file\.$"),
        (pdf([[]] * 1001), r"^s\.pdf has more than 1,000 pages\.$"),
    ],
)
@pytest.mark.slow
def test_a_pdf_that_gives_no_text_is_refused_in_words(
    context: StepContext, content: bytes, said: str
) -> None:
    context.uploads = [script(content, "s.pdf")]
    with pytest.raises(Refused, match=said):
        read(context, input_type="file")


def test_text_that_is_not_utf_8_is_refused(context: StepContext) -> None:
    context.uploads = [script(b"\xff\xfea")]
    with pytest.raises(Refused, match=r"script\.txt is not text in UTF-8\."):
        read(context, input_type="file")


def test_a_cancelled_step_reads_no_file(context: StepContext) -> None:
    context.uploads = [script(pdf([["x"]]), "s.pdf")]
    context.is_cancelled = lambda: True
    with pytest.raises(Cancelled):
        read(context, input_type="file")
