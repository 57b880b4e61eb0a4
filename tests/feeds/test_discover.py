"""Discovery: which feeds a page names, and where to look when it names none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.discover import Candidate, common_paths, feed_links, guessed_feeds, site_feeds

PAGE = "https://news.example/section/page.html"


def found(html: str, **headers: str) -> list[str]:
    return [candidate.url for candidate in feed_links(html.encode(), PAGE, headers)]


def test_declared_feeds_come_in_the_pages_order_and_comment_feeds_last() -> None:
    html = """<head>
      <link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed">
      <link rel="alternate" type="application/rss+xml; charset=utf-8" title=" All  news " href="/feed">
      <link REL="Alternate home" TYPE="Application/Atom+XML" href="atom.xml">
      <link rel="alternate" type="application/feed+json" href="//cdn.example/feed.json">
    </head>"""
    assert feed_links(html.encode(), PAGE) == (
        Candidate("https://news.example/feed", "All news", "rss"),
        Candidate("https://news.example/section/atom.xml", "", "atom"),
        Candidate("https://cdn.example/feed.json", "", "json"),
        Candidate("https://news.example/comments/feed", "Comments", "rss"),
    )


@pytest.mark.parametrize(
    "link",
    [
        '<link rel="alternate" hreflang="de" href="/de/">',
        '<link rel="alternate" type="application/json" href="/wp-json/wp/v2/pages/7">',
        '<link rel="alternate" type="application/json+oembed" href="/oembed?feed=1">',
        '<link rel="stylesheet" type="text/css" href="/feed.css">',
        '<link rel="alternate" type="application/rss+xml">',
        '<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">',
        '<link rel="alternate" type="application/rss+xml" href="file:///etc/feed">',
        '<link rel="alternate" type="application/rss+xml" href="http://[broken/feed">',
        '<a href="/feedback">feedback</a>',
        '<a href="mailto:rss@news.example">mail</a>',
        '<a href="/photos/rss.png">icon</a>',
        '<a href="/section/page.html#rss">here</a>',
        '<a href="/embarrassing-feedlot-story">story</a>',
    ],
)
def test_links_that_are_no_feeds_are_left_alone(link: str) -> None:
    assert found(link) == []


def test_the_base_of_the_page_counts() -> None:
    html = '<base href="https://other.example/blog/"><link rel=alternate type=application/rss+xml href=feed>'
    assert found(html) == ["https://other.example/blog/feed"]


def test_mere_links_that_look_like_feeds_come_after_declared_ones() -> None:
    html = (
        '<a href="/rss/world">World</a><a href="/news.atom">A</a><a href="/x?format=rss">q</a>'
        "<link rel=alternate type=text/xml href=/index.xml>"
    )
    assert feed_links(html.encode(), PAGE) == (
        Candidate("https://news.example/index.xml", "", "rss"),
        Candidate("https://news.example/rss/world", "World", "rss", "anchor"),
        Candidate("https://news.example/news.atom", "A", "atom", "anchor"),
        Candidate("https://news.example/x?format=rss", "q", "rss", "anchor"),
    )


def test_a_link_header_names_feeds_too() -> None:
    link = (
        '</a.css>; rel=preload, </feed>; rel="alternate"; type="application/rss+xml"; title="News, all", </de>; rel=alternate; hreflang=de'
    )
    assert feed_links(b"<p>", PAGE, {"link": link}) == (Candidate("https://news.example/feed", "News, all", "rss"),)


def test_the_page_itself_and_repetitions_are_no_candidates() -> None:
    html = "".join(
        f'<link rel=alternate type=application/rss+xml href="{href}">' for href in ("", "/feed", "http://news.example/feed", "#x")
    )
    assert found(html) == ["https://news.example/feed"]


def test_a_feed_scheme_is_a_web_address() -> None:
    html = '<a type="application/rss+xml" href="feed:https://a.example/x">a</a><a href="feed://b.example/rss">b</a>'
    assert found(html) == ["https://a.example/x", "https://b.example/rss"]


def test_common_paths_begin_below_the_page() -> None:
    paths = common_paths("https://news.example/blog")
    assert paths[0] == "https://news.example/blog/feed"
    assert {"https://news.example/feed", "https://news.example/rss.xml", "https://news.example/atom.xml"} <= set(paths)
    assert len(paths) == len(set(paths))
    assert common_paths("https://news.example/index.html?x=1")[0] == common_paths("https://news.example")[0] == "https://news.example/feed"


@pytest.mark.parametrize(
    ("page", "feed"),
    [
        ("https://www.youtube.com/channel/UC123/videos", "https://www.youtube.com/feeds/videos.xml?channel_id=UC123"),
        ("https://www.youtube.com/playlist?list=PL9", "https://www.youtube.com/feeds/videos.xml?playlist_id=PL9"),
        ("https://old.reddit.com/r/python/top", "https://www.reddit.com/r/python/.rss"),
        ("https://github.com/python/cpython/tree/main", "https://github.com/python/cpython/releases.atom"),
        ("https://gitlab.com/a/b", "https://gitlab.com/a/b/-/tags?format=atom"),
        ("https://medium.com/@someone/story-1", "https://medium.com/feed/@someone"),
    ],
)
def test_known_sites_have_known_feeds(page: str, feed: str) -> None:
    assert site_feeds(page)[0] == feed
    assert guessed_feeds(page)[0] == Candidate(feed, source="site")


def test_other_sites_have_none() -> None:
    assert site_feeds("https://github.com/") == site_feeds("https://notyoutube.com/channel/x") == ()


@given(st.binary(max_size=400), st.text(max_size=80))
def test_no_page_and_no_header_makes_it_raise(html: bytes, link: str) -> None:
    for candidate in feed_links(b"<link rel=alternate type=application/rss+xml href=" + html, PAGE, {"link": link}):
        assert candidate.url.startswith(("http://", "https://"))
