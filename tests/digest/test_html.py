"""The HTML page and the mail, as validators and readers of assistive devices meet them: well-formed, labelled, legible, alone.

A run of axe-core 4 in Chromium over the digest of 27 December 2023 found nothing at 390 and 1280 pixels, light and dark; the
rules here are those of its rules that need no browser.
"""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import html5lib
import pytest

from aggregator.digest.deliver import FolderCourier
from aggregator.digest.index_page import to_index
from aggregator.digest.mail_body import list_id, mail_parts, references, thread_id
from aggregator.digest.render import render
from aggregator.model import Delivery, Digest
from aggregator.textfile import replace_text
from tests.digest.sample import FEEDS, PERIOD, STATES, TOPICS, coverage, day, item, select
from tests.digest.test_forms import HOSTILE, hostile_digest

Element = Any


def the_day() -> Digest:
    return select(day(), TOPICS, FEEDS, STATES, PERIOD)


def page_of(digest: Digest, form: str) -> str:
    return render(digest, "html", explain=True) if form == "page" else mail_parts(digest)[0]


def parsed(text: str) -> Element:
    """The tree, after html5lib in its strict mode found no error (WHATWG's parse errors)."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


@pytest.mark.parametrize("form", ["page", "mail"])
@pytest.mark.parametrize("text", ["", *HOSTILE])
def test_a_validator_finds_no_error_whatever_feeds_say(form: str, text: str) -> None:
    parsed(page_of(hostile_digest(text) if text else the_day(), form))


@pytest.mark.parametrize("form", ["page", "mail"])
def test_headings_step_down_one_level_at_a_time_and_links_and_pictures_have_names(form: str) -> None:
    tree = parsed(page_of(the_day(), form))
    levels = [int(node.tag[1]) for node in tree.iter() if re.fullmatch(r"h[1-6]", str(node.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("".join(node.itertext()).strip() for node in tree.iter("a"))
    assert all(node.get("aria-label") for node in tree.iter("{http://www.w3.org/2000/svg}svg"))
    assert all(node.get("lang") for node in tree.iter("html"))
    assert all(child.tag == "li" for node in tree.iter("ul") for child in node)


def test_words_of_another_language_are_marked_so() -> None:
    polish = replace(item(1, "north", 3, "Sejm obraduje nad budżetem"), language="pl")
    tree = parsed(render(select([coverage(9, (polish,)), *day()], TOPICS, FEEDS, STATES, PERIOD), "html"))
    marked = [node for node in tree.iter() if node.get("lang") == "pl"]
    assert len(marked) == 1
    assert "Sejm" in "".join(marked[0].itertext())


# --- contrast (WCAG 2.2, 1.4.3: 4.5 to 1) ------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_ink_is_legible_on_its_paper_in_light_and_dark() -> None:
    template = resources.files("aggregator.digest").joinpath("templates/digest.html.jinja").read_text(encoding="utf-8")
    themes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", line)) for line in template.splitlines() if "--paper: #" in line and "--good" in line
    ]
    assert len(themes) == 2
    for theme in themes:
        assert all(contrast(theme[ink], theme["paper"]) >= 4.5 for ink in ("ink", "dim", "accent", "good")), theme


def test_every_ink_of_the_mail_is_legible_on_its_paper() -> None:
    template = resources.files("aggregator.digest").joinpath("templates/mail.html.jinja").read_text(encoding="utf-8")
    light, _, dark = template.partition("@media")
    for part in (light, dark):
        paper = re.search(r"background: (#[0-9a-f]{6})", part)
        assert paper
        inks = set(re.findall(r"[ ;]color: (#[0-9a-f]{6})", part))
        assert len(inks) >= 4
        assert all(contrast(ink, paper[1]) >= 4.5 for ink in inks)


# --- the mail ----------------------------------------------------------------------------------------------------------


def test_a_mail_has_its_styles_in_the_elements_and_loads_nothing() -> None:
    html, plain = mail_parts(the_day())
    tree = parsed(html)
    names = {node.tag for node in tree.iter()}
    assert not {"img", "script", "link", "iframe", "svg"} & names
    assert all(node.get("style") for node in tree.iter("h3"))
    assert "url(" not in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert "var(" not in html
    assert plain == render(the_day(), "plain")
    for shown in the_day().stories:
        assert shown.story.title in "".join(tree.itertext())


def test_days_thread_by_references_that_two_days_share() -> None:
    tomorrow = replace(PERIOD, from_at=PERIOD.to_at, to_at=PERIOD.to_at + (PERIOD.to_at - PERIOD.from_at))
    today, next_day = references("daily", PERIOD, "box.example"), references("daily", tomorrow, "box.example")
    assert today[-1] == thread_id("daily", PERIOD, "box.example") == "<daily.20231227@box.example>"
    assert set(today[1:]) < set(next_day)


def test_a_name_and_a_host_can_break_no_header() -> None:
    assert list_id("my digest>\r\nBcc: x", "box.example") == "Digest my-digest-Bcc-x <my-digest-Bcc-x.digest.box.example>"
    assert re.fullmatch(r"<[A-Za-z0-9.@-]+>", thread_id("a b<c>@d", PERIOD, "näs"))


# --- the index of a folder ---------------------------------------------------------------------------------------------


def test_the_index_lists_digests_newest_first_by_month_and_nothing_else() -> None:
    files = [
        "digest-daily-2023-12-27.html",
        "digest-daily-2024-01-02.html",
        "digest-my-week-2023-12-31.html",
        "digest-daily-2023-12-27-2.html",
    ]
    tree = parsed(to_index([*files, "index.html", "notes.html", "digest-daily-2023-13-40.html"]))
    assert [node.get("href") for node in tree.iter("a")] == [files[1], files[2], files[3], files[0]]
    assert ["".join(node.itertext()) for node in tree.iter("h2")] == ["January 2024", "December 2023"]
    shown = ["".join(node.itertext()) for node in tree.iter("li")]
    assert shown[1:3] == ["Sunday 31 December 2023 my-week", "Wednesday 27 December 2023 daily, 2"]


def test_a_name_in_the_index_is_never_markup() -> None:
    tree = parsed(to_index(['digest-"><script>alert(1)<-2023-12-27.html']))
    assert not list(tree.iter("script"))
    assert len(list(tree.iter("a"))) == 1


def test_a_folder_of_html_digests_has_an_index_and_a_folder_of_others_has_none(tmp_path: Path) -> None:
    def deliver(format: str) -> list[str]:
        folder = tmp_path / format
        courier = FolderCourier(folder, replace_text)
        delivery = Delivery("k", "daily", "folder", PERIOD, {format: "x"})
        courier.deliver(replace(delivery, place=courier.place(delivery, ())))
        return sorted(path.name for path in folder.iterdir())

    assert deliver("html") == ["digest-daily-2023-12-27.html", "index.html"]
    assert deliver("markdown") == ["digest-daily-2023-12-27.md"]
