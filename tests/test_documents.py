"""The documents: every path and link that they name exists, decisions and glossary stay short."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs" / "decisions"
DOCUMENTS = [
    path
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
    if path.exists()
]

NAMED_PATH = re.compile(r"(?<![\w./-])(?:portal|tests|scripts|docs|static|templates)/[\w./-]*[\w/]")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
DECISION_FIELDS = ["Question", "Answer", "Why", "Price", "Date", "Where"]


def decisions() -> list[Path]:
    return sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")


def test_every_path_that_a_document_names_exists() -> None:
    named = {
        (path, document.name) for document in DOCUMENTS for path in NAMED_PATH.findall(document.read_text())
    }
    assert [(p, name) for p, name in sorted(named) if not (ROOT / p).exists()] == []


def test_every_relative_link_leads_to_a_file() -> None:
    links = [(document, link) for document in DOCUMENTS for link in LINK.findall(document.read_text())]
    assert links
    assert [
        (str(document), link)
        for document, link in links
        if "://" not in link and not (document.parent / link).exists()
    ] == []


def test_every_decision_is_short_and_has_all_its_fields() -> None:
    assert decisions()
    for decision in decisions():
        text = decision.read_text()
        assert len(text.splitlines()) <= 20, decision.name
        assert max(len(line) for line in text.splitlines()) <= 120, decision.name
        assert re.findall(r"^- \*\*(\w+):\*\*", text, re.MULTILINE) == DECISION_FIELDS, decision.name


def test_decisions_are_numbered_in_order_under_their_titles() -> None:
    for number, decision in enumerate(decisions(), start=1):
        assert decision.name.startswith(f"{number:03}-"), decision.name
        assert decision.read_text().startswith(f"# {number:03}. "), decision.name


def test_every_decision_stands_in_the_index_under_its_title() -> None:
    index = re.findall(r"^- \[(\d{3})\]\(([\w-]+\.md)\) (.+)$", (DECISIONS / "README.md").read_text(), re.M)
    titles = {path.name: path.read_text().splitlines()[0].removeprefix("# ") for path in decisions()}
    assert {name: f"{number}. {title}" for number, name, title in index} == titles
    assert len(index) == len(titles)


def test_the_glossary_stays_short() -> None:
    assert len((ROOT / "docs" / "glossary.md").read_text().splitlines()) <= 25
