"""Turns the markup of strangers into plain text and into HTML that is safe to show. Contains no business logic."""

from __future__ import annotations

import html
import re
from contextvars import ContextVar
from urllib.parse import urljoin

import nh3

from aggregator.text import fold_lines, one_line, paragraphs, strip_controls

LONGEST_HTML = 200_000
"""Characters of one item's markup; the rest is cut off before it is parsed."""
DEEPEST = 250
"""Open elements at once. The sanitiser's time grows with the square of it: 40,000 nested <div> (200 KB) take it 9.4 s."""

_ALLOWED = (
    "a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i "
    "img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead time tr u ul var"
)
_TAGS = set(_ALLOWED.split())
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "time": {"datetime"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
    "blockquote": {"cite"},
    "q": {"cite"},
}
_EMBEDS = "script style noscript template iframe object embed svg math head title textarea select form button audio video canvas"
_REMOVED_WITH_CONTENT = set(_EMBEDS.split())
_LINES = "p div br li ul ol dl dt dd tr table blockquote pre h1 h2 h3 h4 h5 h6 figure section article header footer hr"
_BLOCKS = set(_LINES.split())
_TEXT_REMOVED = _REMOVED_WITH_CONTENT | {"figcaption"}
# made once: setting up the sanitiser takes 30 µs, more than cleaning a short summary
_BARE = nh3.Cleaner(tags=_BLOCKS, attributes={}, clean_content_tags=_TEXT_REMOVED, link_rel=None)
# what is told apart for the text and not kept in the HTML, or the other way round
_ONLY_IN_TEXT = re.compile(r"</?(?:section|article|header|footer|figcaption)", re.IGNORECASE)
_LINE_ENDS = ("br", "li", "tr", "dt", "dd")
_BREAKS = {f"{slash}{tag}": "\n" if tag in _LINE_ENDS else "\n\n" for tag in _BLOCKS for slash in ("", "/")}
_SURROGATE = re.compile("[\ud800-\udfff]")
_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^<>]*>")
_OPENING = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})")
# these close themselves or their like, so that they do not nest
_VOID = "p li br img hr input col td tr th dd dt wbr link meta source option area base embed param track"
_FLAT = frozenset(_VOID.split())
_ENTITY = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]{1,30}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
_HTML_TAG = re.compile(
    r"<(?!/?(?:a|abbr|b|big|blockquote|br|center|cite|code|div|em|font|h[1-6]|hr|i|img|ins|del|li|mark|nobr|ol|p|pre|q|s|script|small|span|"
    r"strike|strong|style|sub|sup|svg|table|td|time|tr|tt|u|ul|wbr|iframe|object|embed|video|audio|form|input|button|math|noscript|applet|"
    r"blink|body|frame|frameset|head|html|link|marquee|meta)(?=[\s/>]))",
    re.IGNORECASE,
)
_FORMATTING = re.compile(r"</?(?:b|i|em|strong|span|a|p|br|sup|sub|u|font|small|strike|s|img|div)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_LOOKS_LIKE_HTML = re.compile(
    r"</(?:p|a|b|i|em|strong|div|span|ul|ol|li|h[1-6]|blockquote|table)>|<br\s{0,9}/?>|<p>|<img\s[^<>]{1,2000}>", re.IGNORECASE
)


def title_text(title: str, is_html: bool) -> str:
    """One line of plain text. HTML titles lose known tags and their entities, also doubly escaped ones; "List<String>" stays."""
    text = _sound(title[:LONGEST_HTML])
    if "<" not in text and "&" not in text:
        return one_line(text)
    if is_html and "<" in text:
        text = _strip_tags(text)
    elif is_html:
        text = html.unescape(text)
    for _ in range(2):
        if not _ENTITY.search(text):
            break
        text = html.unescape(text)
    return one_line(_FORMATTING.sub("", text) if is_html else text)


def _sound(text: str) -> str:
    """Without halves of surrogate pairs, which JSON may hold and no encoder takes."""
    if text.isascii():
        return text
    try:
        text.encode()  # a third of the time of looking for them
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def _strip_tags(text: str) -> str:
    text = _HTML_TAG.sub("&lt;", text)
    if "<" not in text:
        return html.unescape(text)
    if _too_deep(text):
        return html.unescape(_ANY_TAG.sub(" ", text))
    from selectolax.lexbor import LexborHTMLParser  # 4 ms that most documents do not need

    body = LexborHTMLParser(f"<body>{text}").body
    if body is None:
        return ""
    for node in body.css("script, style, noscript, svg, math, iframe, object"):
        node.decompose()
    return body.text(deep=True)


