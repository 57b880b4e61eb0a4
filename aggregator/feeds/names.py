"""Short unique names for feeds, and when two addresses mean the same feed. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from urllib.parse import urlsplit

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What a feed's name looks like."""
_LONGEST = 32
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_DULL_HOST_PARTS = {"www", "feeds", "feed", "rss", "com", "org", "net", "co", "uk", "de", "fr", "io", "xml", "atom", "feedburner", "feeds2"}

# letters that Unicode does not decompose, Cyrillic (as in ISO 9 without diacritics, Ukrainian and Russian forms) and Greek
_LETTERS = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ŋ": "n", "ħ": "h", "ŧ": "t",
        "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "ё": "e", "є": "ie", "ж": "zh", "з": "z", "и": "i", "і": "i",
        "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ў": "u",
        "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "iu", "я": "ia",
        "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "ђ": "dj", "џ": "dz",
        "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k", "λ": "l", "μ": "m", "ν": "n",
        "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t", "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
        "’": "", "'": "", "‘": "",
    }
)  # fmt: skip


def slug(text: str) -> str:
    """ASCII words joined by hyphens: "Die Zeit – Politik" -> "die-zeit-politik"; empty for scripts without letters to spell."""
    lowered = text.lower().translate(_LETTERS)  # before decomposition, which would part й and ї
    bare = "".join(char for char in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(char))
    return _NOT_IN_NAMES.sub("-", bare.translate(_LETTERS)).strip("-")


def make_name(title: str | None, url: str, taken: Container[str]) -> str:
    """A name that is not in `taken`: from the title, else from the address; numbered (-2, -3 …) when there is one already."""
    base = _cut(slug(title or "")) or _cut(slug(_words_of(url))) or "feed"
    return numbered(base, taken)


def numbered(base: str, taken: Container[str]) -> str:
    """`base` itself, else `base`-2, `base`-3 and so on."""
    name, number = base, 2
    while name in taken:
        name = f"{base}-{number}"
        number += 1
    return name


def _cut(name: str) -> str:
    if len(name) <= _LONGEST:
        return name
    head, _, _ = name[: _LONGEST + 1].rpartition("-")
    return head or name[:_LONGEST]


def _words_of(url: str) -> str:
    parts = urlsplit(url)
    host = [part for part in (parts.hostname or "").split(".") if part not in _DULL_HOST_PARTS]
    path = [part.partition(".")[0] for part in parts.path.split("/")]
    return " ".join([*host, *(part for part in path if part and part not in _DULL_HOST_PARTS)])


def same_address(url: str) -> str:
    """A key that is equal for addresses of one feed: http or https, letter case of the host, default port and fragment aside."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    host = (parts.hostname or "").rstrip(".")
    where = f"{host}:{port}" if port and port not in (80, 443) else host
    return f"//{where}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")


def problem_of_url(url: str) -> str | None:
    """What is wrong with a feed's address, as the rest of a sentence; None when it can be fetched."""
    if any(char.isspace() or ord(char) < 32 or ord(char) == 127 for char in url):
        return "holds spaces or control characters"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"is no valid address ({error})"
    if parts.scheme.lower() not in ("http", "https"):
        return "does not begin with http:// or https://"
    return None if parts.hostname else "names no host"
