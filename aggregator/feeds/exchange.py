"""EDGE: one HTTP/1.1 connection: requests and their answers, one after the other, by h11 over a stream.

h11 knows the protocol. httpcore2's own connection around it is made to be shared, by any kind of loop and watched; ours belongs to one
request at a time, and without that a short answer takes three quarters of the processor time.
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
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
        self._expires_at: float | None = None
        self.came = False

    async def ask(self, request: httpcore2.Request) -> Answer:
        """Raises what httpcore2 raises; then, as whenever the asking is stopped, the connection is closed."""
        self._expires_at, self.came = None, False
        try:
            await self._send(request)
            response = await self._response()
        except BaseException:
            await self.aclose()
            raise
        return Answer(
            response.status_code, response.headers.raw_items(), {"reason_phrase": response.reason, "network_stream": self._stream}, self
        )

    async def _send(self, request: httpcore2.Request) -> None:
        try:
            head = self._h11.send(h11.Request(method=request.method, target=request.url.target, headers=request.headers))
        except h11.LocalProtocolError as error:
            raise httpcore2.LocalProtocolError(str(error)) from error
        rest = self._h11.send(h11.EndOfMessage())
        with contextlib.suppress(httpcore2.WriteError):  # a server may refuse in the middle of a request, and still say why
            await self._stream.write((head or b"") + (rest or b""))

    async def _response(self) -> h11.Response:
        while True:
            event = await self._event()
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                raise httpcore2.RemoteProtocolError("the server changes to a protocol that nobody asked for")

    async def body(self) -> AsyncGenerator[bytes, None]:
        try:
            while isinstance(event := await self._event(), h11.Data):
                yield bytes(event.data)
        except BaseException:
            await self.finish()
            raise

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise httpcore2.RemoteProtocolError(str(error)) from error
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # the type checker does not narrow by identity
            data = await self._stream.read(_READ_BYTES)
            if data:
                self.came = True
            elif self._h11.their_state == h11.SEND_RESPONSE:
                raise httpcore2.RemoteProtocolError("Server disconnected without sending a response.")
            self._h11.receive_data(data)

    async def finish(self) -> None:
        """After an answer: ready for the next request when it was read to its end, else closed."""
        if self._expires_at is not None:
            return
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
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
