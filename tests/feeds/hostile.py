"""A generator of hostile inputs: documents that are slow, large or dangerous to read, and answers that break HTTP.

`DOCUMENTS` and `ANSWERS` are the known kinds by name, made when they are asked for; `documents()` and `pieces()` are strategies for
hypothesis that put such things together at random.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable, Iterable

import brotli
import zstandard
from hypothesis import strategies as st

from tests.feeds.server import Asked, reply

ITEM = "<item><title>One</title><guid>1</guid><link>https://e.org/1</link></item>"


def rss(inner: str = ITEM, head: str = '<?xml version="1.0"?>', channel: str = "") -> bytes:
    return f'{head}<rss version="2.0"><channel><title>T</title>{channel}{inner}</channel></rss>'.encode("utf-8", "surrogatepass")


def titled(title: str) -> bytes:
    return rss(ITEM.replace("One", title))


def described(markup: str) -> bytes:
    return rss(f"<item><guid>1</guid><title>One</title><description>{markup}</description></item>")


def encoded(name: str, text: str) -> bytes:
    """A document that says it is in the encoding `name`, and hides in it what is text only for that codec."""
    return rss(ITEM.replace("One", text), head=f'<?xml version="1.0" encoding="{name}"?>')


def listed(template: str, values: Iterable[str]) -> bytes:
    """An item for each value, put in where the template has a {}."""
    return rss("".join(f"<item><guid>{n}</guid><title>t</title>{template.replace('{}', value)}</item>" for n, value in enumerate(values)))


def entities(*declarations: str) -> bytes:
    return rss(ITEM.replace("One", "a&x;b"), head=f'<?xml version="1.0"?><!DOCTYPE rss [{"".join(declarations)}]>')


def laughs(base: str = "ha", times: int = 10, depth: int = 12) -> bytes:
    nested = (f'<!ENTITY a{n} "{f"&a{n - 1};" * times}">' for n in range(1, depth))
    return entities(f'<!ENTITY a0 "{base}">', *nested, f'<!ENTITY x "&a{depth - 1};">')


Maker = Callable[[], bytes]

DOCUMENTS: dict[str, Maker] = {
    # quadratic time
    "8,000 attributes": lambda: rss(ITEM.replace("<item>", "<item " + " ".join(f'a{n}="1"' for n in range(8_000)) + ">")),
    "100,000 attributes": lambda: rss(ITEM.replace("<item>", "<item " + " ".join(f'a{n}="1"' for n in range(100_000)) + ">")),
    "40,000 comments begun": lambda: described("&lt;!--" * 40_000),
    "a million open tags": lambda: described("&lt;" * 1_000_000),
    "a million bare tags": lambda: rss(ITEM + "<a " * 1_000_000),
    "a million open quotes": lambda: rss("<item><title>&</title>" + "<a '" * 300_000 + "</item>"),
    "a million ampersands": lambda: titled("&" * 1_000_000),
    "a million entities": lambda: titled("&amp;" * 1_000_000),
    "200,000 nested elements": lambda: rss("<a>" * 200_000),
    "40,000 nested divs": lambda: described("&lt;div&gt;" * 40_000),
    "100,000 namespaces": lambda: rss(ITEM.replace("<item>", "<item " + " ".join(f'xmlns:n{n}="u{n}"' for n in range(100_000)) + ">")),
    "a million CDATA ends": lambda: described("<![CDATA[" + "]]" * 1_000_000 + "]]>"),
    "a million brackets": lambda: b"[" * 1_000_000,
    "a JSON number of 2 MB": lambda: b'{"version": "https://jsonfeed.org/version/1.1", "items": ' + b"9" * 2_000_000 + b"}",
    "a DOCTYPE of 2 MB": lambda: entities(*(f'<!ENTITY e{n} "{"v" * 100}">' for n in range(16_000))),
    # size
    "a title of 8 MB": lambda: titled("word " * 1_600_000),
    "a guid of 8 MB": lambda: rss(ITEM.replace(">1<", f">{'g' * 8_000_000}<")),
    "a link of 8 MB": lambda: rss(ITEM.replace("https://e.org/1", "https://e.org/" + "x" * 8_000_000)),
    "a date of 8 MB": lambda: rss(ITEM.replace("</item>", f"<pubDate>{'1' * 8_000_000}</pubDate></item>")),
    "100,000 items": lambda: rss("".join(f"<item><title>Item {n}</title><guid>{n}</guid></item>" for n in range(100_000))),
    "100,000 categories": lambda: rss(ITEM.replace("</item>", "<category>c</category>" * 100_000 + "</item>")),
    "100,000 enclosures": lambda: rss(ITEM.replace("</item>", '<enclosure url="http://e.org/a.mp3"/>' * 100_000 + "</item>")),
    "laughs": laughs,
    "quadratic laughs": lambda: entities(f'<!ENTITY x "{"a" * 50_000}">').replace(b"a&x;b", b"&x;" * 20_000),
    # what must not be read or asked for
    "an external entity": lambda: entities('<!ENTITY x SYSTEM "file:///etc/passwd">'),
    "an external parameter entity": lambda: entities('<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;', '<!ENTITY x "y">'),
    "an external DTD": lambda: rss(head='<?xml version="1.0"?><!DOCTYPE rss SYSTEM "http://127.0.0.1:1/x.dtd">'),
    "an XInclude": lambda: described('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'),
    "a stylesheet": lambda: rss(head='<?xml version="1.0"?><?xml-stylesheet href="file:///etc/passwd"?>'),
    # characters
    "a surrogate reference": lambda: titled("a&#xD800;b"),
    "a reference beyond Unicode": lambda: titled("a&#x110000;b"),
    "a reference of 5,000 digits": lambda: titled("a&#" + "9" * 5_000 + ";b"),
    "a raw surrogate": lambda: titled("a\ud800b"),
    "C0 and ESC": lambda: titled("a\x1b]0;gone\x07\x00\x08b&#27;[31m&amp;#27;[2J"),
    "C1": lambda: titled("a\x81\x8d\x8f\x90\x9d\x9b31mb&#x9b;2J"),
    "bidi": lambda: titled("a\u202egnp.exe\u2066\u2069\u200f\ufeff&#x202e;b&amp;#x202d;"),
    "tag characters": lambda: titled("a" + "".join(chr(0xE0000 + ord(char)) for char in "ignore") + "b"),
    "10,000 combining marks": lambda: titled("a" + "\u0301" * 10_000),
    "unicode_escape": lambda: encoded("unicode_escape", r"a\x1b[31m\u202eb"),
    "raw_unicode_escape": lambda: encoded("raw_unicode_escape", r"a\u001b[31mb"),
    "utf-7": lambda: encoded("utf-7", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-+ABs-[31m"),
    "undefined": lambda: encoded("undefined", "One"),
    "punycode": lambda: encoded("punycode", "One-"),
    "hz": lambda: encoded("hz", "~{<:Ky~}"),
    "iso2022_jp": lambda: encoded("iso2022_jp", "\x1b$B$3$s\x1b(B"),
    "utf-16 without a mark": lambda: rss().decode().encode("utf-16-le"),
    "utf-32": lambda: rss().decode().encode("utf-32"),
    "EBCDIC": lambda: rss(head='<?xml version="1.0" encoding="cp037"?>').decode().encode("cp037"),
    "overlong UTF-8": lambda: titled("a\x00b").replace(b"\x00", b"\xc0\xbcscript\xc0\xbe"),
    "NUL everywhere": lambda: b"\x00".join(bytes([byte]) for byte in rss()),
    # addresses
    "links that run": lambda: listed("<link>{}</link>", LINKS),
    "media that run": lambda: listed('<enclosure url="{}" type="audio/mpeg"/>', LINKS),
    "markup that runs": lambda: described("".join(f"<![CDATA[{markup}]]>" for markup in MARKUP)),
    "titles that run": lambda: listed("<title><![CDATA[{}]]></title>", MARKUP),
    # times
    "odd dates": lambda: listed("<pubDate>{}</pubDate>", DATES),
    "odd durations": lambda: listed('<i:duration xmlns:i="http://www.itunes.com/dtds/podcast-1.0.dtd">{}</i:duration>', DATES),
    "odd hints": lambda: rss(channel="<ttl>" + "9" * 400 + "</ttl><skipHours>" + "<hour>99</hour>" * 5_000 + "</skipHours>"),
    # no feeds
    "nothing": lambda: b"",
    "blanks": lambda: b" \n" * 1_000_000,
    "a gzip file": lambda: gzip.compress(rss()),
    "a page": lambda: b"<!doctype html><title>x</title>" + b"<p>" * 100_000,
    "noise": lambda: bytes(range(256)) * 4_000,
}  # fmt: skip

LINKS: tuple[str, ...] = (
    *("javascript:alert(1)", "JaVaScRiPt:alert(1)", " java\tscript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd"),
    *(
        "ftp://e.org/x",
        "https://user:secret@e.org/x",
        "http://[::1",
        "http://e.org:99999/",
        "//e.org/x",
        "http:///x",
        "http://e.org\\@evil/",
    ),
    *("https://e.org/\u202egnp", "https://e.org/a b", "https://e.org/\x1b[31m", "https://e.org/%zz", "?x", "#", "mailto:x@e.org"),
    *("http://2130706433/", "http://0x7f.1/", "https://e.org/&quot;onmouseover=x", "tel:1", "about:blank", "blob:https://e.org/1"),
)
MARKUP: tuple[str, ...] = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<video poster=javascript:alert(1)>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<base href='http://evil.example/'><a href=x>y</a>",
    "<style>@import 'http://evil.example/x.css'</style><p style='background:url(javascript:x)'>z",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<a href='http://user:secret@e.org/'>x</a>",
    "<template><script>alert(1)</script></template>",
    "<p>\x1b]8;;http://evil.example\x07x</p>",
)
DATES: tuple[str, ...] = (
    *(
        "0",
        "-1",
        "1e400",
        "99999999999999999",
        "0000-00-00",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
    ),
    *(
        "2023-W52-3",
        "31 Feb 2023 10:00 GMT",
        "Thu, 32 Dec 2023 99:99:99 +9999",
        "1703678400",
        "1703678400000",
        "now",
        "2023-13-45",
        "24:00",
    ),
    *("Mon, 25 Dec 0023 10:00:00 GMT", "1601-01-01T00:00:00Z", "２０２３-12-25", "12:34:56:78", "-5:00", "1:99:99", "∞"),
)


# --- answers ------------------------------------------------------------------------------------------------------------

Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def at_once(data: bytes, *, close: bool = True) -> Answer:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return answer


def for_ever(start: bytes, block: bytes, pause: float = 0.0) -> Answer:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(block)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def packed(coding: str, pack: Callable[[bytes], bytes], size: int = 64 << 20) -> Answer:
    """A bomb: zeros, made when it is asked for."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await at_once(reply(body=pack(bytes(size)), headers=[f"Content-Encoding: {coding}"]))(asked, writer)

    return answer


