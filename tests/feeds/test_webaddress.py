"""Addresses: what is read without httpx2 is read as httpx2 reads it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aggregator.feeds.fetch import read_address, read_any, redirect_target
from aggregator.feeds.trouble import UnusableError
from aggregator.feeds.webaddress import read_usual

USUAL = [
    "https://feeds.bbci.co.uk/news/world/rss.xml",
    "http://127.0.0.1:8700/feeds/theguardian-com-1a2b3c",
    "https://example.org/feed?format=rss&n=10",
    "http://localhost:8080/a/b-c_d~e/",
    "https://example.org:8443/",
]
pieces = st.sampled_from(
    ["a", "b2", "-", ".", "..", "/", "//", "?", "=", "&", "~", "_", "%41", " ", "é", "A", ":", "@", "#", "80", "127.0.0.1", "xn--"]
)


@pytest.mark.parametrize("text", USUAL)
def test_the_usual_address_is_read_without_httpx2_and_as_httpx2_reads_it(text: str) -> None:
    assert read_usual(text) is not None
    assert (read_usual(text), None) == read_any(text)


@given(scheme=st.sampled_from(["http", "https"]), rest=st.lists(pieces, max_size=12).map("".join))
@example("http", "example.org:80/")
@example("https", "example.org:99999/")
@example("http", "256.1.1.1/")
@example("http", "1.2.3/")
@example("http", "a.b/../c")
@example("http", "a.b/c/.")
@example("http", "a.b//c")
def test_no_address_is_read_otherwise_than_by_httpx2(scheme: str, rest: str) -> None:
    text = f"{scheme}://{rest}"
    usual = read_usual(text)
    if usual is not None:
        assert (usual, None) == read_any(text)


@pytest.mark.parametrize(
    ("text", "found", "credentials"),
    [
        ("HTTPS://user:pa%20ss@Example.ORG/feed#top", "https://example.org/feed", "user:pa ss"),
        ("https://example.org", "https://example.org", None),
        ("https://bücher.example/feed", "https://xn--bcher-kva.example/feed", None),
        ("http://[::1]:8080/feed", "http://[::1]:8080/feed", None),
    ],
)
def test_others_are_read_too(text: str, found: str, credentials: str | None) -> None:
    address, secret = read_address(text)
    assert (address.netloc, address.target) == read_usual_parts(found)
    assert secret == credentials


def read_usual_parts(text: str) -> tuple[str, str]:
    netloc, slash, path = text.partition("://")[2].partition("/")
    return netloc, f"/{path}" if slash else "/"


@pytest.mark.parametrize("text", ["ftp://example.org/feed", "https:///feed", "https://exa mple.org:x/feed"])
def test_what_cannot_be_fetched_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UnusableError, match=r"\.$"):
        read_address(text)


def test_redirects_may_be_relative_and_written_in_utf8() -> None:
    here, _ = read_address("https://example.org/a/feed?x=1")
    assert str(redirect_target(here, "../b")) == "https://example.org/b"
    assert redirect_target(here, "/caf\u00c3\u00a9").target == "/caf%C3%A9"
