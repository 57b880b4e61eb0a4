"""Subscribing: find the feed behind an address, poll it for the first time, keep the list; and how the feeds are.

    add:     address | fetch | parse, or the page's links, or common paths | name | write the list | store the first poll
    import:  OPML or a list of addresses | leave out the known | number the names | write the list
    check:   named feeds | those that may be asked now | the ingest pipe | a sentence each
    status:  subscriptions and what is known of them | state

It decides nothing about schedules or identity (the ingest pipe does) and reaches the world through ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from aggregator.errors import FeedError, NotFoundError, UsageError
from aggregator.feeds.discover import Candidate, feed_links, guessed_feeds
from aggregator.feeds.feedlist import Change, unknown_feed
from aggregator.feeds.names import make_name, problem_of_url, same_address
from aggregator.feeds.normalise import normalise
from aggregator.feeds.opml import read_opml
from aggregator.model import Clock, DueFeed, Feed, FeedOutcome, FeedState, Fetched, Item, ParsedFeed
from aggregator.pipeline import Ingest, due_feeds
from aggregator.text import one_line

_NEWEST = 5
_MOST_LINKS, _MOST_GUESSES = 5, 12
_FAILING_STREAK = 3


class FeedList(Protocol):
    """What is needed of feeds/subscriptions.Subscriptions."""

    def load(self) -> tuple[Feed, ...]: ...

    def text(self) -> str: ...

    def add(self, feed: Feed, *, dry_run: bool = False) -> Change: ...

    def add_many(self, feeds: Iterable[Feed], *, dry_run: bool = False) -> Change: ...

    def replace_text(self, text: str, *, dry_run: bool = False) -> Change: ...


@dataclass(frozen=True, slots=True)
class AddedFeed:
    """A new subscription (or, with a dry run, what it would be). `newest` items come latest first; `others` are further
    feeds that the page names; `page` is the page on which the feed was found, None when the address was the feed itself."""

    feed: Feed
    title: str
    newest: tuple[Item, ...]
    items: int
    change: Change
    others: tuple[Candidate, ...] = ()
    page: str | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class ImportResult:
    """`skipped` pairs each address that was left out with the name of the feed that has it already."""

    added: tuple[Feed, ...]
    skipped: tuple[tuple[str, str], ...]
    recovered: tuple[str, ...]
    change: Change


@dataclass(frozen=True, slots=True)
class CheckedFeed:
    """How a feed is right now. `outcome` is None when it was not asked; `says` is a sentence; `ok` False needs a person."""

    name: str
    url: str
    ok: bool
    says: str
    outcome: FeedOutcome | None = None


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """The health of a subscription. `state` is "new", "ok", "warning", "failing", "gone" or "disabled"."""

    name: str
    url: str
    fetch_url: str
    state: str
    error: str | None
    since_at: datetime | None
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    next_poll_at: datetime | None
    reason: str
    streak: int
    items_per_day: float | None


# --- add ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """A document that is a feed, and how it was found."""

    url: str
    fetched: Fetched
    parsed: ParsedFeed
    others: tuple[Candidate, ...] = ()
    page: str | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    """A Fetcher that hands over what was fetched already, so that the first poll costs one request."""

    fetched: Fetched

    async def fetch(self, due: DueFeed, now: datetime) -> Fetched:
        return self.fetched

    async def aclose(self) -> None:
        return None


@dataclass(frozen=True)
class Subscribing:
    """The verbs that need the network. Lives as long as one Ingest, whose fetcher belongs to one event loop."""

    ingest: Ingest
    feed_list: FeedList

    async def add(self, draft: Feed, clock: Clock, *, dry_run: bool = False) -> AddedFeed:
        """Subscribe to `draft` (an empty name: made from the title) and store its first poll.

        Raises UsageError for a name or address that is subscribed already, FeedError when no feed is found; nothing has
        changed then.
        """
        draft = replace(draft, url=with_scheme(draft.url))
        known = {same_address(feed.url): feed.name for feed in self.feed_list.load()}
        _refuse_known(draft.url, known)
        if draft.name:
            self.feed_list.add(draft, dry_run=True)  # refuses a bad or taken name before anything is fetched
        found = await self._find(draft, clock)
        for url in (found.url, found.fetched.final_url):
            _refuse_known(url, known)
        feed = self._named(draft, found)
        now = clock()
        items = normalise(found.parsed, feed=feed.name, feed_url=found.url, now=now, language=feed.language)
        change = self.feed_list.add(feed, dry_run=True) if dry_run else await self._subscribe(feed, found, clock)
        return AddedFeed(
            feed=feed,
            title=feed.title or one_line(found.parsed.title or "") or feed.name,
            newest=tuple(sorted(items, key=lambda item: item.published_at, reverse=True)[:_NEWEST]),
            items=len(items),
            change=change,
            others=found.others,
            page=found.page,
            warning=found.parsed.error,
        )

    def _named(self, draft: Feed, found: _Found) -> Feed:
        if not _same_host(draft.url, found.url):  # a secret stays with the host it was given for
            draft = replace(draft, auth=None, headers={})
        if draft.name:
            return replace(draft, url=found.url)
        taken = {feed.name for feed in self.feed_list.load()}
        # a feed that was removed keeps its name and items: only the same address may take them up again
        taken |= {state.name for state in self.ingest.feeds.states().values() if same_address(state.url) != same_address(found.url)}
        return replace(draft, url=found.url, name=make_name(draft.title or found.parsed.title, found.url, taken))

    async def _subscribe(self, feed: Feed, found: _Found, clock: Clock) -> Change:
        """Write the list, then store the poll; if the store fails, the list is put back."""
        before = self.feed_list.text()
        change = self.feed_list.add(feed)
        try:
            self.ingest.feeds.sync(self.feed_list.load(), clock())
            self.ingest.feeds.claim({feed.name: self.ingest.feeds.state(feed.name).last_attempt_at}, clock())
            due = DueFeed(feed, self.ingest.feeds.state(feed.name))
            await replace(self.ingest, fetcher=_Given(found.fetched)).poll(due, clock)
        except BaseException:
            self.feed_list.replace_text(before)
            raise
        return change

    async def _find(self, draft: Feed, clock: Clock) -> _Found:
        """The feed at an address, or the first that its page names, or that lies where feeds usually lie."""
        fetched = await self._fetch(draft, draft.url, clock)
        if fetched.error or fetched.body is None:
            raise FeedError(fetched.error or f"{draft.url} gave no document; try again later.", url=draft.url)
        try:
            return _Found(draft.url, fetched, await self._parse(fetched))
        except FeedError as error:
            if not _is_page(fetched):
                raise FeedError(str(error), url=draft.url) from None
        links = feed_links(fetched.body, fetched.final_url, fetched.headers)
        for candidates in (links[:_MOST_LINKS], guessed_feeds(fetched.final_url)[:_MOST_GUESSES]):
            found = await self._first_feed(draft, candidates, clock)
            if found is not None:
                others = tuple(link for link in links if link.source == "link" and link.url != found.url)
                return replace(found, others=others, page=draft.url)
        raise _no_feed(draft.url, links)

    async def _first_feed(self, draft: Feed, candidates: Sequence[Candidate], clock: Clock) -> _Found | None:
        for candidate in candidates:
            fetched = await self._fetch(draft, candidate.url, clock)
            if fetched.outcome == "throttled":
                return None  # the host wants peace: asking on would be rude and in vain
            if fetched.body is None or fetched.error:
                continue
            try:
                return _Found(candidate.url, fetched, await self._parse(fetched))
            except FeedError:
                continue
        return None

    async def discover(self, draft: Feed, clock: Clock) -> tuple[Candidate, ...]:
        """The feeds of an address: itself, or what its page names, or the first one at a common path. Raises FeedError."""
        draft = replace(draft, url=with_scheme(draft.url))
        fetched = await self._fetch(draft, draft.url, clock)
        if fetched.error or fetched.body is None:
            raise FeedError(fetched.error or f"{draft.url} gave no document; try again later.", url=draft.url)
        try:
            parsed = await self._parse(fetched)
        except FeedError as error:
            if not _is_page(fetched):
                raise FeedError(str(error), url=draft.url) from None
        else:
            return (Candidate(draft.url, one_line(parsed.title or ""), _family(parsed.version), "itself"),)
        links = feed_links(fetched.body, fetched.final_url, fetched.headers)
        if links:
            return links
        found = await self._first_feed(draft, guessed_feeds(fetched.final_url)[:_MOST_GUESSES], clock)
        if found is None:
            raise _no_feed(draft.url, ())
        return (Candidate(found.url, one_line(found.parsed.title or ""), _family(found.parsed.version), "path"),)

    async def document(self, url: str, clock: Clock) -> bytes:
        """The bytes of any document, fetched as politely as a feed: an OPML list on the web. Raises FeedError."""
        fetched = await self._fetch(Feed("", with_scheme(url)), with_scheme(url), clock)
        if fetched.error or fetched.body is None:
            raise FeedError(fetched.error or f"{url} gave no document; try again later.", url=url)
        return fetched.body

    async def _fetch(self, draft: Feed, url: str, clock: Clock) -> Fetched:
        feed = replace(draft, url=url, name=draft.name or "new")
        if not _same_host(url, draft.url):  # the person's secrets are for the host they named
            feed = replace(feed, auth=None, headers={})
        now = clock()
        return await self.ingest.fetcher.fetch(DueFeed(feed, FeedState(0, feed.name, url, url, now)), now)

    async def _parse(self, fetched: Fetched) -> ParsedFeed:
        return await self.ingest.parser.parse(fetched.body or b"", fetched.headers, fetched.final_url)

    # --- check --------------------------------------------------------------------------------------------------------

    async def check(self, names: Sequence[str], clock: Clock, heard: Callable[[FeedOutcome], None] | None = None) -> list[CheckedFeed]:
        """Poll the named feeds (none named: all) now, conditionally, and say how each is. Raises NotFoundError.

        Like every poll by hand it never asks a feed that is gone, switched off, or whose server wants to be left alone.
        """
        feeds = _chosen(self.feed_list.load(), names)
        due = due_feeds(feeds, self.ingest.feeds.states(), clock(), force=True)
        outcomes = {outcome.name: outcome for outcome in await self.ingest.round(due, clock, heard)}
        states = self.ingest.feeds.states()
        return [to_checked(feed, states.get(feed.name), outcomes.get(feed.name)) for feed in feeds]


def _chosen(feeds: Sequence[Feed], names: Sequence[str]) -> list[Feed]:
    by_name = {feed.name: feed for feed in feeds}
    for name in names:
        if name not in by_name:
            raise NotFoundError(unknown_feed(name, by_name))
    return [by_name[name] for name in dict.fromkeys(names)] if names else list(feeds)


def _refuse_known(url: str, known: Mapping[str, str]) -> None:
    name = known.get(same_address(url))
    if name is not None:
        raise UsageError(f"{url} is subscribed already, as “{name}”; `aggregator feeds set {name} …` changes it")


def with_scheme(url: str) -> str:
    """An address as people type it, with https:// where no scheme stands. Raises UsageError when it can be no address."""
    text = url.strip()
    if "://" not in text:
        text = "https://" + text.removeprefix("//")
    problem = problem_of_url(text)
    if problem:
        raise UsageError(f"“{url}” {problem}; give the address of a feed or of a web page")
    return text


