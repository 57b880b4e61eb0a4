"""Links that are safe to follow, and the canonical form that copies of a piece share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.links import canonical_link, clean_link


@pytest.mark.parametrize(
    ("link", "clean"),
    [
        ("https://example.org/a", "https://example.org/a"),
        ("HTTPS://User:Secret@Example.ORG:443/A?b#c", "https://example.org/A?b#c"),
        ("http://example.org:8080/a", "http://example.org:8080/a"),
        (" https://example.org/\n a b\t ", "https://example.org/a%20b"),
        ("/a/b", "https://base.example/a/b"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("http://[::1]:81/x", "http://[::1]:81/x"),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("mailto:a@example.org", None),
        ("ftp://example.org/x", None),
        ("http://", None),
        ("http://[::1", None),
        ("http://example.org:99999/", None),
        ("https://example.org/" + "x" * 5000, None),
        ("", None),
        (None, None),
    ],
)
def test_only_web_addresses_without_credentials_come_through(link: str | None, clean: str | None) -> None:
    assert clean_link(link, "https://base.example/feed") == clean


def test_a_relative_link_without_a_base_is_none() -> None:
    assert clean_link("/a") is None


@pytest.mark.parametrize(
    ("link", "canonical"),
    [
        ("http://Example.org:80/a/", "https://example.org/a"),
        ("https://example.org/a?utm_source=rss&UTM_Medium=x&id=5", "https://example.org/a?id=5"),
        ("https://example.org/a?b=2&a=1", "https://example.org/a?b=2&a=1"),
        ("https://example.org/a?fbclid=1&gclid=2&mc_cid=3&smid=4", "https://example.org/a"),
        ("https://example.org/a.html?ns_mchannel=rss&ns_campaign=1490&ito=1490", "https://example.org/a.html"),
        ("https://example.org/a?at_medium=RSS&at_campaign=KARANGA", "https://example.org/a"),
        ("https://example.org/a?CMP=rss&ref=rss&partner=rss&emc=rss", "https://example.org/a?emc=rss"),
        ("https://example.org/a?ref=nav&source=print", "https://example.org/a?ref=nav&source=print"),
        ("https://example.org/a?src=rss&rss=1&mod=rss_markets_main", "https://example.org/a"),
        ("https://example.org/watch?v=J4OUucCT7MM&", "https://example.org/watch?v=J4OUucCT7MM"),
        ("https://example.org/a#part", "https://example.org/a"),
        ("https://example.org/#!/route/5", "https://example.org/#!/route/5"),
        ("https://example.org/amp/a", "https://example.org/amp/a"),
        ("https://example.org/za%c5%bc/ó", "https://example.org/za%C5%BC/%C3%B3"),
        ("https://example.org/?p=7", "https://example.org/?p=7"),
        ("https://example.org/", None),
        ("https://example.org?utm_source=rss", None),
        ("javascript:1", None),
    ],
)
def test_the_canonical_form_drops_what_does_not_choose_the_page(link: str, canonical: str | None) -> None:
    assert canonical_link(link) == canonical


_ADDRESSES = st.builds(
    lambda scheme, host, path, query, fragment: f"{scheme}://{host}/{path}?{query}#{fragment}",
    st.sampled_from(["http", "https", "HTTP"]),
    st.sampled_from(["example.org", "EXAMPLE.org:80", "u:p@example.org:443", "bücher.example", "127.0.0.1:8700"]),
    st.text(max_size=30),
    st.text(alphabet=st.sampled_from("abutm_=&%;?/#+ é\x00"), max_size=40),
    st.text(max_size=10),
)


@given(_ADDRESSES | st.text(max_size=80))
def test_canonical_and_clean_links_are_idempotent_and_harmless(link: str) -> None:
    canonical, clean = canonical_link(link), clean_link(link)
    if canonical is not None:
        assert canonical_link(canonical) == canonical
        assert canonical.startswith("https://")
        assert canonical.isascii() or "bücher" in canonical or not canonical.split("/")[2].isascii()
    if clean is not None:
        assert clean_link(clean) == clean
        assert clean.startswith(("http://", "https://"))
        assert "@" not in clean.split("/")[2]
        assert not any(ord(char) < 33 for char in clean)
