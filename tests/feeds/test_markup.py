"""Markup of strangers as text and as safe HTML."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.markup import DEEPEST, html_text, plain_to_html, safe_html, text_and_html, title_text


@pytest.mark.parametrize(
    ("title", "is_html", "clean"),
    [
        ("AT&amp;T &lt;buys&gt; it", True, "AT&T <buys> it"),
        ("AT&amp;amp;T", True, "AT&T"),
        ("<b>Bold</b> claim", True, "Bold claim"),
        ("&lt;b&gt;Bold&lt;/b&gt; claim", True, "Bold claim"),
        ("List<String> in Java", True, "List<String> in Java"),
        ('safe<link rel="x" href="http://example.com/evil.css"> <blink>news</blink>', True, "safe news"),
        ('<html><head><meta charset="x"></head><body>safe<frameset rows="*"><frame></frameset> news</body></html>', True, "safe news"),
        ("3 < 5 and 7 > 6", True, "3 < 5 and 7 > 6"),
        ("Why <script> is bad", False, "Why <script> is bad"),
        ("Don&#8217;t", False, "Don’t"),
        ("evil<script>alert(1)</script> news", True, "evil news"),
        ("a\x1b]8;;http://x\x07b\u202ec\n  d", True, "a]8;;http://xbc d"),
        ("", True, ""),
    ],
)
def test_a_title_is_one_clean_line(title: str, is_html: bool, clean: str) -> None:
    assert title_text(title, is_html) == clean


def test_text_keeps_paragraphs_and_drops_what_is_not_for_reading() -> None:
    markup = (
        "<p>One\nline.</p><p>Two<br>lines &amp;amp; more.</p><script>x()</script><ul><li>a</li><li>b</li></ul>"
        "<figcaption>Photo: me</figcaption>"
    )
    assert html_text(markup) == "One line.\n\nTwo\nlines & more.\n\na\n\nb"


def test_html_is_reduced_to_an_allow_list_with_absolute_links() -> None:
    markup = (
        '<p onclick="x()" style="color:red">Hi <a href="/a" target="_blank">there</a> <a href="javascript:x()">no</a>'
        '<a href="mailto:a@example.org">mail</a><img src="i.png" onerror="x()"><img src="data:image/png;base64,AA"><img src="mailto:x@y.z">'
        "<iframe src=https://e.org></iframe><form action=x><input></form><svg><a xlink:href='javascript:x()'>s</a></svg></p>"
    )
    assert safe_html(markup, "https://example.org/dir/page") == (
        '<p>Hi <a href="https://example.org/a" rel="noopener nofollow">there</a> <a rel="noopener nofollow">no</a>'
        '<a href="mailto:a@example.org" rel="noopener nofollow">mail</a><img src="https://example.org/dir/i.png"><img><img></p><p></p>'
    )


def test_plain_text_becomes_markup_that_reads_back_the_same() -> None:
    text = "Fish & <chips>\n\nSecond"
    assert html_text(plain_to_html(text)) == text


@pytest.mark.parametrize("piece", ["<div>", "<b></a>", "<a><b>", "<select><b>", "<a><div>"])
def test_absurdly_deep_markup_is_read_as_text(piece: str) -> None:
    # the sanitiser would need seconds for these (its time grows with the square of the depth); DEEPEST elements it may see
    bomb = piece * 10_000 + "end"
    assert safe_html(bomb, None) == "end"
    assert html_text(bomb) == "end"
    assert "<div>" in safe_html("<div>" * (DEEPEST - 1) + "end", None)


_PIECES = [
    "<b>",
    "</b>",
    "<script>",
    "<a href='javascript:x'>",
    "<p",
    ">",
    "&lt;",
    "&#0;",
    "&#x202e;",
    "&amp;#27;",
    "<!--",
    "\x1b",
    '"',
    "ż",
    "\u200f",
]
_MARKUP = st.lists(st.sampled_from(_PIECES) | st.text(max_size=8))


@given(_MARKUP)
def test_no_control_character_and_no_script_survives(parts: list[str]) -> None:
    markup = "".join(parts)
    for clean in (title_text(markup, True), title_text(markup, False), html_text(markup), safe_html(markup, "https://e.org/")):
        assert not [char for char in clean if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"]
        assert "\u202e" not in clean
    assert not re.search(r"<script|href=\"javascript", safe_html(markup, None))


@pytest.mark.parametrize("markup", [
    "no markup > at all",
    "  two\n\n\n lines \t of text ",
    "references &amp; more &amp;nbsp; here",
    "<p>One</p>\n<p>two<br>three <a href='/x' title='a > b'>link</a></p>",
    "<ul><li>one<li>two</ul> <h2>head</h2>after<hr>rest",
    "<p lang='en'>of a language</p><p title='<p>'>and titled</p>then",
    "<ol start='<td title='>x<li>y</ol>",
    "<img alt='a < b' src='https://news.example/i.png'>text",
    "<section>one</section><header>two</header>three",
    "<figure><img src='https://news.example/i.png'><figcaption>caption</figcaption></figure>text",
    "<script>x < y</script>text<style>p{}</style>",
    "one<p>\r\ntwo\r\n</p>three",
    "<pre>\n  as it   stands\n</pre>",
    "half \ud83d <b>a pair</b>",
    "<div>" * 300 + "deep",
    "<p>long</p>" * 3_000,
])  # fmt: skip
def test_text_and_html_at_once_are_those_that_come_apart(markup: str) -> None:
    base = "https://news.example/a/"
    assert text_and_html(markup, base, 20_000) == (html_text(markup[:20_000]), safe_html(markup, base))
