"""Documents in, records out: formats, broken documents and hostile ones."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from aggregator.errors import FeedError
from aggregator.feeds.document import parse_document
from aggregator.model import ParsedFeed

URL = "https://example.org/feed"


def rss(items: str = "", channel: str = "", head: str = '<?xml version="1.0" encoding="UTF-8"?>', attributes: str = "") -> str:
    return (
        f'{head}<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:media="http://search.yahoo.com/mrss/" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/" {attributes}>'
        f"<channel><title>T</title><link>https://example.org/</link>{channel}{items}</channel></rss>"
    )


def parse(document: str | bytes, content_type: str | None = None) -> ParsedFeed:
    body = document.encode() if isinstance(document, str) else document
    return parse_document(body, {"Content-Type": content_type} if content_type else {}, URL)


ITEM = "<item><title>One</title><link>https://example.org/1</link><guid>g1</guid></item>"


# --- formats ----------------------------------------------------------------------------------------------------------


def test_rss_2_gives_everything_that_items_hold() -> None:
    feed = parse(
        rss(
            "<item><title>Caf&amp;eacute;</title><link>/1</link><guid isPermaLink='false'>42</guid>"
            "<pubDate>Wed, 27 Dec 2023 14:00:00 EST</pubDate>"
            "<description>&lt;p&gt;Short&lt;/p&gt;</description><content:encoded><![CDATA[<p>Long</p>]]></content:encoded>"
            "<dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator><category>World</category><dc:language>pl</dc:language></item>",
            "<language>en-gb</language><ttl>30</ttl><sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>"
            "<skipHours><hour>0</hour><hour>23</hour></skipHours><skipDays><day>Sunday</day></skipDays>",
        )
    )
    item = feed.items[0]
    assert (feed.version, feed.title, feed.link, feed.language, feed.error) == ("rss20", "T", "https://example.org/", "en-gb", None)
    assert (feed.hints.ttl_seconds, feed.hints.update_period_seconds) == (1800, 1800)
    assert (feed.hints.skip_hours, feed.hints.skip_days) == ((0, 23), ("Sunday",))
    assert (item.guid, item.link, item.title, item.summary, item.content) == ("42", "/1", "Caf&eacute;", "<p>Short</p>", "<p>Long</p>")
    assert item.published_at == datetime(2023, 12, 27, 19, tzinfo=UTC)
    assert (item.authors, item.categories, item.language) == (("Ann", "Bob"), ("World",), "pl")


def test_atom_titles_say_whether_they_are_markup() -> None:
    feed = parse(
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de" xml:base="https://base.example/x/"><title>A</title>'
        '<entry><id>i1</id><title>a &lt;b&gt;</title><link href="one"/><link rel="enclosure" href="e.mp3" type="audio/mpeg" length="9"/>'
        "<author><name>Ann</name></author><published>2023-12-26T10:00:00Z</published><updated>2023-12-27T10:00:00Z</updated>"
        '<content type="html">&lt;p&gt;c&lt;/p&gt;</content></entry>'
        '<entry><id>i2</id><title type="html">a &lt;b&gt;c&lt;/b&gt;</title><summary>1 &lt; 2</summary></entry></feed>'
    )
    first, second = feed.items
    assert (first.title_is_html, second.title_is_html) == (False, True)
    assert (first.link, first.base) == ("https://base.example/x/one", "https://base.example/x/")
    assert (first.summary, first.content, first.authors) == ("", "<p>c</p>", ("Ann",))
    assert (first.published_at, first.updated_at) == (datetime(2023, 12, 26, 10, tzinfo=UTC), datetime(2023, 12, 27, 10, tzinfo=UTC))
    assert second.summary == "1 &lt; 2"
    assert [medium.size_bytes for medium in first.media] == [9]
    assert (feed.language, first.language) == ("de", None)


def test_rss_1_dates_of_dublin_core_are_dates_of_publication() -> None:
    feed = parse(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>T</title></channel><item rdf:about="https://e.org/1"><title>x</title>'
        "<link>https://e.org/1</link><dc:date>2023-12-27T10:00:00Z</dc:date></item></rdf:RDF>"
    )
    assert feed.version == "rss10"
    assert (feed.items[0].guid, feed.items[0].published_at) == ("https://e.org/1", datetime(2023, 12, 27, 10, tzinfo=UTC))


def test_media_have_exact_durations_and_hosts() -> None:
    feed = parse(
        rss(
            "<item><title>E1</title><guid>1</guid><itunes:author>Zed</itunes:author><itunes:duration>1:23:51</itunes:duration>"
            '<enclosure url="https://e.org/1.mp3" type="audio/mpeg" length="80496000"/></item>'
            "<item><title>E2</title><guid>2</guid><itunes:duration>617</itunes:duration>"
            '<enclosure url="https://e.org/2.mp3" length="x"/></item>'
            '<item><title>V</title><guid>3</guid><media:group><media:content url="https://e.org/1.mp4" type="video/mp4" duration="38"/>'
            '<media:content url="https://e.org/2" medium="video" duration="222.4"/></media:group>'
            '<media:thumbnail url="https://e.org/t.jpg"/></item>',
            "<itunes:author>The Show</itunes:author>",
        )
    )
    first, second, video = feed.items
    assert [(m.type, m.seconds, m.host, m.title, m.size_bytes) for m in first.media] == [("audio/mpeg", 5031, "Zed", "E1", 80496000)]
    assert [(m.type, m.seconds, m.host, m.size_bytes) for m in second.media] == [("audio/mpeg", 617, "The Show", None)]
    assert [(m.kind, m.seconds) for m in video.media] == [("video", 38), ("video", 222)]


def test_an_item_with_nothing_but_an_enclosure_has_no_link() -> None:
    (item,) = parse(rss('<item><title>E</title><guid>abc</guid><enclosure url="https://e.org/1.mp3" type="audio/mpeg"/></item>')).items
    assert (item.guid, item.link) == ("abc", None)


def test_an_episodes_time_goes_to_media_rss_where_there_is_no_enclosure() -> None:
    media = '<media:content url="https://e.org/1.mp3" type="audio/mpeg"/><media:content url="https://e.org/1.jpg" type="image/jpeg"/>'
    (item,) = parse(rss(f"<item><title>E</title><itunes:duration>10:21</itunes:duration>{media}</item>")).items
    assert [(m.kind, m.seconds) for m in item.media] == [("audio", 621), ("image", None)]
    assert item.seconds == 621


def test_one_address_in_enclosure_and_media_rss_is_one_medium() -> None:
    (item,) = parse(
        rss(
            '<item><title>E</title><enclosure url="https://e.org/1.mp3" type="audio/mpeg" length="5"/>'
            '<media:content url="https://e.org/1.mp3" duration="61"/></item>'
        )
    ).items
    assert [(m.url, m.type, m.seconds, m.size_bytes) for m in item.media] == [("https://e.org/1.mp3", "audio/mpeg", 61, 5)]


def test_a_feed_without_items_is_a_success() -> None:
    assert parse(rss()).items == ()


# --- JSON Feed --------------------------------------------------------------------------------------------------------


def json_feed(**changes: object) -> str:
    document: dict[str, object] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "J",
        "items": [{"id": "1", "content_text": "a < b"}],
    }
    return json.dumps(document | changes)


def test_json_feed_is_read() -> None:
    entry = {
        "id": 7,
        "url": "https://e.org/7",
        "title": "Seven",
        "content_html": "<p>x</p>",
        "summary": "s & t",
        "date_published": "2023-12-27T10:00:00-05:00",
        "authors": [{"name": "Ann"}, "Bob", {}],
        "tags": ["a", 5],
        "language": "pl",
        "attachments": [
            {"url": "https://e.org/7.mp3", "mime_type": "audio/mpeg", "duration_in_seconds": 61.5, "size_in_bytes": 10},
            {"mime_type": "x"},
            3,
        ],
    }
    feed = parse(json_feed(items=[entry], home_page_url="https://e.org/", language="en"), "application/feed+json")
    item = feed.items[0]
    assert (feed.version, feed.title, feed.link, feed.language) == ("json11", "J", "https://e.org/", "en")
    assert (item.guid, item.link, item.title, item.title_is_html) == ("7", "https://e.org/7", "Seven", False)
    assert (item.summary, item.content, item.authors, item.categories) == ("s &amp; t", "<p>x</p>", ("Ann",), ("a",))
    assert item.published_at == datetime(2023, 12, 27, 15, tzinfo=UTC)
    assert [(m.url, m.seconds, m.host, m.size_bytes) for m in item.media] == [("https://e.org/7.mp3", 61, "Ann", 10)]


@pytest.mark.parametrize("value", [None, 5, True, [], {}, [None, 1, "x", []], "text", 1e400])
@pytest.mark.parametrize("key", ["title", "items", "authors", "author", "language", "home_page_url"])
def test_wrong_types_in_a_json_feed_count_as_absent(key: str, value: object) -> None:
    assert parse(json_feed(**{key: value})).version == "json11"


@pytest.mark.parametrize(
    "key", ["id", "url", "title", "content_html", "summary", "date_published", "authors", "tags", "attachments", "language"]
)
def test_wrong_types_in_an_item_count_as_absent(key: str) -> None:
    wrong: tuple[object, ...] = (None, 5, True, [], {}, [[]], [None], 1e400)
    for value in wrong:
        assert len(parse(json_feed(items=[{"id": "1", key: value}])).items) == 1


@pytest.mark.parametrize("body", ['{"a": 1}', "[1, 2]", '{"version": 5}', "{", "[" * 100_000, '{"items": ' + "9" * 5000 + "}"])
def test_other_json_is_no_feed(body: str) -> None:
    with pytest.raises(FeedError, match=URL):
        parse(body)


# --- what is no feed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "is empty"),
        (" \n\ufeff\x00", "is empty"),
        ("<!DOCTYPE html><html><body>Hi</body></html>", "HTML page.*aggregator feeds discover https://example.org/feed"),
        ('<?xml version="1.0"?><!-- x --><html xmlns="http://www.w3.org/1999/xhtml"/>', "HTML page"),
        ("<div>Hi</div>", "HTML page"),
        ("Not found", "plain text"),
        ("%PDF-1.7", "a PDF document"),
        ('<opml version="2.0"><body/></opml>', "OPML.*aggregator feeds import"),
        ('<urlset xmlns="x"/>', "sitemap"),
        ("<svg/>", "XML but not a feed.*<svg>"),
    ],
)
def test_what_is_no_feed_says_what_it_is(body: str, words: str) -> None:
    with pytest.raises(FeedError, match=words) as caught:
        parse(body)
    assert caught.value.url == URL
    assert URL in str(caught.value)


@pytest.mark.parametrize("kept", range(len(ITEM) + 1))
def test_of_a_document_that_was_cut_off_no_half_item_is_read(kept: int) -> None:
    """It would have half an identity, and stand beside the whole one for ever."""
    other = ITEM.replace("1", "2")
    feed = parse(rss(ITEM + other[:kept]).removesuffix("</channel></rss>"))
    assert [item.guid for item in feed.items] == [item.guid for item in parse(rss(ITEM)).items] + ["g2"] * (kept == len(ITEM))
    assert "cut off" in (feed.error or "")


# --- broken documents -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (rss(ITEM)[:-16], "cut off"),
        (rss(ITEM.replace("One", "a < b & c")), "not well-formed"),
        (rss(ITEM.replace("One", "Caf\xe9")).encode("latin-1"), "says it is UTF-8 but is not; it was read as Windows-1252"),
        (rss(ITEM.replace("One", "żółć zażółć")).encode()[:-30] + b"\xc5</channel></rss>", "1 broken characters|not well-formed"),
        (rss(ITEM, head='<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>').replace("One", "&x;"), "refused .1 external"),
        (rss(ITEM, head='<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>').replace("One", "&b;"), "refused .1 nested"),
        (rss(ITEM) + "<script>x</script>", "stands after the feed"),
        ("Warning: mysql\n" + rss(ITEM), "stands before the feed"),
    ],
)
def test_a_broken_document_gives_its_items_and_says_what_is_wrong(document: str | bytes, words: str) -> None:
    feed = parse(document)
    assert len(feed.items) == 1
    assert re.search(words, feed.error or "")


@pytest.mark.parametrize(
    ("document", "content_type"),
    [
        (rss(ITEM), "text/plain"),
        (rss(ITEM), "text/html; charset=us-ascii"),
        (rss(ITEM.replace("One", "żółć")), "text/xml; charset=iso-8859-1"),
        (rss(ITEM.replace("</item>", "<foo:bar>x</foo:bar></item>")), None),
        (rss(ITEM.replace("One", "a&nbsp;b &eacute;")), None),
        (rss(ITEM.replace("One", "a\x0bb")), None),
        ("\ufeff  \n" + rss(ITEM), None),
        (rss(ITEM, head='<?xml version="1.0" encoding="utf-16"?>').encode("utf-16"), None),
        (rss(ITEM, head='<?xml version="1.0"?>').encode("utf-16-le"), None),
        (rss(ITEM, head='<!DOCTYPE r [<!ENTITY co "Co.">]>').replace("One", "&co;"), None),
        (rss(ITEM, head="<!-- <rss> Sam <sam@example.org> -->"), None),
    ],
)
def test_harmless_oddities_are_no_error(document: str | bytes, content_type: str | None) -> None:
    feed = parse(document, content_type)
    assert len(feed.items) == 1
    assert feed.error is None


@pytest.mark.parametrize(
    ("declared", "encoded"),
    [("iso-8859-2", "iso-8859-2"), ("windows-1250", "windows-1250"), ("utf-8", "utf-8"), ("iso-8859-1", "utf-8"), ("utf-16", "utf-16")],
)
def test_letters_arrive_whatever_the_encoding_says(declared: str, encoded: str) -> None:
    document = rss(ITEM.replace("One", "Zażółć"), head=f'<?xml version="1.0" encoding="{declared}"?>').encode(encoded)
    assert parse(document).items[0].title == "Zażółć"


@pytest.mark.parametrize(
    "name", ["unicode_escape", "utf-7", "punycode", "undefined", "raw_unicode_escape", "idna", "hex", "rot13", "zlib", "a\x00b", "x" * 300]
)
@pytest.mark.parametrize("where", ["declaration", "header"])
def test_encodings_that_turn_text_into_something_else_are_ignored(name: str, where: str) -> None:
    declared = name if where == "declaration" else "utf-8"
    document = rss(ITEM.replace("One", "+ADw-b+AD4- \\x1b[31m é"), head=f'<?xml version="1.0" encoding="{declared}"?>')
    feed = parse(document, f"text/xml; charset={name}" if where == "header" else None)
    assert feed.items[0].title == "+ADw-b+AD4- \\x1b[31m é"


@pytest.mark.parametrize("reference", ["&#xD800;", "&#x110000;", "&#xFFFFFFFFFFFF;", "&#8;", "&#" + "9" * 150 + ";"])
def test_impossible_characters_do_not_crash(reference: str) -> None:
    assert len(parse(rss(ITEM.replace("One", f"a{reference}b"))).items) == 1


# --- hostile documents ------------------------------------------------------------------------------------------------


def test_a_file_on_this_machine_is_never_read() -> None:
    for reference in ("file:///etc/passwd", "/etc/passwd", "http://127.0.0.1:1/x"):
        subset = f'<!ENTITY % p SYSTEM "{reference}"> %p; <!ENTITY x SYSTEM "{reference}">'
        feed = parse(rss(ITEM, head=f'<!DOCTYPE r SYSTEM "{reference}" [{subset}]>').replace("One", "a&x;"))
        assert "root:" not in feed.items[0].title
        assert "refused" in (feed.error or "")


def test_an_entity_bomb_stays_small() -> None:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    feed = parse(rss(ITEM, head=f"<!DOCTYPE r [{entities}]>").replace("One", "&a9;"))
    assert len(feed.items[0].title) < 100
    assert "nested" in (feed.error or "")


def test_thousands_of_attributes_are_refused_at_once() -> None:
    bomb = " ".join(f'a{n}="1"' for n in range(20_000))
    with pytest.raises(FeedError, match="20,000 attributes"):
        parse(rss(ITEM.replace("<item>", f"<item {bomb}>")))


def test_long_texts_and_long_lists_are_cut() -> None:
    many = "".join(f"<item><guid>{n}</guid></item>" for n in range(2_100))
    feed = parse(rss(ITEM.replace("One", "x" * 500_000) + many))
    assert len(feed.items) == 2_000
    assert feed.error == "The document has 2,101 items; only the first 2,000 were read."
    assert len(feed.items[0].title) == 1_000
    assert feed.items[1].guid == "0"
