"""EDGE: serves the bundled feeds on loopback the way real servers do: types, ETags, 304, and one that is down."""

from __future__ import annotations

import hashlib
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

_FOLDER = files("aggregator.demo") / "feeds"
BROKEN = "granite-state-radio"
"""The name of a feed whose server answers 503, so that the digest can show how a failure looks."""


@dataclass(frozen=True)
class BundledFeed:
    """One line of feeds/index.toml with the document's bytes."""

    name: str
    content_type: str
    tags: tuple[str, ...]
    body: bytes

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


def bundled_feeds() -> tuple[BundledFeed, ...]:
    """All documents that ship with the package."""
    rows = tomllib.loads((_FOLDER / "index.toml").read_text(encoding="utf-8"))["feed"]
    return tuple(
        BundledFeed(row["name"], row["content_type"], tuple(row.get("tags", ())), (_FOLDER / row["file"]).read_bytes()) for row in rows
    )


@contextmanager
def serve(feeds: tuple[BundledFeed, ...]) -> Iterator[dict[str, str]]:
    """Serve on a free loopback port while the block lasts; gives the URL of each feed by name."""
    by_path = {f"/{feed.name}": feed for feed in feeds}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            feed = by_path.get(self.path)
            if feed is None:
                self._answer(503 if self.path == f"/{BROKEN}" else 404, b"")
            elif self.headers.get("If-None-Match") == feed.etag:
                self._answer(304, None, feed)
            else:
                self._answer(200, feed.body, feed)

        def _answer(self, status: int, body: bytes | None, feed: BundledFeed | None = None) -> None:
            self.send_response(status)
            if feed is not None:
                self.send_header("ETag", feed.etag)
                self.send_header("Content-Type", feed.content_type)
            if body is not None:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Silent: the fetcher reports."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield {feed.name: f"{base}/{feed.name}" for feed in feeds} | {BROKEN: f"{base}/{BROKEN}"}
        finally:
            server.shutdown()
