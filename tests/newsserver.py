"""Feeds that move with a clock which the test sets: generated news on loopback, the same at every run.

    /feeds/NAME      RSS of the newest items up to the clock, with ETag
    /clock?set=ISO   sets it
    /index.opml      all feeds

Started as a process of its own: `python -m tests.newsserver PORT FEEDS SEED`.
"""

from __future__ import annotations

import hashlib
import random
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

START = datetime(2024, 3, 1, tzinfo=UTC)
HOURS, SHOWN = 24 * 6, 25
_SYLLABLES = ("ba", "cor", "dul", "fen", "gri", "hal", "jor", "kem", "lis", "mon", "nar", "pol", "quin", "ras", "sil", "tor", "vel", "wen")


class News:
    """`feeds` publishers that report on events: each event is told by one to four of them, in words of its own, within three hours."""

    def __init__(self, feeds: int, seed: int) -> None:
        draw = random.Random(seed)
        self.rows: dict[str, list[tuple[datetime, str, str, str]]] = {f"feed-{n}": [] for n in range(feeds)}
        for hour in range(HOURS):
            for event in range(max(1, feeds // 2)):
                self._tell(draw, START + timedelta(hours=hour), f"{hour}-{event}")
        for rows in self.rows.values():
            rows.sort()

    def _tell(self, draw: random.Random, at: datetime, event: str) -> None:
        words = ["".join(draw.choices(_SYLLABLES, k=3)) for _ in range(9)]
        for name in draw.sample(sorted(self.rows), draw.randint(1, min(4, len(self.rows)))):
            told = draw.sample(words, 6)
            when = at + timedelta(seconds=draw.randrange(3 * 3600))
            title, summary = " ".join(told).capitalize(), " ".join(draw.sample(words, 9)) + "."
            self.rows[name].append((when, f"{event}-{name}", title, summary))

    def document(self, name: str, now: datetime) -> bytes:
        newest = [row for row in self.rows[name] if row[0] <= now][-SHOWN:]
        items = "".join(
            f"<item><guid>{key}</guid><link>https://{name}.example/{key}</link><title>{title}</title><description>{summary}</description>"
            f"<pubDate>{format_datetime(when)}</pubDate></item>"
            for when, key, title, summary in reversed(newest)
        )
        head = f"<title>{name}</title><link>https://{name}.example/</link>"
        return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()


def serve(port: int, feeds: int, seed: int) -> None:
    news, clock = News(feeds, seed), [START]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            name = asked.path.rpartition("/")[2]
            if asked.path == "/clock":
                clock[0] = datetime.fromisoformat(parse_qs(asked.query)["set"][0])
                self.answer(200, b"set")
            elif asked.path == "/index.opml":
                self.answer(200, self.opml())
            elif name in news.rows:
                body = news.document(name, clock[0])
                etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
                same = self.headers.get("If-None-Match") == etag
                self.answer(304 if same else 200, b"" if same else body, etag)
            else:
                self.answer(404, b"")

        def opml(self) -> bytes:
            base = f"http://127.0.0.1:{port}/feeds"
            outlines = "".join(f'<outline type="rss" text="{name}" xmlUrl="{base}/{name}"/>' for name in news.rows)
            return f'<?xml version="1.0"?><opml version="2.0"><body>{outlines}</body></opml>'.encode()

        def answer(self, status: int, body: bytes, etag: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if etag:
                self.send_header("ETag", etag)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:4]))
