"""EDGE: the socket and the server (uvicorn) under the pages, and what only the world can give them: time, chance, a free port."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from aggregator.errors import ConfigError
from aggregator.hosts import is_loopback
from aggregator.web.access import TOKEN_LENGTH, Access, key_of
from aggregator.web.routes import ROUTES
from aggregator.web.site import Site

if TYPE_CHECKING:
    from aggregator.app import App

_READERS = 64


def make_access(host: str, token: str, hosts: tuple[str, ...]) -> Access:
    """The rules for a server on that address. Raises ConfigError where a token is needed and there is none, or a short one."""
    others = frozenset(name.casefold() for name in hosts if not is_loopback(name.casefold()))
    if not token and (others or not is_loopback(host)):
        what = f"{host} can be reached from other machines" if not is_loopback(host) else f"{min(others)} is a name for others"
        raise ConfigError(f'{what}, so a login is needed: write a long token into a file and set web.token = "file:PATH"', key="web.token")
    if token and len(token) < TOKEN_LENGTH:
        raise ConfigError(f"the token has fewer than {TOKEN_LENGTH} characters; `openssl rand -hex 32` makes a good one", key="web.token")
    key = key_of(token) if token else secrets.token_bytes(32)
    return Access(key, time.time, lambda: secrets.token_urlsafe(24), token, others, everywhere=not is_loopback(host))


class Serving:
    """One server on one address; `port` is the one it has (0 asked for any). Raises ConfigError when it cannot have it."""

    def __init__(self, app: App, listen: str, token: str = "", hosts: tuple[str, ...] = ()) -> None:
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        access = make_access(host, token, hosts)
        self._socket = _listen(host, int(port), listen)
        self.port = int(self._socket.getsockname()[1])
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"
        _ = app.store, app.subscribed()  # opened, and told what feeds there are, before several threads ask for it
        config = uvicorn.Config(
            Site(app, access, ROUTES).asgi(),
            log_level="warning",
            server_header=False,
            date_header=True,
            limit_concurrency=_READERS * 4,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=65_536,
            lifespan="off",
            ws="none",
        )
        self.server = uvicorn.Server(config)

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until `stop` is called or, in the main thread, a signal to end comes: then what is under way is finished."""
        if threading.current_thread() is threading.main_thread():
            # the server gives a signal back when it is done; by the default SIGTERM would then kill the program
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        if ready is not None:
            ready()
        with suppress(KeyboardInterrupt):
            self.server.run(sockets=[self._socket])

    def stop(self) -> None:
        self.server.should_exit = True


def _listen(host: str, port: int, listen: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
        opened.listen(128)
    except (OSError, OverflowError) as error:
        opened.close()
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{listen} cannot be listened on ({reason}); name another address with --listen", key="web.listen") from None
    return opened