def html_text(markup: str) -> str:
    """Plain text of a piece of HTML, paragraphs kept, without scripts, embeds and captions."""
    markup = _sound(markup[:LONGEST_HTML])
    if "<" in markup:
        if _too_deep(markup):
            markup = _ANY_TAG.sub(" ", markup)
        # line breaks of the source are blanks; only blocks make lines. nh3 leaves bare tags of the blocks and escapes everything else.
        markup = _break_lines(_BARE.clean(markup.replace("\n", " "))) or ""
    return _unescaped(markup)


def _unescaped(markup: str) -> str:
    """The text of markup without tags."""
    if "&" not in markup:
        return paragraphs(markup)
    text = html.unescape(markup)
    # doubly escaped entities (&amp;nbsp;) are a mistake of the publisher's software, never meant
    return paragraphs(html.unescape(text) if _ENTITY.search(text) else text)


def _break_lines(clean: str) -> str | None:
    """Line breaks instead of the tags of blocks, nothing instead of others. None: an attribute holds what looks like a tag."""
    first, *others = clean.split("<")
    pieces = [first]
    for other in others:
        tag, end, text = other.partition(">")
        if not end or tag.count('"') % 2:
            return None
        name, _, attributes = tag.partition(" ")
        broken = _BREAKS.get(name, "")
        if attributes and broken and any(part.strip() in ("title=", "lang=") for part in attributes.split('"')[::2]):
            broken = ""  # these nh3 leaves at the bare blocks, too, which were never taken for lines
        pieces += broken, text
    return "".join(pieces)


def safe_html(markup: str, base: str | None) -> str:
    """Markup of an allow list: no scripts, forms, styles or embeds; links and images only to http and https (links also mailto).

    Relative addresses are resolved against `base`, or dropped without one. Links get rel="noopener nofollow".
    """
    markup = _sound(markup[:LONGEST_HTML])
    if "<" not in markup:
        return html.escape(strip_controls(html.unescape(markup)), quote=False).strip()
    if _too_deep(markup):
        return html.escape(html_text(markup), quote=False)
    return _finished(_safe(markup, base))


def _safe(markup: str, base: str | None) -> str:
    token = _current_base.set(base)
    try:
        return _SAFE.clean(markup)
    finally:
        _current_base.reset(token)


def _finished(clean: str) -> str:
    return strip_controls(clean).strip()  # not before cleaning, in which character references become characters


def text_and_html(markup: str, base: str | None, longest: int) -> tuple[str, str]:
    """html_text of the first `longest` characters and safe_html.

    Most summaries are looked at once for both: those without markup, and those of which nh3 keeps all tags that make lines.
    """
    if len(markup) <= longest:
        if "<" not in markup and "&" not in markup:
            text = strip_controls(_sound(markup))
            return fold_lines(text), text.replace(">", "&gt;").strip()
        if "<" in markup and "\r" not in markup and not _ONLY_IN_TEXT.search(markup):
            markup = _sound(markup)
            if not _too_deep(markup):
                clean = _safe(markup, base)
                lines = _break_lines(clean.replace("\n", " "))
                return html_text(markup) if lines is None else _unescaped(lines), _finished(clean)
    return html_text(markup[:longest]), safe_html(markup, base)


_current_base: ContextVar[str | None] = ContextVar("current_base", default=None)


def _filter_address(tag: str, name: str, value: str) -> str | None:
    """Resolves the addresses in attributes and drops those that must not be followed."""
    if name not in ("href", "src", "cite"):
        return value[:1000]
    address = value.strip()
    if not _ABSOLUTE.match(address):
        try:
            address = urljoin(_current_base.get() or "", address)
        except ValueError:
            return None
    allowed = ("http://", "https://", "mailto:") if name == "href" else ("http://", "https://")
    return address if address.lower().startswith(allowed) else None


_SAFE = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    clean_content_tags=_REMOVED_WITH_CONTENT,
    attribute_filter=_filter_address,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener nofollow",
)


def plain_to_html(text: str) -> str:
    """Plain text as markup: escaped, blank lines part paragraphs, line breaks stay."""
    parts = [html.escape(part.strip(), quote=False).replace("\n", "<br>") for part in re.split(r"\n[ \t]*\n", text) if part.strip()]
    return parts[0] if len(parts) == 1 else "".join(f"<p>{part}</p>" for part in parts)


def looks_like_html(text: str) -> bool:
    """Whether text that is declared as plain is markup all the same, as many feeds have it."""
    return _LOOKS_LIKE_HTML.search(text) is not None


def _too_deep(markup: str) -> bool:
    """Whether more elements are open than any honest page has. Counts by name, so that wrong closing tags do not hide them."""
    if markup.count("<") <= DEEPEST:
        return False
    open_by_name: dict[str, int] = {}
    depth = 0
    for slash, name in _OPENING.findall(markup.lower()):
        if name in _FLAT:
            continue
        count = open_by_name.get(name, 0)
        if slash and not count:
            continue
        open_by_name[name] = count + (-1 if slash else 1)
        depth += -1 if slash else 1
        if depth > DEEPEST:
            return True
    return False