def _same_host(one: str, other: str) -> bool:
    return same_address(one).split("/")[2] == same_address(other).split("/")[2]


def _is_page(fetched: Fetched) -> bool:
    head = (fetched.body or b"")[:2048].lower()
    return "html" in fetched.headers.get("content-type", "").lower() or b"<html" in head or b"<!doctype html" in head


def _family(version: str) -> str:
    return "atom" if version.startswith("atom") else "json" if version.startswith("json") else "rss"


def _no_feed(url: str, links: Sequence[Candidate]) -> FeedError:
    tried = tuple(each.url for each in (*links[:_MOST_LINKS], *guessed_feeds(url)[:_MOST_GUESSES]))
    if links:
        named = ", ".join(link.url for link in links[:_MOST_LINKS])
        message = f"{url} is no feed, and neither what its page names ({named}) nor what lies at the usual places is one"
    else:
        places = ", ".join(tried)
        message = (
            f"{url} is no feed, its page names none, and none lies at the usual places ({places}); give the address of the feed itself."
        )
    return FeedError(message, url=url, candidates=tried)


# --- import -----------------------------------------------------------------------------------------------------------


def import_feeds(feed_list: FeedList, data: bytes, source: str, *, tags: Sequence[str] = (), dry_run: bool = False) -> ImportResult:
    """Subscribe to the feeds of an OPML document (or a list of addresses), without polling any.

    Known addresses are skipped, repeated names numbered. Raises FeedError when the document holds no feed at all.
    """
    found = read_opml(data)
    if not found.feeds:
        detail = f" ({'; '.join(found.recovered[:3])})" if found.recovered else ""
        raise FeedError(f"{source} holds no feeds{detail}; give an OPML file or a list with one address a line.", url=source)
    before = feed_list.load()
    known, taken = {same_address(feed.url): feed.name for feed in before}, {feed.name for feed in before}
    added: list[Feed] = []
    skipped: list[tuple[str, str]] = []
    for each in found.feeds:
        name = known.get(same_address(each.url))
        if name is not None:
            skipped.append((each.url, name))
            continue
        name = make_name(each.title, each.url, taken)
        taken.add(name)
        added.append(Feed(name, each.url, title=each.title or None, tags=tuple(dict.fromkeys((*tags, *each.tags)))))
    change = feed_list.add_many(added, dry_run=dry_run)
    return ImportResult(tuple(added), tuple(skipped), found.recovered, change)


