"""Makes a digest of what the store holds: which stories a period, or everything new, comes to, then the digest act.

period | coverages of it, or of what was not offered yet | select | digest with the items that it offers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aggregator.digest.interests import Filters, Interests
from aggregator.digest.rank import DigestParams
from aggregator.digest.selection import select
from aggregator.model import Coverage, Digest, DigestRecord, Feed, Period
from aggregator.ports import FeedStore, StoryStore
from aggregator.publishing import TICK, as_offered
from aggregator.stories.timeline import phase_at


@dataclass(frozen=True)
class Digesting:
    """One reader's digests. `params` say what ranks high, `interests` what the reader wants less or more of."""

    stories: StoryStore
    states: FeedStore
    feeds: Sequence[Feed]
    params: DigestParams
    interests: Interests

    def of_period(self, period: Period, name: str, filters: Filters) -> Digest:
        """What was published in the period. Raises NotFoundError for an unknown topic."""
        return self._select(self.stories.coverage(period.from_at, period.to_at, by=filters.by), period, name, filters)

    def of_new(self, period: Period, last: DigestRecord | None, name: str, filters: Filters) -> Digest:
        """What was not offered yet under that name, whatever clocks said when it was stored: everything up to the first item that
        is in no story yet, which the next digest of that name offers."""
        period = replace(period, from_at=min(period.from_at, period.to_at - TICK))
        after_item = last.up_to_item if last else None
        up_to_item, coverages = self.stories.coverage_of_new(after_item, period.from_at)
        made = self._select(as_offered(coverages, after_item, period), period, name, filters)
        return replace(made, after_item=after_item, up_to_item=up_to_item)

    def _select(self, coverages: Sequence[Coverage], period: Period, name: str, filters: Filters) -> Digest:
        topic = self.stories.resolve_topic(filters.topic) if filters.topic is not None else None
        related = {other for coverage in coverages for other in coverage.story.related}
        feeds: Mapping[str, Feed] = {feed.name: feed for feed in self.feeds}
        return select(
            coverages,
            self.stories.topics_named({each.story.topic_id for each in coverages if each.story.topic_id is not None}),
            feeds,
            self.states.states(),
            period,
            phase_of=phase_at,
            name=name,
            params=self.params,
            filters=replace(filters, topic=topic),
            interests=self.interests,
            titles=self.stories.titles(sorted(related)),
        )
