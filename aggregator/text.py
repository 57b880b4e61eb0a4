"""Helpers for text from outside: control characters out, white space folded. Contains no business logic."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

# C0 (but for tab and newline), DEL, C1, the bidi controls, zero-width and other invisible format characters, BOM,
# interlinear annotation, tag characters, lone surrogates and noncharacters. ZWJ and ZWNJ are judged by their neighbours below.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# what Python calls printable of these: fillers, marks, and variation selectors (U+E0100…, which begin like this in UTF-8)
_PRINTABLE = "\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164\uffa0"
_TAGS = b"\xf3\xa0"
_BEGINNINGS = tuple(sorted({char.encode()[:1] for char in _PRINTABLE} | {_TAGS[:1]}))
"""Their first bytes in UTF-8, which few other letters have."""
_JOINERS = re.compile("[\u200c\u200d]")


def strip_controls(text: str) -> str:
    """Text without C0, C1, bidi and invisible controls; tab and newline stay, line separators become newlines.

    ZWJ and ZWNJ stay where they do their work: between two letters or marks, or after an emoji before another one.
    """
    if _is_clean(text):
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if _FORBIDDEN.search(text):
        text = _FORBIDDEN.sub("", text)
    return _keep_working_joiners(text) if _JOINERS.search(text) else text


def _is_clean(text: str) -> bool:
    """Whether plainly nothing has to go, as in most texts. To look for what is not there takes four times as long."""
    flat = text.replace("\n", " ").replace("\xa0", " ")
    if not flat.isprintable():
        return False
    if flat.isascii():
        return True
    raw = flat.encode()
    return not (any(map(raw.__contains__, _BEGINNINGS)) and (any(map(flat.__contains__, _PRINTABLE)) or _TAGS in raw))


def _keep_working_joiners(text: str) -> str:
    kept: list[str] = []
    for i, char in enumerate(text):
        if char in "\u200c\u200d":
            before = kept[-1] if kept else ""
            after = text[i + 1 : i + 2]
            if not (_joins(before) and _joins(after)):
                continue
        kept.append(char)
    return "".join(kept)


def _joins(char: str) -> bool:
    # So = emoji and other pictographs, Sk = skin tones, M* = marks and variation selectors
    return bool(char) and (char.isalpha() or unicodedata.category(char) in ("So", "Sk", "Mn", "Mc", "Me"))


def one_line(text: str) -> str:
    """Controls out, every run of white space one space, no space at the ends."""
    return _fold(strip_controls(text))


def _fold(text: str) -> str:
    # printable: then a blank is all the white space it can hold, and to see that there is nothing to fold takes a third of the time
    if text.isprintable() and "  " not in text and text[:1] != " " and text[-1:] != " ":
        return text
    return " ".join(text.split())


def paragraphs(text: str) -> str:
    """Controls out, spaces folded inside lines, at most one blank line between paragraphs."""
    return fold_lines(strip_controls(text))


def fold_lines(text: str) -> str:
    """`paragraphs` of a text whose controls are out."""
    if "\n" not in text:
        return _fold(text)
    text = "\n".join(map(_fold, text.split("\n")))
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip()


def shorten(text: str, width: int) -> str:
    """At most `width` characters, cut at a word where one is near, with an ellipsis when cut."""
    if len(text) <= width:
        return text
    cut = text[: width - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > width * 2 // 3 else cut).rstrip(" ,;:.-–—") + "…"


BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.:-=+*#"


def bars(counts: Sequence[int], *, least_top: int = 1, levels: str = BLOCKS) -> str:
    """One character for each number, as high as it is large: "▁▂▁█". Nothing but 0 is at the ground; the highest of the
    `levels` stands for the largest number, or for `least_top` when that is larger."""
    top = max((*counts, least_top))
    return "".join(levels[-(-n * (len(levels) - 1) // top)] for n in counts)


_PASSWORD = re.compile(r"(://[^:/@\s]*):[^/\s]*@")  # to the last @: a password may hold one


def without_password(value: object) -> Any:
    """A value as it may be shown: the password in an address is masked."""
    return _PASSWORD.sub(r"\1:***@", value) if isinstance(value, str) else value
