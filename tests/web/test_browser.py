"""A walk through the pages in a real browser: with keys, by touch, without scripts; nothing is loaded from elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.app import App
from aggregator.demo.server import bundled_feeds, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Browser]:
    """Asks for the address first: the driver keeps an event loop running in this thread, and polling feeds needs one of its own."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the walk needs playwright: pip install playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"the walk needs a browser on this machine: one of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails the test when it loads from elsewhere, or when its policy or a script complains."""
    asked: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "base_url": address} | getattr(request, "param", {})
    context = browser.new_context(**asked)
    page = context.new_page()
    page.set_default_timeout(20_000)
    problems: list[str] = []
    page.on("request", lambda request: problems.extend([] if request.url.startswith(address) else [f"loads {request.url}"]))
    page.on("console", lambda message: problems.extend([message.text] if message.type in ("error", "warning") else []))
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def test_read_correct_search_and_mute(page: Page, app: App) -> None:
    page.goto("/")
    page.get_by_role("link", name="Blinken, Mayorkas in Mexico City").click()
    page.get_by_role("heading", name="Who told it when").wait_for()
    dots = page.locator(".plot circle")
    assert dots.count() == 9
    boxes = [dot.bounding_box() for dot in dots.all()]
    assert len({(round(box["x"]), round(box["y"])) for box in boxes if box}) == 9, "each item has a place of its own in the plot"

    page.get_by_role("checkbox").last.check()
    page.get_by_role("button", name="Split off the ticked items").click()
    page.get_by_role("status").get_by_text("a story of their own").wait_for()
    assert page.locator(".plot circle").count() == 8
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("status").get_by_text("Taken back").wait_for()
    assert page.locator(".plot circle").count() == 9

    page.get_by_role("link", name="Search", exact=True).click()
    page.get_by_label("Words").fill("openai microsoft")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile(r"^\d+ items?$")).wait_for()
    assert page.locator("[data-entry]").count() >= 3

    page.get_by_role("link", name="Topics", exact=True).click()
    label = page.locator("[data-open]").first.inner_text()
    page.get_by_role("button", name=f"Mute {label}").click()
    page.get_by_role("status").get_by_text("Muted").wait_for()
    assert [marked.title for marked in app.marking.list("topic", "mute")] == [label]
    page.get_by_role("button", name=f"Unmute {label}").click()
    page.get_by_role("status").get_by_text("No longer").wait_for()
    assert app.marking.list("topic") == []


def test_a_feed_is_added_after_a_look_at_it(page: Page, app: App) -> None:
    with serve(bundled_feeds()) as urls:
        page.goto("/feeds")
        page.get_by_label("Address of a feed or a web page").fill(urls["the-signal-room"])
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("heading", name="Its newest items").wait_for()
        page.get_by_label("Name", exact=True).fill("second-signal")
        page.get_by_role("button", name="Subscribe").click()
        page.get_by_role("status").get_by_text("Subscribed").wait_for()
    assert "second-signal" in {feed.name for feed in app.subscribed()}


def test_the_keys_walk_open_mute_and_tell_themselves(page: Page, app: App) -> None:
    page.goto("/")
    titles = page.locator("[data-entry] [data-open]").all_inner_texts()

    def focused() -> Any:
        return page.evaluate("document.activeElement.innerText")

    page.keyboard.press("j")
    page.keyboard.press("j")
    assert focused() == titles[1]
    page.keyboard.press("k")
    assert focused() == titles[0]
    page.keyboard.press("?")
    assert page.get_by_text("next, previous entry").is_visible()
    page.keyboard.press("m")
    page.get_by_role("status").get_by_text("Muted").wait_for()
    assert [marked.title for marked in app.marking.list("story", "mute")] == [titles[0]]
    app.marking.take_off("story", app.marking.list("story")[0].mark.target_id)
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("o")
    page.get_by_role("heading", name=titles[0], level=1).wait_for()
    page.goto("/search")
    page.get_by_label("Words").press_sequentially("jkom?")
    assert page.get_by_label("Words").input_value() == "jkom?"


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_everything_works_without_scripts(page: Page, app: App) -> None:
    page.goto("/")
    page.get_by_role("button", name="Follow Blinken, Mayorkas").click()
    page.get_by_role("status").get_by_text("Followed").wait_for()
    (marked,) = app.marking.list("story", "follow")
    page.goto(f"/stories/{marked.mark.target_id}")
    page.get_by_text("Why here?").first.click()
    assert page.get_by_text("It began a story of its own").first.is_visible()
    page.get_by_role("button", name="Unfollow").click()
    page.get_by_role("status").get_by_text("No longer").wait_for()
    assert app.marking.list("story") == []


SIZES = [
    {"viewport": {"width": width, "height": 800}, "color_scheme": scheme} for width in (320, 390, 1280) for scheme in ("light", "dark")
]
PLAIN = ("/", "/search?q=mexico", "/feeds", "/feeds/report", "/status", "/corrections")


@pytest.mark.parametrize("page", SIZES, indirect=True, ids=lambda size: f"{size['viewport']['width']}-{size['color_scheme']}")
def test_no_page_is_wider_than_the_screen_and_every_text_is_legible(page: Page, app: App) -> None:
    story = next(each for each in app.store.stories.stories(limit=200) if each.title.startswith("Blinken, Mayorkas"))
    topic = max(app.store.stories.topics(), key=lambda each: each.story_count)
    for path in (f"/stories/{story.id}", f"/topics/{topic.id}", *PLAIN):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        assert page.evaluate(FAINT) == [], path


FAINT = """() => {
  const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = numbers(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("main *, nav *, footer *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("svg, option, datalist")) continue;
    const [one, other] = [light(numbers(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) faint.push(element.outerHTML.slice(0, 80));
  }
  return faint;
}"""
"""The elements whose own text has less contrast than 4.5 (WCAG 2.2, 1.4.3)."""
