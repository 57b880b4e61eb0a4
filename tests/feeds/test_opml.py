"""OPML: real files, broken files, hostile files, and the way back."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.opml import OpmlFeed, _decode, _Notes, _read_strictly, _Reader, read_opml, write_opml
from aggregator.model import Feed
from aggregator.text import one_line
from tests.shared import shared_path

A, B = "https://a.example/rss", "https://b.example/feed?x=1&y=2"


def opml(body: str, head: str = '<?xml version="1.0"?>') -> bytes:
    return f'{head}\n<opml version="2.0"><body>\n{body}\n</body></opml>'.encode()


def urls(data: bytes) -> list[str]:
    return [feed.url for feed in read_opml(data).feeds]


# --- well-formed ---------------------------------------------------------------------------------------------------------


def test_folders_and_categories_become_tags() -> None:
    found = read_opml(
        opml(
            f'<outline text="News"><outline title="Business &amp; Economy"><outline type="rss" text=" One " title="x" xmlUrl="{A}" '
            'htmlUrl="https://a.example/" category="Tech,/News/Éurope, ,tag one"/></outline></outline>'
            '<outline text="Two" xmlUrl="https://two.example/"/>'
        )
    )
    assert found.feeds == (
        OpmlFeed("One", A, ("news", "business-economy", "tech", "éurope", "tag-one"), "https://a.example/"),
        OpmlFeed("Two", "https://two.example/"),
    )
    assert found.recovered == ()


def test_a_feed_in_two_folders_comes_once_with_both_tags() -> None:
    body = "".join(f'<outline text="{folder}"><outline text="One" xmlUrl="{A}"/></outline>' for folder in ("a", "b"))
    assert read_opml(opml(body)).feeds == (OpmlFeed("One", A, ("a", "b")),)


def test_what_is_no_feed_is_left_out_and_said() -> None:
    found = read_opml(
        opml(
            f'<outline text="x" xmlUrl=" "/><outline text="x" xmlUrl="exec:rm -rf"/><outline type="include" url="https://c.example/l"/>\n'
            f'<outline text="x" type="link" url="https://c.example/"/><outline text="ok" XMLURL="{A}"/>'
            '<outline xmlUrl="feed://f.example/r s"/>'
        )
    )
    assert [feed.url for feed in found.feeds] == [A, "https://f.example/r%20s"]
    assert found.recovered == (
        "line 3: another list (https://c.example/l) is mentioned but not followed",
        "line 3: “exec:rm -rf” does not begin with http:// or https://, left out",
        "line 4: the address “feed://f.example/r s” read as https://f.example/r%20s",
    )


# --- broken ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "feeds", "says"),
    [
        (f'<outline text="a & b" xmlUrl="{B}"/>', [("a & b", B)], "line 3: unescaped & in an attribute, repaired"),
        (f'<outline text="x" xmlUrl="{A}?a=1&lt=2&copy=3"/>', [("x", f"{A}?a=1&lt=2&copy=3")], "unescaped &"),
        (f'<outline text="the "best" one" xmlUrl="{A}"/>', [('the "best" one', A)], "quotes inside the value of text, kept as text"),
        (f'<outline description="<p class="x">a</p> > b" text="x" xmlUrl="{A}"/>', [("x", A)], "unescaped <"),
        (f'<outline text="lost xmlUrl="{A}"/>', [("lost", A)], "the closing quote of text is missing, repaired"),
        (f'<outline text="lost title="lost" xmlUrl="{A}"/>', [("lost", A)], "the closing quote of text is missing"),
        (f"<outline text=bare xmlUrl={A} />", [("bare", A)], "the value of xmlurl without quotes"),
        (f"<outline text=bare xmlUrl={A}>", [("bare", A)], "without quotes"),
        (f'<outline text="x"xmlUrl="{A}"type="rss"/>', [("x", A)], None),
        (f'<outline text="one" text="two" xmlUrl="{A}"/>', [("one", A)], "the attribute text twice, the first taken"),
        (f'<outline text="" title="two" text="three" xmlUrl="{A}"/>', [("three", A)], "twice"),
        (f'<outline ??? text="x" xmlUrl="{A}"/>', [("x", A)], "stray text between attributes, skipped"),
        (f'<outline text="x" xmlUrl="{A}"\n<outline text="y" xmlUrl="{B}"/>', [("x", A), ("y", B)], "a tag without its end"),
        (f'<OUTLINE TEXT="caf&eacute; &nope; &#233;" XMLURL="{A}"></OUTLINE>', [("café &nope; é", A)], "&nope; is an unknown entity"),
        (f'<!-- <outline xmlUrl="https://c.example/"/> --><outline text="a&b" xmlUrl="{A}"/>', [("a&b", A)], "unescaped &"),
    ],
)
def test_damage_is_repaired_and_reported(body: str, feeds: list[tuple[str, str]], says: str | None) -> None:
    found = read_opml(opml(body))
    assert [(feed.title, feed.url) for feed in found.feeds] == feeds
    assert says is None or any(says in sentence for sentence in found.recovered), found.recovered


def test_feeds_that_were_never_closed_do_not_become_folders() -> None:
    found = read_opml(
        opml(f'<outline text="F&"><outline text="one" xmlUrl="{A}"><outline text="two" xmlUrl="{B}"></outline>\n<outline text="G">')
    )
    assert [(feed.title, feed.tags) for feed in found.feeds] == [("one", ("f",)), ("two", ("f",))]
    after = read_opml(opml(f'<outline text="F&"><outline text="one" xmlUrl="{A}"></outline></outline><outline text="two" xmlUrl="{B}"/>'))
    assert [(feed.title, feed.tags) for feed in after.feeds] == [("one", ("f",)), ("two", ())]


def test_a_truncated_document_gives_what_it_holds() -> None:
    whole = opml(f'<outline text="F"><outline text="one" xmlUrl="{A}"/><outline text="two" xmlUrl="https://b.example/"/></outline>')
    cut = read_opml(whole[: whole.index(b"two")])
    assert [(feed.title, feed.tags) for feed in cut.feeds] == [("one", ("f",))]
    assert any("</opml> is missing" in sentence for sentence in cut.recovered)


def test_junk_before_the_declaration_is_ignored() -> None:
    found = read_opml(b"\n\nWarning: cookie\n" + opml(f'<outline text="one" xmlUrl="{A}"/>'))
    assert [feed.url for feed in found.feeds] == [A]
    assert found.recovered == ("line 4: the XML declaration is not at the beginning, ignored",)


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (opml(f'<outline text="Größe" xmlUrl="{A}"/>'), "Größe"),
        (b"\xef\xbb\xbf" + opml(f'<outline text="Größe" xmlUrl="{A}"/>'), "Größe"),
        (opml(f'<outline text="Größe" xmlUrl="{A}"/>').decode().encode("utf-16"), "Größe"),
        (opml(f'<outline text="Größe" xmlUrl="{A}"/>').decode().encode("utf-16-be"), "Größe"),
        (opml(f'<outline text="Größe" xmlUrl="{A}"/>', '<?xml version="1.0" encoding="latin1"?>').decode().encode("latin1"), "Größe"),
        (opml(f'<outline text="Größe" xmlUrl="{A}"/>', '<?xml version="1.0" encoding="UTF-16"?>'), "Größe"),
        (opml(f'<outline text="Größe" xmlUrl="{A}"/>').decode().encode("cp1252"), "Größe"),
        (opml(f'<outline text="Größe" xmlUrl="{A}"/>', '<?xml version="1.0" encoding="klingon"?>'), "Größe"),
        (opml(f'<outline text="+AGEAYg-" xmlUrl="{A}"/>', '<?xml version="1.0" encoding="utf-7"?>'), "+AGEAYg-"),
    ],
)
def test_the_encoding_is_found_however_it_is_said(data: bytes, title: str) -> None:
    assert [(feed.title, feed.url) for feed in read_opml(data).feeds] == [(title, A)]


def test_a_doctype_is_skipped_and_nothing_expanded() -> None:
    bomb = '<!DOCTYPE o [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    found = read_opml(opml(f'<outline text="&b;&f;" xmlUrl="{A}"/>', bomb))
    assert [(feed.title, feed.url) for feed in found.feeds] == [("&b;&f;", A)]
    assert "line 1: a DOCTYPE, skipped" in found.recovered


@pytest.mark.parametrize(
    "data", [b"", b"  \n", b"\0\0\0", b"{}", b"<html><body>no</body></html>", b"\xff\xfe", b"<opml", b"<outline", b'<opml><outline a="']
)
def test_what_holds_no_feeds_gives_none(data: bytes) -> None:
    assert read_opml(data).feeds == ()


def test_a_plain_list_of_addresses_is_read_with_its_tags() -> None:
    found = read_opml(f'# mine\n{A} world "big tech" "~The A"\n\nhttps://b.example/\nnonsense\n'.encode())
    assert found.feeds == (OpmlFeed("The A", A, ("world", "big-tech")), OpmlFeed("", "https://b.example/"))
    assert found.recovered == ("1 lines hold no address, left out",)


PIECES = [*"<>\"'&/ =\n", "outline", "<outline ", "xmlUrl=", "text=", "</outline>", A, "<!--", "]]>"]


@given(st.binary(max_size=300) | st.lists(st.sampled_from(PIECES)).map(lambda parts: "".join(parts).encode()))
def test_nothing_makes_it_raise(data: bytes) -> None:
    read_opml(data)
    read_opml(b"<opml>" + data)


@pytest.mark.parametrize(
    "piece", ['<outline text="\n', "<outline ", '<outline text="a" xmlUrl="b" ', '" x ', "&a ", "</outline>", "<!-- ", '"> ']
)
def test_hostile_repetition_is_read_in_linear_time(piece: str) -> None:
    """A quadratic reader would need minutes for what follows."""
    found = read_opml(b'<opml><outline text="' + piece.encode() * 20_000)
    assert (found.feeds, bool(found.recovered)) == ((), True)


# --- real files ----------------------------------------------------------------------------------------------------------------


def test_all_real_files_give_every_address_they_hold() -> None:
    files = [path for path in sorted(shared_path("data/opml").rglob("*")) if path.suffix in (".opml", ".xml")]
    assert len(files) > 150
    for path in files:
        data = path.read_bytes()
        written = {
            html.unescape(url.decode("utf-8", "replace").strip().replace("&", "&amp;")).replace("&amp;", "&")
            for url in re.findall(rb'(?i)\sxmlurl\s*=\s*"(\s*https?:[^"]*)"', data)
        }
        found = {feed.url for feed in read_opml(data).feeds}
        assert len(found) == len(written), path
        assert {url.replace(" ", "%20") for url in written} == found, path


def test_the_80_broken_lists_are_recovered_with_a_report_each() -> None:
    files = sorted(shared_path("data/opml/awesome-rss-feeds").rglob("*.opml"))
    reports = {path: read_opml(path.read_bytes()).recovered for path in files}
    broken = [path for path, report in reports.items() if report]
    assert (len(files), len(broken)) == (118, 80)
    assert all(re.match(r"line \d+: ", sentence) for report in reports.values() for sentence in report)


def test_the_lenient_reader_reads_well_formed_files_as_expat_does() -> None:
    """What is repaired may not depend on luck: where expat can read, the lenient reader reads the same and repairs nothing."""
    same = 0
    for path in sorted(shared_path("data/opml").rglob("*.*ml")):
        text = _decode(path.read_bytes(), _Notes())
        try:
            strict = _read_strictly(text)
        except Exception:
            continue
        notes = _Notes()
        lenient = list(_Reader(text, notes).outlines())
        assert [_folded(each.attributes) for each in lenient] == [_folded(each.attributes) for each in strict], path
        assert notes.sentences() == (), path
        same += 1
    assert same > 100


def _folded(attributes: object) -> object:
    return {name: re.sub(r"\s", " ", value) for name, value in attributes.items()} if isinstance(attributes, dict) else attributes


# --- writing -----------------------------------------------------------------------------------------------------------------------

WHEN = datetime(2023, 12, 27, 18, tzinfo=UTC)


def test_what_is_written_is_opml_2_with_folders() -> None:
    text = write_opml([Feed("a", A, title='A <"&', tags=("world", "x,y")), Feed("b", B)], "Mine & yours", WHEN)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n')
    assert "<title>Mine &amp; yours</title>" in text
    assert "<dateCreated>Wed, 27 Dec 2023 18:00:00 +0000</dateCreated>" in text
    assert '<outline text="world" title="world">' in text
    assert read_opml(text.encode()).feeds == (OpmlFeed("b", B), OpmlFeed('A <"&', A, ("world", "x-y")))


@given(
    st.lists(
        st.builds(
            Feed,
            name=st.from_regex(r"[a-z]{1,8}", fullmatch=True),
            url=st.from_regex(r"https://[a-z]{1,8}\.example/[a-z0-9?&=;%\"'<>]{0,9}", fullmatch=True),
            title=st.none() | st.text("aä漢 <>&\"'\n", max_size=12),
            tags=st.lists(st.sampled_from(["world", "tech", "c++", "größe", "a-b", ".net"]), unique=True, max_size=3).map(tuple),
        ),
        unique_by=lambda feed: feed.url.partition("#")[0],
        max_size=6,
    )
)
def test_a_round_trip_keeps_titles_addresses_and_tags(feeds: list[Feed]) -> None:
    found = read_opml(write_opml(feeds, "x", WHEN).encode())
    assert found.recovered == ()
    expected = {(one_line(feed.title or feed.name), feed.url, feed.tags) for feed in feeds}
    assert {(feed.title, feed.url, feed.tags) for feed in found.feeds} == expected
