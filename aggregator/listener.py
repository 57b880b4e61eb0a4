"""EDGE: serves /healthz and /metrics over HTTP on a loopback address, for this machine's own monitoring.

No page of a browser may read them: a Host header that is no loopback name is refused (DNS rebinding), and only GET is answered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from aggregator.errors import ConfigError
from aggregator.hosts import host_of, is_loopback

Answer = tuple[int, str, str]
"""Status, content type, text."""


class Listener:
    """While it lasts, answers by `pages`: path to a function that gives the answer."""

    def __init__(self, address: str, pages: dict[str, Callable[[], Answer]]) -> None:
        host, _, port = address.rpartition(":")
        self._pages = pages
        try:
            self._server = _Server((host.strip("[]"), int(port)), self._handler())
        except OSError as error:
            raise ConfigError(f"{address} cannot be listened on ({error.strerror}); name another port", key="daemon.listen") from None
        self.port = int(self._server.server_address[1])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pages = self._pages

        class Handler(BaseHTTPRequestHandler):
            server_version, sys_version, timeout = "aggregator", "", 10

            def do_GET(self) -> None:
                page = pages.get(self.path.partition("?")[0])
                if not is_loopback(host_of(self.headers.get("Host", ""))):
                    answer = (403, "text/plain", "only for this machine\n")
                elif page is None:
                    answer = (404, "text/plain", f"there are {', '.join(pages)}\n")
                else:
                    answer = page()
                status, kind, text = answer
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> Listener:
        threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True, name="listener").start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 16
