"""A browser's manners without a browser: cookies, forms with their hidden fields, no surprise redirects."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from html import unescape
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import Any, cast
from urllib.parse import urlencode, urljoin

from aggregator.web.serving import Serving


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Client:
    def __init__(self, address: str) -> None:
        self.address = address
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar), _Stay())

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, None, headers)

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(urljoin(self.address, path), body, named, method=method)
        try:
            with cast(HTTPResponse, self._opener.open(request, timeout=60)) as answer:
                return Reply(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.headers, error.read())

    def post(self, path: str, fields: Mapping[str, Any], *, mark: str | None = None, **headers: str) -> Reply:
        """A form as this client's own pages send it; `mark` is another CSRF mark than theirs."""
        csrf = self.mark() if mark is None else mark
        pairs = [
            (name, each)
            for name, value in fields.items()
            for each in (value if isinstance(value, Sequence | set) and not isinstance(value, str) else [value])
        ]
        return self.send("POST", path, urlencode([("csrf", csrf), *pairs]).encode(), headers)

    def mark(self) -> str:
        """The mark that this client's pages carry."""
        found = re.search(r'name="csrf" value="(\w+)"', self.get("/login").text)
        assert found
        return found[1]

    def put_json(self, path: str, value: Any, **headers: str) -> Reply:
        return self.send("POST", path, json.dumps(value).encode(), {"Content-Type": "application/json"} | headers)


def links(text: str, start: str) -> list[str]:
    """The addresses on a page that begin with `start`."""
    return [unescape(found) for found in re.findall(r'(?:href|action|formaction)="([^"]*)"', text) if unescape(found).startswith(start)]


@contextmanager
def in_thread(serving: Serving) -> Iterator[str]:
    """Serves while it lasts; gives the address."""
    thread = threading.Thread(target=serving.run, daemon=True, name="web")
    thread.start()
    try:
        while thread.is_alive() and not serving.server.started:
            time.sleep(0.01)
        yield serving.address
    finally:
        serving.stop()
        thread.join(10)
