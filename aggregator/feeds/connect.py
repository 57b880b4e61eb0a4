"""EDGE: open connections only to addresses that were judged, and keep them for the next request to the same place.

A name is resolved once and the connection goes to the very address that was judged, so that no second answer of the name
server can lead elsewhere; TLS and the Host header still see the name. What an address may be is decided in addresses.py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any

import httpcore2

from aggregator.feeds.addresses import Kind, NameUnknownError, judge, parse_address, permitted
from aggregator.feeds.exchange import Answer, HttpConnection, connect
from aggregator.feeds.patience import Patience, patience
from aggregator.feeds.streams import StreamBackend

Lookup = Callable[[str], list[str]]
"""Addresses of a host name, as the system's resolver gives them. Blocks; raises OSError. Tests bring their own."""

_REMEMBER_SECONDS = 30.0
_LOOKUP_THREADS = 16


def system_lookup(host: str) -> list[str]:
    """What getaddrinfo says, in its order (RFC 6724), without repeats."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Resolver:
    """Asks for each name once in 30 s of real time.

    In threads of its own: the default executor has about six here, and a dead name server holds each for long.
    """

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._threads: ThreadPoolExecutor | None = None
        self._known: dict[str, tuple[float, asyncio.Future[list[str]]]] = {}

    def known(self, host: str) -> list[str] | None:
        """`addresses`, where the answer is there already: the same list for as long as it holds."""
        expires, answer = self._known.get(host, (0.0, None))
        if answer is not None and answer.done() and expires >= asyncio.get_running_loop().time() and not answer.cancelled():
            return None if answer.exception() is not None else answer.result() or None
        return None

    async def addresses(self, host: str) -> list[str]:
        """Raises NameUnknownError. An address is returned as it is."""
        if (found := self.known(host)) is not None:
            return found
        loop = asyncio.get_running_loop()
        expires, answer = self._known.get(host, (0.0, None))
        if parse_address(host) is not None:
            answer = loop.create_future()
            answer.set_result([host.strip("[]")])
            self._known[host] = (float("inf"), answer)
        elif answer is None or expires < loop.time() or (answer.done() and (answer.cancelled() or answer.exception() is not None)):
            self._threads = self._threads or ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="resolve")
            answer = loop.run_in_executor(self._threads, self._lookup, host)
            answer.add_done_callback(_mark_seen)
            self._known[host] = (loop.time() + _REMEMBER_SECONDS, answer)
        try:
            found = await asyncio.shield(answer)
        except (OSError, UnicodeError) as error:
            raise NameUnknownError(host, getattr(error, "strerror", None) or str(error)) from error
        if not found:
            raise NameUnknownError(host, "none was found")
        return found

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


def _mark_seen(answer: asyncio.Future[list[str]]) -> None:
    # whoever waited may have run out of time; without this asyncio complains that nobody looked at the error
    if not answer.cancelled():
        answer.exception()


_KEEP_SECONDS = 5.0
_BROKEN = (httpcore2.RemoteProtocolError, httpcore2.ReadError, httpcore2.WriteError)
_Place = tuple[bool, bytes, bytes, int | None]
"""Whether it may be private; scheme, host and port."""


class Network:
    """Sends requests over connections that all go to judged addresses. Belongs to one event loop.

    `lookup` and `backend` are the two things that touch the world; tests bring their own. One SSLContext is shared by all.
    """

    def __init__(
        self, *, lookup: Lookup = system_lookup, backend: httpcore2.AsyncNetworkBackend | None = None, connections: int = 64
    ) -> None:
        self._resolver = Resolver(lookup)
        backend = backend or StreamBackend()
        self._backends = {private: _CheckedBackend(self._resolver, backend, private=private) for private in (False, True)}
        self._connections = connections
        self._ssl_context: ssl.SSLContext | None = None
        self._idle: dict[HttpConnection, _Place] = {}
        self._proxies: dict[str, httpcore2.AsyncConnectionPool] = {}
        self._kinds: dict[str, tuple[list[str], Kind]] = {}

    def kind_now(self, host: str) -> Kind | None:
        """`kind`, where nobody has to be asked for it."""
        addresses = self._resolver.known(host)
        if addresses is None:
            return None
        if host not in self._kinds or self._kinds[host][0] is not addresses:
            self._kinds[host] = addresses, _kind_of(addresses)
        return self._kinds[host][1]

    async def kind(self, host: str) -> Kind:
        """What `host` leads to: "public" when any of its addresses is, else "private" when any is. Raises NameUnknownError."""
        return _kind_of(await self._resolver.addresses(host))

    def send(
        self, request: httpcore2.Request, *, private: bool, proxy: str | None = None
    ) -> AbstractAsyncContextManager[httpcore2.Response | Answer]:
        """The answer to a request, its body not read yet. Raises what httpcore2 raises, NameUnknownError and AddressRefusedError.

        Only public addresses are connected to, and with `private` also private ones; connections are never shared between the two.
        Through a `proxy` (http, https or socks5 URL, user:password@ allowed) only the proxy's address is judged.
        """
        if proxy is not None:
            return self._send_through(proxy, request)
        url = request.url
        return _Asking(self, (private, url.scheme, url.host, url.port), request)

    @asynccontextmanager
    async def _send_through(self, proxy: str, request: httpcore2.Request) -> AsyncIterator[httpcore2.Response]:
        response = await self._proxy_pool(proxy).handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def ask(self, place: _Place, request: httpcore2.Request) -> Answer:
        """Over a kept connection, else a new one; whoever asks is to `keep` it."""
        kept = await self._kept(place)
        if kept is not None:
            try:
                return await kept.ask(request)
            except _BROKEN:
                if kept.came:  # a part of an answer is an answer, and nothing is asked twice
                    raise
                # a kept connection that the server closed at this very moment says nothing about the server: ask once anew
        origin = request.url.origin
        context = self._certificates() if origin.scheme == b"https" else None
        seconds = request.extensions.get("timeout", {}).get("connect")
        connection = await connect(origin, self._backends[place[0]], context, seconds, _KEEP_SECONDS)
        return await connection.ask(request)

    async def _kept(self, place: _Place) -> HttpConnection | None:
        """An idle connection to the place that is still good."""
        for connection in [connection for connection, its in self._idle.items() if its == place]:
            del self._idle[connection]
            if connection.is_good():
                return connection
            await connection.aclose()
        return None

    async def keep(self, place: _Place, connection: HttpConnection) -> None:
        """For the next request; of too many the one that was idle longest is closed."""
        if not connection.is_idle():
            return
        self._idle[connection] = place
        if len(self._idle) > self._connections // 2:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            await oldest.aclose()

    def _proxy_pool(self, proxy: str) -> httpcore2.AsyncConnectionPool:
        if proxy not in self._proxies:
            self._proxies[proxy] = httpcore2.AsyncConnectionPool(
                ssl_context=self._certificates(),
                proxy=_proxy(proxy),
                max_connections=self._connections,
                max_keepalive_connections=self._connections // 2,
                keepalive_expiry=_KEEP_SECONDS,
                network_backend=self._backends[True],
            )
        return self._proxies[proxy]

    def _certificates(self) -> ssl.SSLContext:
        # reading the certificate store takes 30-60 ms: once, and only for https
        if self._ssl_context is None:
            self._ssl_context = httpcore2.default_ssl_context()
        return self._ssl_context

    async def aclose(self) -> None:
        for connection in self._idle:
            await connection.aclose()
        for pool in self._proxies.values():
            await pool.aclose()
        self._idle.clear()
        self._proxies.clear()
        self._resolver.close()


class _Asking(AbstractAsyncContextManager[Answer]):
    """A request and its answer. A context manager by hand: as a generator it took twice the time."""

    def __init__(self, network: Network, place: _Place, request: httpcore2.Request) -> None:
        self._network, self._place, self._request = network, place, request

    async def __aenter__(self) -> Answer:
        self._answer = await self._network.ask(self._place, self._request)
        return self._answer

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self._answer.aclose()
        await self._network.keep(self._place, self._answer.connection)


def _kind_of(addresses: list[str]) -> Kind:
    kinds = {judge(address) for text in addresses if (address := parse_address(text)) is not None}
    return "public" if "public" in kinds else "private" if "private" in kinds else "forbidden"


def _proxy(url: str) -> httpcore2.Proxy:
    import httpx2

    read = httpx2.URL(url)
    auth = (read.username, read.password) if read.userinfo else None
    return httpcore2.Proxy(str(read.copy_with(userinfo=b"")), auth=auth)


@asynccontextmanager
async def _connecting(seconds: float) -> AsyncIterator[Patience]:
    """patience(), whose end is what httpcore2 calls a connect timeout."""
    try:
        async with patience(seconds) as waiting:
            yield waiting
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout(error) from error


class _CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves, judges, then connects to what was judged."""

    def __init__(self, resolver: Resolver, inner: httpcore2.AsyncNetworkBackend, *, private: bool) -> None:
        self._resolver, self._inner, self._private = resolver, inner, private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        left = timeout if timeout is not None else 60.0
        async with _connecting(left) as waiting:
            good = permitted(host, await self._resolver.addresses(host), private=self._private)
        left = waiting.left_seconds
        failure: Exception = httpcore2.ConnectError("no address")
        for i, (address, kind) in enumerate(good):
            # one dead address (a broken IPv6 route) must not use up the time of the others
            share = max(0.05, left / (len(good) - i))
            try:
                async with _connecting(share) as waiting:
                    stream = await self._inner.connect_tcp(address, port, None, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
                left -= share - waiting.left_seconds
                continue
            return _CheckedStream(stream, kind)
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise httpcore2.UnsupportedProtocol("sockets of this machine are never fetched from")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _CheckedStream(httpcore2.AsyncNetworkStream):
    """A stream that remembers what kind of address it leads to (extra info "address_kind")."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream, kind: Kind) -> None:
        self._inner, self._kind = inner, kind

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        # a trailing dot is part of the name for the resolver, never for the certificate
        name = server_hostname.rstrip(".") if server_hostname else server_hostname
        async with _connecting(timeout if timeout is not None else 60.0):
            return _CheckedStream(await self._inner.start_tls(ssl_context, name, None), self._kind)

    def get_extra_info(self, info: str) -> Any:
        return self._kind if info == "address_kind" else self._inner.get_extra_info(info)
