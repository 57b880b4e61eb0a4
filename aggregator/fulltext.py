"""Full texts: for feeds with `full_text = true`, the pages of their new items are read before they are grouped.

    items without a text | fetch the page, as politely as a feed | extract its text in a process | keep it beside the summary

A page is asked for once: what came of it is kept, and be it nothing. One that was not asked, because its host wants a rest or its
turn did not come, is asked in a later round. The feed's own secrets stay with the feed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from aggregator.errors import FeedError
from aggregator.model import Clock, DueFeed, Feed, FeedState, Fetched, Item
from aggregator.ports import Fetcher, ItemStore, PageReader

MOST_PAGES = 20
"""Pages of one feed in one round: a new feed must not keep its host busy for minutes."""
_FRESH = timedelta(days=2)
"""Items that arrived earlier keep their summary."""
_PAGE_TYPES = ("text/html", "application/xhtml+xml", "text/plain", "")


@dataclass(frozen=True, slots=True)
class PagesRead:
    """`texts` pages gave a text, `without` gave none, `left` were not asked this time."""

    texts: int = 0
    without: int = 0
    left: int = 0

    @property
    def asked(self) -> int:
        return self.texts + self.without


@dataclass(frozen=True)
class FullTexts:
    """Belongs to one event loop, as its fetcher does."""

    fetcher: Fetcher
    reader: PageReader
    items: ItemStore

    async def read(self, feeds: Sequence[DueFeed], clock: Clock) -> PagesRead:
        """Read the pages that the items of these feeds lack. Never raises for what a server, network or page does."""
        by_name = {due.feed.name: due for due in feeds}
        lacking = self.items.lacking_full_text(list(by_name), clock() - _FRESH, MOST_PAGES)
        found = await asyncio.gather(*(self._read(by_name[item.feed], item, clock) for item in lacking))
        return PagesRead(found.count(True), found.count(False), found.count(None))

    async def _read(self, due: DueFeed, item: Item, clock: Clock) -> bool | None:
        """Whether a text came; None when the page was not asked for."""
        now = clock()
        fetched = await self.fetcher.fetch(_page(due, item), now)
        if fetched.outcome == "throttled" and fetched.status is None:
            return None
        text = await self._text(fetched)
        self.items.save_full_text(item.id, text)
        return bool(text)

    async def _text(self, fetched: Fetched) -> str:
        kind = fetched.headers.get("content-type", "").partition(";")[0].strip().lower()
        if fetched.outcome != "changed" or not fetched.body or kind not in _PAGE_TYPES:
            return ""
        try:
            return await self.reader.extract(fetched.body, fetched.headers, fetched.final_url)
        except FeedError:
            return ""


def _page(due: DueFeed, item: Item) -> DueFeed:
    """The item's page as something to fetch: unconditionally, with the feed's proxy and User-Agent, without its login and headers.

    Only a page on the feed's own host may lie where the feed may lie: else a feed could name any address in a person's own network.
    """
    link = item.link or ""
    at_home = urlsplit(link).hostname == urlsplit(due.feed.url).hostname
    feed = Feed(
        due.feed.name,
        link,
        headers={"Accept": "text/html, application/xhtml+xml, */*;q=0.5"},
        user_agent=due.feed.user_agent,
        proxy=due.feed.proxy,
        allow_private=due.feed.allow_private if at_home else False,
    )
    return DueFeed(feed, FeedState(0, feed.name, link, link, due.state.created_at))
