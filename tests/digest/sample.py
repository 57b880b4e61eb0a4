"""A day's coverage by hand, in our own words: what the tests of this folder choose from and render."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from aggregator.digest import selection
from aggregator.digest.period import day_period
from aggregator.model import Coverage, Feed, FeedState, Item, Media, Membership, Period, Story, Topic
from aggregator.stories.timeline import phase_at

select = partial(selection.select, phase_of=phase_at)
"""As the program calls it."""

NOON = datetime(2023, 12, 27, 12, tzinfo=UTC)
PERIOD: Period = day_period("2023-12-27", "UTC", NOON)


def at(hour: float, day: int = 27) -> datetime:
    return datetime(2023, 12, day, tzinfo=UTC) + timedelta(hours=hour)


def item(
    id: int,
    feed: str,
    hour: float,
    title: str,
    *,
    summary: str = "",
    link: str | None = "",
    day: int = 27,
    media: tuple[Media, ...] = (),
    arrived: datetime | None = None,
) -> Item:
    """An item whose link is made from feed and id unless one is given."""
    address = f"https://{feed}.example/{id}" if link == "" else link
    return Item(
        key=f"g:{id}",
        title=title,
        link=address,
        canonical_link=address,
        summary=summary,
        published_at=at(hour, day),
        content_hash=str(id),
        id=id,
        feed=feed,
        publisher=TITLES.get(feed, feed),
        arrived_at=arrived or at(hour, day) + timedelta(minutes=10),
        media=media,
    )


def coverage(
    id: int,
    items: tuple[Item, ...],
    *,
    title: str = "",
    brief: str = "",
    topic: int | None = None,
    keywords: tuple[str, ...] = (),
    related: tuple[int, ...] = (),
    copies: dict[int, int] | None = None,
) -> Coverage:
    """A story of `items`; `copies` maps an item to the item whose text it repeats."""
    ordered = tuple(sorted(items, key=lambda one: one.published_at))
    story = Story(
        id=id,
        title=title or ordered[0].title,
        first_published_at=ordered[0].published_at,
        last_published_at=ordered[-1].published_at,
        brief=brief,
        keywords=keywords,
        topic_id=topic,
        item_count=len(items),
        related=related,
    )
    members = tuple(
        Membership(one.id, id, score=0.0 if one is ordered[0] else 0.5, threshold=0.235, rule="join", copy_of=(copies or {}).get(one.id))
        for one in ordered
    )
    return Coverage(story, ordered, members)


def state(name: str, *, error: str | None = None, subscribed: bool = True) -> FeedState:
    url = f"https://{name}.example/feed.xml"
    since = at(14.0834, 26) if error else None
    return FeedState(1, name, url, url, at(0, 1), title=TITLES.get(name), error=error, error_since_at=since, subscribed=subscribed)


TITLES = {
    "courier": "The Morning Courier",
    "harbour": "Harbour Radio",
    "plains": "Plains Dispatch",
    "capital": "Capital Wire",
    "sierra": "Diario de la Sierra",
    "north": "Northern Post",
    "tech": "Byte Gazette",
    "casts": "Long Walk Podcasts",
    "tokyo": "東京速報",
    "haifa": "קול המפרץ",
}

FEEDS = {name: Feed(name, f"https://{name}.example/feed.xml", tags=("tech",) if name == "tech" else ("news",)) for name in TITLES}
FEEDS["plains"] = Feed("plains", "https://plains.example/feed.xml", title="The Plains Dispatch", tags=("news",))
FEEDS["broken"] = Feed("broken", "https://broken.example/feed.xml")

STATES = {name: state(name) for name in TITLES}
STATES["broken"] = state("broken", error="the server answers 503 (service unavailable); it is asked again in 4 h")

TOPICS = {
    7: Topic(7, "Migration to the United States", keywords=("migrants", "border")),
    8: Topic(8, "Artificial intelligence and copyright", keywords=("copyright",)),
}


def visit() -> Coverage:
    videos = (
        Media("https://harbour.example/v/1.mp4", "video/mp4", 38, "Envoys arrive at the National Palace"),
        Media("https://harbour.example/v/2.mp4", "video/mp4", 222, "What each side wants"),
        Media("https://harbour.example/v/3.mp4", "video/mp4", 27, "Crowds at the northern crossing"),
    )
    return coverage(
        1,
        (
            item(101, "courier", 4, "Blinken flies to Mexico City as border crossings reach a record"),
            item(102, "harbour", 9, "Blinken meets López Obrador over migration", media=videos),
            item(103, "plains", 15, "Mexico and Washington promise to act together on migration"),
            item(104, "capital", 18, "Blinken and López Obrador agree to keep talking about the border"),
            item(105, "sierra", 21, "López Obrador recibe a Blinken en Palacio Nacional"),
            item(106, "north", 22, "Blinken and López Obrador agree to keep talking about the border"),
        ),
        title="Blinken meets López Obrador over migration",
        brief="The secretary of state and two cabinet colleagues sat down with Mexico's president for more than two hours. "
        "Both sides spoke of orderly, humane and regular migration; a second round is to follow in Washington in January.",
        topic=7,
        keywords=("blinken", "lópez obrador", "mexico"),
        related=(2, 3),
        copies={106: 104},
    )


def caravan() -> Coverage:
    return coverage(
        2,
        (
            item(201, "sierra", 20, "Caravan of thousands sets out from Tapachula", day=25),
            item(202, "courier", 12.5, "On foot through Chiapas: the caravan walks on"),
            item(203, "north", 13, "Caravan of thousands rests before the next stretch"),
        ),
        title="Caravan of thousands sets out from Tapachula",
        brief="About six thousand people from a dozen countries are walking north through Chiapas.",
        topic=7,
        keywords=("caravan", "tapachula", "chiapas"),
        related=(1,),
    )


def lawsuit() -> Coverage:
    return coverage(
        4,
        (
            item(401, "capital", 14, "Newspaper sues OpenAI and Microsoft over its archive"),
            item(402, "tech", 15, "The New York Times takes OpenAI to court"),
            item(403, "courier", 16.5, "Times lawsuit: what it could mean for AI models"),
            item(404, "harbour", 17, "Newspaper sues OpenAI and Microsoft over its archive"),
        ),
        title="The New York Times takes OpenAI to court",
        brief="The newspaper says that millions of its articles were used to train chatbots that now compete with it.",
        topic=8,
        keywords=("openai", "lawsuit", "new york times"),
    )


def quake() -> Coverage:
    return coverage(
        5,
        (
            item(501, "tokyo", 1, "千島列島沖で地震、津波の心配なし"),
            item(502, "harbour", 2, "Strong quake off the Kuril islands, no tsunami expected"),
        ),
        title="千島列島沖で地震、津波の心配なし",
        brief="The sea stayed calm after a quake of magnitude 6.5, seismologists on both shores said.",
        keywords=("quake", "kuril"),
    )


def lone() -> list[Coverage]:
    episode = Media("https://casts.example/e/77.mp3", "audio/mpeg", 5031, None, "Zippity Zap")
    return [
        coverage(
            3, (item(301, "plains", 11, "Freight trains stand still at two crossings", summary="Grain is waiting."),), topic=7, related=(1,)
        ),
        coverage(6, (item(601, "casts", 6, "Episode 77: The lighthouse keepers", media=(episode,)),)),
        coverage(7, (item(701, "haifa", 8, "נמל חיפה: שיא חדש במכולות"),)),
        coverage(8, (item(801, "tech", 19, "A kernel release with 400 fixes", summary="Mostly drivers, and a faster scheduler."),)),
    ]


def day() -> list[Coverage]:
    """Five stories that several tell or that stand alone under a topic, and three lone items."""
    return [visit(), caravan(), lawsuit(), quake(), *lone()]
