"""The table of everything that can be asked for. The server is built from it, and so is the OpenAPI document of the API's part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aggregator import __version__
from aggregator.web import api, changes, reading, story, subscriptions, syndication, watching
from aggregator.web.asked import LARGEST, LONGEST, MOST_VALUES, Answer, Asked, Json, Param, Route

if TYPE_CHECKING:
    from aggregator.app import App

# --- what may be asked -------------------------------------------------------------------------------------------------

ID = Param("id", "number", "its number", required=True, in_path=True)
BACK = Param("back", "text", "the page to go back to", default="/")
LIMIT = Param("limit", "number", "at most so many; 0 shows all", default=30, least=0, most=10_000)
MANY = Param("limit", "number", "at most so many", default=50, most=1000)
TOPIC = Param("topic", "number", "only stories of this topic")
TAG = Param("tag", "text", "only stories that feeds with this tag tell", default="")
MINUTES = Param("minutes", "number", "as many stories as can be read in this time; 0: any", least=0, most=10_000)
MATCH = Param("match", "text", 'only stories with all these words, "phrases" and no -words', default="")
DAY = Param("day", "text", "a local day: 2023-12-27, today or yesterday", default="")
SINCE = Param("since", "text", "a duration back from the end (24h, 7d) or a time", default="")
UNTIL = Param("until", "text", "a time", default="")
PHASE = Param("phase", "text", "only stories in this phase now", choices=("new", "growing", "fading"))
DAYS = Param("days", "number", "how many days back", default=30, most=365)
QUERY = Param("q", "text", 'all these words, "phrases", pre* and no -words', default="")
FEED = Param("feed", "text", "only items that this feed had first", default="")
LANGUAGE = Param("language", "text", "only items in this language, as a code such as en", default="", longest=35)
NAME = Param("name", "text", "the feed's name", required=True, longest=200)
STORIES = Param("stories", "numbers", "numbers of stories")
ITEMS = Param("items", "numbers", "numbers of items")
SOME = replace(ITEMS, required=True, fewest=1)
TWO_STORIES = replace(STORIES, required=True, fewest=2)
TO = Param("to", "number", "the story where the items belong")
VERB = Param("verb", "text", "what to take back", required=True, choices=("merge", "split", "move"))
KIND = Param("kind", "text", "what is marked", required=True, choices=("topic", "story", "item"))
STANCE = Param(
    "stance", "text", "how; star and unstar are for items", required=True, choices=("follow", "mute", "unmark", "star", "unstar")
)
TARGET = Param("id", "number", "number of the topic, story or item", required=True)
DRY_RUN = Param("dry_run", "switch", "show what would change; change nothing", default=False)
ON = Param("on", "switch", "whether it is polled", default=False)
URL = Param("url", "text", "address of a feed or of a web page", required=True)
NEW_NAME = Param("name", "text", "short unique name; made from the title when empty", default="", longest=200)
TITLE = Param("title", "text", "shown as the publisher", default="")
TAGS = Param("tags", "text", "tags, separated by commas", default="")
_EDITED = tuple(Param(key, "text", f"the feed's {key}", default="") for key in changes.EDITED)
_DIGEST = (LIMIT, TAG, MINUTES, MATCH)
_WEEK = Param("since", "text", "a duration back from now, or a time", default="7d")
_DAY = Param("since", "text", "a duration back from now, or a time", default="24h")
_SEARCH = (QUERY, FEED, LANGUAGE, SINCE, UNTIL, Param("limit", "number", "at most so many", default=30, most=500))

PAGES: tuple[Route, ...] = (
    Route("GET", "/", reading.latest, params=_DIGEST),
    Route("GET", "/digest/{day}", reading.of_day, params=(*_DIGEST, Param("day", "text", "a local day", required=True, in_path=True))),
    Route("GET", "/stories", reading.stories, params=(MANY, SINCE, PHASE)),
    Route("GET", "/stories/{id}", story.story, params=(ID,)),
    Route("GET", "/items/{id}", reading.item, params=(ID,)),
    Route("GET", "/topics", reading.topics, params=(Param("limit", "number", "at most so many", default=200, least=0, most=10_000),)),
    Route("GET", "/topics/{id}", reading.topic, params=(ID,)),
    Route("GET", "/search", reading.search, params=_SEARCH),
    Route("GET", "/feeds", subscriptions.feeds, params=(Param("state", "text", "only feeds in this state", default=""),)),
    Route("GET", "/feeds/one", subscriptions.feed, params=(NAME,)),
    Route("GET", "/feeds/report", subscriptions.report, params=(DAYS,)),
    Route("GET", "/corrections", changes.corrections),
    Route("GET", "/status", watching.status),
    Route("POST", "/stories/{id}/split", changes.split, params=(ID, ITEMS)),
    Route("POST", "/stories/{id}/move", changes.move, params=(ID, ITEMS, TO)),
    Route("POST", "/stories/{id}/merge", changes.merge, params=(ID, Param("other", "number", "the story that becomes part of this one"))),
    Route("POST", "/corrections/undo", changes.undo, params=(VERB, STORIES, ITEMS, BACK)),
    Route("POST", "/marks", changes.mark, params=(KIND, TARGET, STANCE, BACK)),
    Route("POST", "/items/{id}/star", changes.star, params=(ID, BACK)),
    Route("POST", "/items/{id}/unstar", changes.unstar, params=(ID, BACK)),
    Route("POST", "/feeds/preview", changes.preview, params=(URL, NEW_NAME, TITLE, TAGS)),
    Route("POST", "/feeds/add", changes.add, params=(URL, NEW_NAME, TITLE, TAGS)),
    Route("POST", "/feeds/switch", changes.switch, params=(NAME, ON, BACK)),
    Route("POST", "/feeds/edit", changes.edit, params=(NAME, *_EDITED)),
    Route("POST", "/feeds/import", changes.take_in, params=(TAGS,), upload=True),
)

DOCUMENTS: tuple[Route, ...] = (
    Route("GET", "/digest.atom", syndication.digest, params=(_DAY, LIMIT, TAG, MATCH)),
    Route("GET", "/topics/{id}/stories.atom", syndication.topic, params=(ID, _WEEK, LIMIT)),
    Route("GET", "/search.atom", syndication.search, params=(QUERY, _WEEK, LIMIT)),
    Route("GET", "/feeds.opml", subscriptions.opml),
    Route("GET", "/healthz", watching.healthz),
    Route("GET", "/metrics", watching.metrics),
)


def openapi(app: App, asked: Asked) -> Answer:
    return Json(document())


_CORRECTED = {"verb": "string", "undone": "boolean", "dry_run": "boolean", "moved": "array", "stories": "array", "redirects": "array"}
V1 = "/api/v1"
INTERFACE: tuple[Route, ...] = (
    Route("GET", f"{V1}/openapi.json", openapi, "This document.", gives={"openapi": "string", "paths": "object"}),
    Route(
        "GET",
        f"{V1}/digest",
        api.digest,
        "The digest of a day, or of a span of time (default: the last 24 hours).",
        (DAY, Param("since", "text", SINCE.text, default="24h"), UNTIL, *_DIGEST, TOPIC),
        {"stories": "array", "topics": "array", "period": "object"},
    ),
    Route("GET", f"{V1}/stories", api.stories, "Stories, the newest first.", (MANY, TOPIC, SINCE, PHASE), {"stories": "array"}),
    Route(
        "GET",
        f"{V1}/stories/{{id}}",
        api.story,
        "A story: its items, publishers and volume. A merged number leads on.",
        (ID,),
        {"story": "object", "items": "array", "phase": "string", "publishers": "array", "timeline": "array"},
    ),
    Route(
        "GET", f"{V1}/stories/{{id}}/explain", api.explain, "Why each item is in the story.", (ID,), {"story": "integer", "items": "array"}
    ),
    Route("GET", f"{V1}/topics", api.topics, "Topics, the newest first.", (LIMIT,), {"topics": "array"}),
    Route("GET", f"{V1}/topics/{{id}}", api.topic, "A topic and its stories.", (ID,), {"topic": "object", "stories": "array"}),
    Route("GET", f"{V1}/items/{{id}}", api.item, "All that is known of an item.", (ID,), {"item": "object"}),
    Route("GET", f"{V1}/search", api.search, "Items by their words, and their stories.", _SEARCH, {"items": "array", "stories": "array"}),
    Route("GET", f"{V1}/feeds", api.feeds, "How each feed is.", gives={"feeds": "array"}),
    Route("GET", f"{V1}/feeds/one", api.feed, "How one feed is.", (NAME,), {"feed": "object"}),
    Route("GET", f"{V1}/feeds/report", api.report, "What each feed is worth.", (DAYS,), {"days": "integer", "feeds": "array"}),
    Route(
        "GET",
        f"{V1}/feeds/suggestions",
        api.suggest,
        "What the feed list could gain or lose.",
        (DAYS,),
        {"days": "integer", "suggestions": "array"},
    ),
    Route("GET", f"{V1}/status", api.status, "What runs, what is next, what fails.", gives={"daemon": "object", "feeds": "object"}),
    Route("GET", f"{V1}/corrections", api.corrections, "What people put right, the newest first.", gives={"corrections": "array"}),
    Route("GET", f"{V1}/marks", api.marks, "What is followed, muted and starred.", gives={"marks": "array"}),
    Route(
        "POST",
        f"{V1}/stories/merge",
        api.merge,
        "Make one story of several; the first keeps its number.",
        (TWO_STORIES, DRY_RUN),
        _CORRECTED,
    ),
    Route("POST", f"{V1}/stories/{{id}}/split", api.split, "Take items out into a story of their own.", (ID, SOME, DRY_RUN), _CORRECTED),
    Route(
        "POST",
        f"{V1}/items/move",
        api.move,
        "Put items into another story.",
        (SOME, replace(TO, required=True), DRY_RUN),
        _CORRECTED,
    ),
    Route(
        "POST",
        f"{V1}/corrections/undo",
        api.undo,
        "Take back the latest correction of that verb that concerns these.",
        (VERB, STORIES, ITEMS, DRY_RUN),
        _CORRECTED,
    ),
    Route("POST", f"{V1}/marks", api.mark, "Follow, mute or unmark; star or unstar.", (KIND, TARGET, STANCE), {"marks": "array"}),
    Route(
        "POST",
        f"{V1}/feeds",
        api.add_feed,
        "Subscribe to a feed, or to the feed of a web page.",
        (URL, NEW_NAME, TITLE, TAGS, DRY_RUN),
        {"feed": "object", "title": "string", "items": "integer", "newest": "array"},
    ),
    Route("POST", f"{V1}/feeds/switch", api.switch_feed, "Poll a feed again, or no longer.", (NAME, ON, BACK), {"feed": "object"}),
)
ROUTES = (*PAGES, *DOCUMENTS, *INTERFACE)


# --- the OpenAPI document ----------------------------------------------------------------------------------------------

_TYPES: dict[str, dict[str, Any]] = {
    "number": {"type": "integer"},
    "text": {"type": "string"},
    "switch": {"type": "boolean"},
    "numbers": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": LARGEST}, "maxItems": MOST_VALUES},
    "texts": {"type": "array", "items": {"type": "string", "maxLength": LONGEST}, "maxItems": MOST_VALUES},
}
_PROBLEMS = {
    "400": "Something asked for cannot be meant; `error` says what.",
    "401": "A token is needed.",
    "404": "There is no such thing.",
    "421": "The Host header names no host of this server's.",
    "429": "Too many wrong tokens; wait a minute.",
    "503": "The database does not answer now.",
}
_PROBLEMS_OF_CHANGES = {
    "403": "The request came from a page of another site.",
    "413": "The body is too large.",
    "415": "The body is not sent as application/json.",
}


def document() -> dict[str, Any]:
    """The API's rows of the table as OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for route in INTERFACE:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "aggregator",
            "version": __version__,
            "description": "Stories, topics, digests, feeds and corrections. Keys are added, never taken away, within v1.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    in_body = [param for param in route.params if route.method == "POST" and not param.in_path]
    beside = [param for param in route.params if param not in in_body]
    path = route.path.removeprefix(V1).strip("/").replace("{", "").replace("}", "").replace("/", "_").replace(".", "_")
    found: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{path}",
        "summary": route.summary,
        "parameters": [
            {
                "name": param.name,
                "in": "path" if param.in_path else "query",
                "required": param.required,
                "description": param.text,
                "schema": _schema(param),
            }
            for param in beside
        ],
        "responses": {"200": {"description": "Done.", "content": {"application/json": {"schema": _given(route)}}}}
        | {
            code: {"description": text, "content": {"application/json": {"schema": _object({"error": "string"})}}}
            for code, text in (_PROBLEMS | (_PROBLEMS_OF_CHANGES if route.method == "POST" else {})).items()
        },
    }
    if in_body:
        schema = {
            "type": "object",
            "properties": {param.name: _schema(param) | {"description": param.text} for param in in_body},
            "required": [param.name for param in in_body if param.required],
            "additionalProperties": False,
        }
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _schema(param: Param) -> dict[str, Any]:
    found = dict(_TYPES[param.kind])
    if param.kind == "number":
        found |= {"minimum": param.least, "maximum": param.most}
    if param.kind == "text":
        found |= {"enum": list(param.choices)} if param.choices else {"maxLength": param.longest}
    if param.fewest:
        found["minItems"] = param.fewest
    if param.default not in (None, ""):
        found["default"] = param.default
    return found


def _given(route: Route) -> dict[str, Any]:
    return _object(dict(route.gives))


def _object(keys: dict[str, str]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": kind} for name, kind in keys.items()}, "required": list(keys)}