# --- how feeds are ------------------------------------------------------------------------------------------------------


def to_checked(feed: Feed, state: FeedState | None, outcome: FeedOutcome | None) -> CheckedFeed:
    """The sentence about one feed after (or without) a poll."""
    if outcome is None:
        return CheckedFeed(feed.name, feed.url, *_not_asked(feed, state))
    if outcome.error:
        return CheckedFeed(feed.name, feed.url, False, outcome.error, outcome)
    says = "fine: nothing new since the last poll" if outcome.outcome == "same" else f"fine: {outcome.new} new items"
    if state is not None and state.warning:
        return CheckedFeed(feed.name, feed.url, True, f"{says}, but its document is faulty: {state.warning}", outcome)
    if state is not None and state.fetch_url != feed.url:
        says += f"; it has moved for good to {state.fetch_url}"
    return CheckedFeed(feed.name, feed.url, True, f"{says}.", outcome)


def _not_asked(feed: Feed, state: FeedState | None) -> tuple[bool, str]:
    if not feed.enabled:
        return True, f"not asked: it is disabled; `aggregator feeds enable {feed.name}` switches it on."
    if state is not None and state.gone:
        return False, f"not asked: its server said that it is gone for good (410); `aggregator feeds remove {feed.name}` takes it out."
    if state is not None and state.retry_after_at is not None:
        return False, f"not asked: its server wants to be left alone until {state.retry_after_at:%Y-%m-%d %H:%M} UTC."
    return False, "not asked: nothing is known of it yet; `aggregator fetch` polls it."


def to_status(feed: Feed, state: FeedState | None) -> FeedStatus:
    """A subscription's health; `state` None when the store has never heard of it."""
    if state is None:
        name = "new" if feed.enabled else "disabled"
        return FeedStatus(feed.name, feed.url, feed.url, name, None, None, None, None, None, "never polled", 0, None)
    name = _state(feed, state)
    return FeedStatus(
        name=feed.name,
        url=feed.url,
        fetch_url=state.fetch_url,
        state=name,
        error=state.error or state.warning,
        since_at=state.error_since_at,
        last_success_at=state.last_success_at,
        last_attempt_at=state.last_attempt_at,
        next_poll_at=None if name in ("disabled", "gone") else state.next_poll_at,
        reason="disabled in feeds.toml" if name == "disabled" else state.reason,
        streak=state.streak,
        items_per_day=state.items_per_day,
    )


def _state(feed: Feed, state: FeedState) -> str:
    if not feed.enabled:
        return "disabled"
    if state.gone:
        return "gone"
    if state.last_attempt_at is None:
        return "new"
    if state.streak >= _FAILING_STREAK:
        return "failing"
    return "warning" if state.error or state.warning or state.streak else "ok"
