"""Controls go, what people write stays."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text import _FORBIDDEN, ASCII_BLOCKS, BLOCKS, _is_clean, bars, one_line, paragraphs, shorten, strip_controls


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x9b31mred", "31mred"),
        ("\x1b]52;c;aGk=\x07paste", "]52;c;aGk=paste"),
        ("right\u202eleft\u202c", "rightleft"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("soft\u00adhyphen", "softhyphen"),
        ("line\u2028separator", "line\nseparator"),
        ("tag\U000e0041\U000e0042s", "tags"),
        ("nul\x00led", "nulled"),
        ("mac\rlines\r\n", "mac\nlines\n"),
    ],
)
def test_control_characters_are_removed(dirty: str, clean: str) -> None:
    assert strip_controls(dirty) == clean


@pytest.mark.parametrize("text", ["👩\u200d🚀 lands", "👨🏽\u200d🌾", "می\u200cخواهم", "क्\u200dष", "tab\tstays\n", "żółć — «quote»"])
def test_what_people_write_stays(text: str) -> None:
    assert strip_controls(text) == text


@pytest.mark.parametrize("text", ["a\u200d", "\u200db", "a \u200d b", "\u200d\u200d", "1\u200d2"])
def test_joiners_without_two_neighbours_go(text: str) -> None:
    assert "\u200d" not in strip_controls(text)


@given(st.text())
def test_no_control_or_format_character_survives_but_joiners(text: str) -> None:
    for char in strip_controls(text):
        assert unicodedata.category(char) not in ("Cc", "Cs") or char in "\n\t"
        assert unicodedata.bidirectional(char) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    for clean in (strip_controls, one_line, paragraphs):
        assert clean(clean(text)) == clean(text)


@given(st.text(), st.integers(10, 80))
def test_shortened_text_fits(text: str, width: int) -> None:
    assert len(shorten(text, width)) <= width


def test_text_is_cut_at_a_word() -> None:
    assert shorten("the court paused the import ban on watches", 30) == "the court paused the import…"


def test_bars_stand_on_the_ground_for_nothing_alone_and_reach_the_top_for_the_most() -> None:
    assert bars([0, 1, 70]) == "▁▂█"
    assert bars([0, 1, 70], levels=ASCII_BLOCKS) == "_.#"
    assert bars([0, 1], least_top=7) == "▁▂"
    assert bars([]) == ""
    assert bars([0]) == BLOCKS[0]


def test_no_character_that_must_go_passes_for_clean() -> None:
    missed = [code for code in range(0x110000) if _FORBIDDEN.match(chr(code)) and _is_clean(f"żółw {chr(code)}")]
    assert missed == []
    assert not any(map(_is_clean, ("a\u200cb", "a\u200db")))
    assert all(map(_is_clean, ("plain", "żółw\n\xa0ślimak", "日本語", "👍")))