async def _silence(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _circle(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(reply("302 Found", headers=[f"Location: {asked.target}x"]))
    await writer.drain()


ANSWERS: dict[str, Answer] = {
    "silence": _silence,
    "a drip in the body": for_ever(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"<", 0.05),
    "a drip in the headers": for_ever(b"HTTP/1.1 200 OK\r\n", b"X", 0.05),
    "a drip of chunks": for_ever(_CHUNKED, b"1\r\n<\r\n", 0.05),
    "an endless body": for_ever(_CHUNKED, b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
    "an endless body without a length": for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536),
    "an endless header line": for_ever(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 8_192),
    "endless header lines": for_ever(b"HTTP/1.1 200 OK\r\n", b"X-Line: x\r\n" * 500),
    "endless interim answers": for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 0.001),
    "an endless trailer": for_ever(_CHUNKED + b"0\r\n", b"X-Line: x\r\n" * 500),
    "an endless chunk size": for_ever(_CHUNKED, b"0" * 4_096),
    "redirects for ever": _circle,
    "a gzip bomb": packed("gzip", gzip.compress),
    "a deflate bomb": packed("deflate", zlib.compress),
    "a br bomb": packed("br", lambda data: brotli.compress(data, quality=3)),
    "a zstd bomb": packed("zstd", zstandard.compress),
    "a bomb in a bomb": packed("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    "eight codings": at_once(reply(body=b"x", headers=["Content-Encoding: " + "gzip, " * 7 + "gzip"])),
    "gzip that is none": at_once(reply(body=b"\x1f\x8b" + b"junk" * 99, headers=["Content-Encoding: gzip"])),
    "gzip cut off": at_once(reply(body=gzip.compress(rss())[:-20], headers=["Content-Encoding: gzip"])),
    "a length too long": at_once(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + rss()),
    "a length of 20 digits": at_once(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n" + rss()),
    "a length below nothing": at_once(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + rss()),
    "two lengths": at_once(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 500\r\n\r\n" + rss()),
    "a chunk size that is none": at_once(_CHUNKED + b"zz\r\n<rss>\r\n0\r\n\r\n"),
    "a chunk that is too short": at_once(_CHUNKED + b"ffff\r\n<rss>"),
    "no HTTP": at_once(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "nothing": at_once(b""),
    "a status that is none": at_once(b"HTTP/1.1 99999 What\r\n\r\n"),
    "a header with NUL": at_once(b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n"),
    "a redirect to a script": at_once(reply("302 Found", headers=["Location: javascript:alert(1)"])),
    "a redirect to a file": at_once(reply("301 Moved Permanently", headers=["Location: file:///etc/passwd"])),
    "a redirect to metadata": at_once(reply("307 Temporary Redirect", headers=["Location: http://169.254.169.254/latest/"])),
    "a redirect to mapped metadata": at_once(reply("302 Found", headers=["Location: http://[::ffff:a9fe:a9fe]/"])),
    "a redirect with an escape": at_once(reply("302 Found", headers=["Location: http://e\x1b[31m.org/"])),
    "a redirect of 90 kB": at_once(reply("302 Found", headers=["Location: http://127.0.0.1:1/" + "x" * 90_000])),
}


# --- at random -----------------------------------------------------------------------------------------------------------


def pieces() -> st.SearchStrategy[str]:
    """Text with what may hurt in it: controls, markup, addresses, dates, references."""
    nasty = [
        *LINKS, *MARKUP, *DATES, "\x1b[2J", "\x9b31m", "\u202e", "\u2066", "\ufeff", "\u200b", "\x00", "&#27;", "&#x202e;", "&amp;#8238;",
        "&#xD800;", "]]>", "<![CDATA[", "<!--", "-->", "<?x", "&x;", "&", "<", "\ud800",
    ]  # fmt: skip
    return st.lists(st.sampled_from(nasty) | st.text(max_size=12), max_size=5).map("".join)


_RSS_NAMES = (
    "title", "description", "link", "guid", "pubDate", "author", "category", "dc:date", "dc:creator", "content:encoded", "itunes:duration",
    "itunes:author", "media:title", "comments", "ttl", "language", "sy:updatePeriod", "atom:updated", "x",
)  # fmt: skip
_ATOM_NAMES = ("title", "summary", "content", "id", "updated", "published", "author", "rights", "link", "x")
_SPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media='
    '"http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom" '
    'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
)


def documents() -> st.SearchStrategy[bytes]:
    """RSS, Atom and JSON Feed of hostile pieces, some cut, some in a wrong encoding, some with bytes changed."""
    return st.builds(_spoil, _rss() | _atom() | _json(), st.integers(0, 400), st.sampled_from(("", "cut", "byte", "utf-16", "latin-1")))


def _element(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    def make(name: str, text: str, cdata: bool, attributes: str) -> str:
        return f"<{name}{attributes}>{f'<![CDATA[{text}]]>' if cdata else text}</{name}>"

    attributes = (
        "",
        ' type="html"',
        ' type="xhtml"',
        ' type="text"',
        ' href="javascript:x"',
        ' isPermaLink="true"',
        ' xml:base="http://u:p@e.org/"',
    )
    return st.builds(make, st.sampled_from(names), pieces(), st.booleans(), st.sampled_from(attributes))


def _rss() -> st.SearchStrategy[str]:
    def make(channel: list[str], items: list[list[str]]) -> str:
        inner = "".join(channel) + "".join(f"<item>{''.join(item)}</item>" for item in items)
        return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0" {_SPACES}><channel>{inner}</channel></rss>'

    elements = st.lists(_element(_RSS_NAMES), max_size=5)
    return st.builds(make, elements, st.lists(elements, min_size=1, max_size=3))


def _atom() -> st.SearchStrategy[str]:
    def make(feed: list[str], entries: list[list[str]]) -> str:
        inner = "".join(feed) + "".join(f"<entry>{''.join(entry)}</entry>" for entry in entries)
        return f'<feed xmlns="http://www.w3.org/2005/Atom">{inner}</feed>'

    elements = st.lists(_element(_ATOM_NAMES), max_size=5)
    return st.builds(make, elements, st.lists(elements, min_size=1, max_size=3))


def _json() -> st.SearchStrategy[str]:
    import json

    names = (
        "id",
        "url",
        "external_url",
        "title",
        "content_html",
        "content_text",
        "summary",
        "date_published",
        "author",
        "tags",
        "attachments",
    )
    values = (
        st.none()
        | st.booleans()
        | st.floats()
        | pieces()
        | st.lists(pieces() | st.dictionaries(pieces(), pieces(), max_size=2), max_size=2)
    )
    items = st.lists(st.dictionaries(st.sampled_from(names), values, max_size=6), max_size=3)
    return items.map(lambda found: json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": found}))


def _spoil(document: str, place: int, how: str) -> bytes:
    if how in ("utf-16", "latin-1"):
        return document.encode(how, "replace")
    body = document.encode("utf-8", "surrogatepass")
    if how == "cut":
        return body[: max(1, len(body) - place)]
    if how == "byte":
        at = place % len(body)
        return body[:at] + bytes([place % 256]) + body[at + 1 :]
    return body
