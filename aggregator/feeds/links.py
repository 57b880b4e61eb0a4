"""Makes addresses from feeds safe to follow, and finds the canonical form under which copies of a piece meet."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

LONGEST = 4_000
"""Characters; browsers and servers refuse longer addresses, data in disguise is longer."""

# campaign tags of newsletters, shops and click counters
_CAMPAIGN = (
    "fbclid gclid dclid gbraid wbraid msclkid yclid ysclid twclid ttclid igshid li_fat_id mc_cid mc_eid mkt_tok vero_id _hsenc _hsmi "
    "oly_enc_id oly_anon_id rb_clickid s_cid icid ncid ocid cmp cmpid cmpid2 wt_mc wt.mc_id xtor ftag taid trk_contact trk_msg"
)
# publishers' own words for "came from the feed": Daily Mail, BBC, Al Jazeera, CBC, New York Times, Wired, Guardian, Bild, NDTV
_PUBLISHERS = (
    "ns_mchannel ns_campaign ns_source ns_linkname ns_fee ito at_medium at_campaign at_custom1 at_custom2 at_custom3 at_custom4 "
    "at_link_id at_link_type at_link_origin at_format at_bbc_team traffic_source smid smtyp partner feedtype feedname"
)
TRACKING = frozenset(f"{_CAMPAIGN} {_PUBLISHERS}".split())
"""Names of parameters that never choose a page (matched in lower case)."""
TRACKING_PREFIXES = ("utm_", "pk_", "mtm_", "piwik_", "hsa_")
FEED_WORDS = frozenset(("rss", "rss1", "rss2", "rss_feed", "rssfeed", "atom", "feed", "feeds", "feedburner", "xml", "yahoo", "1", "true"))
FEED_SENSES = frozenset(("ref", "source", "src", "rss", "from", "mod", "cid"))
"""Names that may choose a page elsewhere: dropped only when the value says that the reader came from a feed."""

_UNWANTED = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_HOST = re.compile(r"[^\s/?#@\\<>\"'^`{|}%]+")
# the usual address: nothing in it needs resolving, mending or escaping. A ";" at the end of a path may go when it is resolved.
_PLAIN = re.compile(
    r"https?://((?:[a-z0-9][a-z0-9-]*\.)+[a-z][a-z0-9-]*)(/[A-Za-z0-9/._~!$&'()*+,=:@-]*)?(?:\?([A-Za-z0-9/._~!$&'()*+,=:@-]+))?"
)
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_KEPT = "/:@!$&'()*+,;=-._~%?[]#|"


def clean_link(link: str | None, base: str | None = None) -> str | None:
    """An absolute http or https address without credentials, or None. Relative ones are resolved against `base`."""
    if not link:
        return None
    text = link.strip()
    if len(text) > LONGEST:
        return None
    if _PLAIN.fullmatch(text):
        return text
    # browsers drop tabs and newlines inside an address and escape blanks (WHATWG URL, section 4.4)
    text = _UNWANTED.sub("", re.sub(r"(?<=\S) +(?=\S)", "%20", text))
    try:
        parts = urlsplit(urljoin(base, text) if base else text)
        host = _netloc(parts)
        if parts.scheme not in ("http", "https") or host is None:
            return None
        return urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    except ValueError:
        return None


def clean_and_canonical(link: str | None, base: str | None = None) -> tuple[str | None, str | None]:
    """clean_link and the canonical_link of that."""
    text = (link or "").strip()
    if len(text) <= LONGEST and (plain := _PLAIN.fullmatch(text)):
        return text, _canonical(plain[1], plain[2] or "", plain[3] or "", "")
    clean = clean_link(link, base)
    return clean, canonical_link(clean)


def _netloc(parts: SplitResult) -> str | None:
    """Host in lower case with its port when that is not the default; no user, no password."""
    host, port = parts.hostname, parts.port
    if not host or not _HOST.fullmatch(host):
        return None
    name = f"[{host}]" if ":" in host else host.lower().rstrip(".")
    default = {"http": 80, "https": 443}.get(parts.scheme)
    if not name:
        return None
    return name if port in (None, default) else f"{name}:{port}"


def canonical_link(link: str | None) -> str | None:
    """The form under which copies of one piece are found; for comparing, not for following. Idempotent.

    http becomes https; default ports, the fragment (but for "#!" routes), a slash at the end of the path and tracking parameters go
    (TRACKING, TRACKING_PREFIXES, and FEED_SENSES with a feed's word as value); unknown parameters stay in their order. The site's
    front page is no piece: its form is None. AMP pages stay apart.
    """
    clean = clean_link(link)
    if clean is None:
        return None
    if plain := _PLAIN.fullmatch(clean):
        return _canonical(plain[1], plain[2] or "", plain[3] or "", "")
    parts = urlsplit(clean)
    netloc = re.sub(r":(?:80|443)$", "", parts.netloc)
    fragment = _escape(parts.fragment) if parts.fragment.startswith("!") else ""
    return _canonical(netloc, _escape(parts.path), _escape(parts.query), fragment)


def _canonical(netloc: str, path: str, query: str, fragment: str) -> str | None:
    """Of parts that are escaped already."""
    path = path.rstrip("/") or "/"
    if query:
        query = "&".join(pair for pair in query.split("&") if pair and not _is_tracking(pair))
    if path == "/" and not query and not fragment:
        return None
    return f"https://{netloc}{path}{'?' if query else ''}{query}{'#' if fragment else ''}{fragment}"


def _is_tracking(pair: str) -> bool:
    name, _, value = pair.partition("=")
    name = name.lower()
    if name in TRACKING or name.startswith(TRACKING_PREFIXES):
        return True
    return name in FEED_SENSES and (value.lower() in FEED_WORDS or value.lower().startswith("rss_"))


def _escape(text: str) -> str:
    """Non-ASCII as UTF-8 escapes, escapes in upper case: one spelling for each address."""
    return _ESCAPE.sub(lambda match: match[0].upper(), quote(text, safe=_KEPT))
