"""EDGE: TCP and TLS streams on asyncio itself, in the shape that httpcore2 asks of a network backend.

httpcore2's own backend goes through anyio, which doubles the processor time of a short answer; asyncio's StreamReader does not tell
whether something lies in it unread, which spoils an idle connection. Deadlines are the caller's business
(patience.py): the `timeout` arguments are there for the interface and not looked at.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2

_MOST_BUFFERED = 262_144
"""Bytes that wait to be read before the sender is made to wait."""


class StreamBackend(httpcore2.AsyncNetworkBackend):
    """Opens streams with the running loop. `connect_tcp` is all that is asked of it."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """`host` is an address. Raises httpcore2.ConnectError."""
        try:
            _, wire = await asyncio.get_running_loop().create_connection(_Wire, host, port)
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        return _Stream(wire)


class _Wire(asyncio.Protocol):
    """What came and was not read yet, and whoever waits for more or for leave to write."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._paused: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if len(self.received) > _MOST_BUFFERED:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended, self.error = True, exc
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._paused = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._paused is not None and not self._paused.done():
            self._paused.set_result(None)
        self._paused = None

    async def more(self) -> None:
        """Returns once something can be read or the end is known."""
        if not self.received and not self.ended:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    async def written(self) -> None:
        if self._paused is not None:
            await self._paused

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        wire = self._wire
        await wire.more()
        if not wire.received and wire.error is not None:
            raise httpcore2.ReadError(str(wire.error)) from wire.error
        data = bytes(wire.received[:max_bytes])
        del wire.received[:max_bytes]
        if not wire.ended and len(wire.received) <= _MOST_BUFFERED:
            wire.transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        wire = self._wire
        if wire.ended and wire.error is not None:
            raise httpcore2.WriteError(str(wire.error)) from wire.error
        if buffer:
            wire.transport.write(buffer)
            await wire.written()

    async def aclose(self) -> None:
        self._wire.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        wire = self._wire
        try:
            secured = await asyncio.get_running_loop().start_tls(wire.transport, wire, ssl_context, server_hostname=server_hostname)
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        if secured is None:
            raise httpcore2.ConnectError("the connection was closed during the handshake")
        wire.transport = secured
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # of an idle connection: what comes unasked, be it the end, makes it useless
            return self._wire.ended or bool(self._wire.received)
        return self._wire.transport.get_extra_info(info)
