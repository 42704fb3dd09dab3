"""Markup: what is allowed is kept, and everything else is text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.engine.media import markup

TAG = re.compile(r"<(?:/?)([a-z-]+)[^<>]*>")


@pytest.mark.parametrize(
    "kept",
    [
        '<phoneme alphabet="ipa" ph="təˈmɑːtoʊ">tomato</phoneme>',
        '<sub alias="see">C</sub>',
        'a<break time="300ms"/>b<break strength="weak"/>',
        '<emphasis level="strong">very</emphasis>',
        '<prosody rate="slow" pitch="+10%" volume="-6dB">slow <emphasis>down</emphasis></prosody>',
        '<say-as interpret-as="characters">abc</say-as>',
        "5 &lt; 6 &amp; 7",
    ],
)
def test_what_is_allowed_stays_as_it_is(kept: str) -> None:
    assert markup.rebuilt(kept) == kept


@pytest.mark.parametrize(
    ("written", "rebuilt", "read"),
    [
        (
            'a <audio src="/etc/passwd"/>',
            'a &lt;audio src="/etc/passwd"/&gt;',
            'a <audio src="/etc/passwd"/>',
        ),
        ("<AUDIO SRC='x'>", "&lt;AUDIO SRC='x'&gt;", "<AUDIO SRC='x'>"),
        ("<speak>hi <b>you</b></speak>", "hi &lt;b&gt;you&lt;/b&gt;", "hi <b>you</b>"),
        ("<!-- a --><?xml?><![CDATA[<audio>]]>", None, "<!-- a --><?xml?><![CDATA[<audio>]]>"),
        ('<emphasis onload="x" level="huge">a</emphasis>', "<emphasis>a</emphasis>", "a"),
        ("<break time='9999999s'/>a", "<break/>a", "a"),
        ('<phoneme ph="x">a</phoneme>', None, '<phoneme ph="x">a</phoneme>'),
        ('<phoneme alphabet="ipa" ph="&lt;b&gt;">a</phoneme>', None, None),
        ("<emphasis>a<prosody>b</emphasis>c", "<emphasis>a<prosody>b</prosody></emphasis>c", "abc"),
        ("a</emphasis>", "a&lt;/emphasis&gt;", "a</emphasis>"),
        ("<emphasis>a", "<emphasis>a</emphasis>", "a"),
        (
            "&lt;audio src='x'/&gt; &#60; &#x3c; &#0; &copy &nbsp;",
            None,
            "<audio src='x'/> < < &#0; &copy &nbsp;",
        ),
        ("&amp;lt;", "&amp;lt;", "&lt;"),
    ],
)
def test_what_is_not_allowed_becomes_text(written: str, rebuilt: str | None, read: str | None) -> None:
    if rebuilt is not None:
        assert markup.rebuilt(written) == rebuilt
    if read is not None:
        assert markup.plain_text(written) == read
    assert set(TAG.findall(markup.rebuilt(written))) <= markup.ELEMENTS.keys()


def test_a_voice_without_markup_says_the_spelling_of_a_word() -> None:
    written = 'Say <sub alias="two mah toe"><phoneme alphabet="ipa" ph="x">tomato</phoneme></sub> &amp; go'
    assert markup.plain_text(written) == "Say tomato & go"
    assert markup.spoken_text(written) == "Say two mah toe & go"


@pytest.mark.slow
def test_elements_nest_only_so_deep() -> None:
    written = "<emphasis>" * 10_000 + "a" + "</emphasis>" * 10_000
    assert markup.rebuilt(written).count("<emphasis>") == markup.MAX_DEPTH
    assert "a" in markup.plain_text(written)


PIECES = st.sampled_from(
    """
    < > / & ; " ' = a lt #60 audio src emphasis level strong
    <break/> <sub_alias="b"> </sub> <speak> <emphasis> </emphasis> <audio_src='x'/>
    """.split()
).map(lambda piece: piece.replace("_", " ")) | st.just(" ")


@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_whatever_is_written_only_allowed_tags_remain(written: str) -> None:
    rebuilt = markup.rebuilt(written)
    without_tags = TAG.sub("", rebuilt)
    assert set(TAG.findall(rebuilt)) <= markup.ELEMENTS.keys()
    assert not {"<", ">"} & set(without_tags)
    assert markup.rebuilt(rebuilt) == rebuilt
    assert markup.plain_text(rebuilt) == markup.plain_text(written)
