"""EDGE: one HTTP/1.1 connection: requests and their answers, one after the other, over a stream.

    request | its head: plain (plainhttp.py), else by h11 | what comes: a plain 304, else by h11 | Answer | body

h11 knows the protocol; but it took a quarter of the processor time of a poll, and most polls are answered by a few plain lines. So it is
called when anything else comes, with all that came. httpcore2's own connection around it is made to be shared, by any kind of loop and
watched; ours belongs to one request at a time.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import h11
import httpcore2

from aggregator.feeds import plainhttp

_READ_BYTES = 65_536
_HEADER_BYTES = 100 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """As httpcore2.Response, of which it has what is needed. The body is still to be read."""

    status: int
    headers: list[tuple[bytes, bytes]]
    extensions: dict[str, Any]
    connection: HttpConnection

    def aiter_stream(self) -> AsyncGenerator[bytes, None]:
        return self.connection.body()

    async def aclose(self) -> None:
        await self.connection.finish()


class HttpConnection:
    """An open connection. `came` tells whether anything came of the answer to the last request."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream, keep_seconds: float) -> None:
        self._stream, self._keep_seconds = stream, keep_seconds
        self._h11: h11.Connection | None = None
        """What reads the answer under way, unless it is a plain one."""
        self._is_plain = False
        self._expires_at: float | None = None
        self.came = False

    async def ask(self, request: httpcore2.Request) -> Answer:
        """Raises what httpcore2 raises; then, as whenever the asking is stopped, the connection is closed."""
        self._h11, self._is_plain, self._expires_at, self.came = None, False, None, False
        try:
            await self._send(request)
            return await self._answer(request)
        except BaseException:
            await self.aclose()
            raise

    async def _send(self, request: httpcore2.Request) -> None:
        head = plainhttp.request_head(request.method, request.url.target, request.headers)
        if head is None:
            self._h11, head = _by_h11(request)
        with contextlib.suppress(httpcore2.WriteError):  # a server may refuse in the middle of a request, and still say why
            await self._stream.write(head)

    async def _answer(self, request: httpcore2.Request) -> Answer:
        if self._h11 is None:
            data = await self._read()
            if (plain := plainhttp.read_not_modified(data)) is not None:
                self._is_plain = True
                return Answer(304, plain.headers, {"reason_phrase": plain.reason, "network_stream": self._stream}, self)
            self._h11, _ = _by_h11(request)
            self._receive(self._h11, data)
        response = await self._response(self._h11)
        extensions = {"reason_phrase": response.reason, "network_stream": self._stream}
        return Answer(response.status_code, response.headers.raw_items(), extensions, self)

    async def _response(self, protocol: h11.Connection) -> h11.Response:
        while True:
            event = await self._event(protocol)
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                raise httpcore2.RemoteProtocolError("the server changes to a protocol that nobody asked for")

    async def body(self) -> AsyncGenerator[bytes, None]:
        if self._h11 is None:
            return
        try:
            while isinstance(event := await self._event(self._h11), h11.Data):
                yield bytes(event.data)
        except BaseException:
            await self.finish()
            raise

    async def _event(self, protocol: h11.Connection) -> h11.Event | type[h11.PAUSED]:
        while True:
            try:
                event = protocol.next_event()
            except h11.RemoteProtocolError as error:
                raise httpcore2.RemoteProtocolError(str(error)) from error
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # the type checker does not narrow by identity
            self._receive(protocol, await self._read())

    async def _read(self) -> bytes:
        data = await self._stream.read(_READ_BYTES)
        if data:
            self.came = True
        return data

    def _receive(self, protocol: h11.Connection, data: bytes) -> None:
        if not data and protocol.their_state == h11.SEND_RESPONSE:
            raise httpcore2.RemoteProtocolError("Server disconnected without sending a response.")
        protocol.receive_data(data)

    async def finish(self) -> None:
        """After an answer: ready for the next request when it was read to its end, else closed."""
        if self._expires_at is not None:
            return
        if self._is_plain or (self._h11 is not None and _is_over(self._h11)):
            self._expires_at = time.monotonic() + self._keep_seconds
        else:
            await self.aclose()

    def is_idle(self) -> bool:
        return self._expires_at is not None

    def is_good(self) -> bool:
        """Whether an idle connection may be used: what comes unasked is its end, or nothing to be trusted."""
        return self._expires_at is not None and time.monotonic() <= self._expires_at and not self._stream.get_extra_info("is_readable")

    async def aclose(self) -> None:
        self._expires_at = None
        await self._stream.aclose()


def _by_h11(request: httpcore2.Request) -> tuple[h11.Connection, bytes]:
    """A protocol that has sent the request, and what that is on the wire."""
    protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
    try:
        head = protocol.send(h11.Request(method=request.method, target=request.url.target, headers=request.headers))
        end = protocol.send(h11.EndOfMessage())  # refused where the headers announce a body
    except h11.LocalProtocolError as error:
        raise httpcore2.LocalProtocolError(str(error)) from error
    return protocol, (head or b"") + (end or b"")


def _is_over(protocol: h11.Connection) -> bool:
    """Whether request and answer have ended, both sides would go on, and nothing came after the answer: that nobody has asked for."""
    return protocol.our_state is h11.DONE and protocol.their_state is h11.DONE and not protocol.trailing_data[0]


async def connect(
    origin: httpcore2.Origin, backend: httpcore2.AsyncNetworkBackend, context: ssl.SSLContext | None, seconds: float | None, keep: float
) -> HttpConnection:
    """With TLS where there is a `context`. `seconds` for each of connection and handshake; `keep` those an idle one is good for."""
    host = origin.host.decode("ascii")
    stream = await backend.connect_tcp(host, origin.port, seconds)
    if context is not None:
        context.set_alpn_protocols(["http/1.1"])
        try:
            stream = await stream.start_tls(context, host, seconds)
        except BaseException:
            await stream.aclose()
            raise
    return HttpConnection(stream, keep)
