"""Undo Content-Encoding piece by piece, so that a bomb never materialises. Pure: bytes in, bounded bytes out."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

PIECE_BYTES = 65_536
"""No step yields more than about this (zstd: 2 MiB, see _Zstd)."""

_MAX_LAYERS = 3


class DecodeError(ValueError):
    """The bytes are not what Content-Encoding promises; the message is half a sentence."""


class Decoder(Protocol):
    def decode(self, data: bytes) -> Iterator[bytes]:
        """What `data` adds, in bounded pieces. Raises DecodeError."""
        ...

    @property
    def complete(self) -> bool:
        """False while the compressed stream still lacks its end."""
        ...


def make_decoder(content_encoding: str) -> Decoder:
    """A decoder for the value of a Content-Encoding header ("" for none). Raises DecodeError for codings nobody asked for."""
    names = [name for name in (part.strip().lower() for part in content_encoding.split(",")) if name not in ("", "identity")]
    if len(names) > _MAX_LAYERS:
        raise DecodeError(f"is compressed {len(names)} times over")
    decoder: Decoder = _Plain()
    for name in names:  # listed in the order they were applied: the last is undone first (RFC 9110 section 8.4)
        decoder = _Chain(_single(name), decoder)
    return decoder


def _single(name: str) -> Decoder:
    if name in ("gzip", "x-gzip"):
        return _Gzip()
    if name == "deflate":
        return _Deflate()
    if name == "br":
        return _Brotli()
    if name == "zstd":
        return _Zstd()
    raise DecodeError(f"uses the content coding “{name[:40]}”, which this program does not read")


class _Plain:
    complete = True

    def decode(self, data: bytes) -> Iterator[bytes]:
        if data:
            yield data


class _Chain:
    def __init__(self, outer: Decoder, inner: Decoder) -> None:
        self._outer, self._inner = outer, inner

    def decode(self, data: bytes) -> Iterator[bytes]:
        for piece in self._outer.decode(data):
            yield from self._inner.decode(piece)

    @property
    def complete(self) -> bool:
        return self._outer.complete and self._inner.complete


class _Inflate(ABC):
    """zlib with an output limit; the subclasses say which wrapper the first bytes call for (None = not compressed at all)."""

    _enough = 2

    def __init__(self) -> None:
        self._held = b""
        self._inflater: Any = None
        self._plain = False
        self._done = False
        self._members = 0

    @abstractmethod
    def _window_bits(self, head: bytes) -> int | None: ...

    def _goes_on(self, rest: bytes) -> bool:
        """Whether what follows the end of the stream is another member."""
        return False

    @property
    def complete(self) -> bool:
        return self._inflater is None and (self._plain or self._done or self._members > 0 or not self._held)

    def decode(self, data: bytes) -> Iterator[bytes]:
        data, self._held = self._held + data, b""
        while data and not self._done:
            if self._plain:
                yield data
                return
            if self._inflater is None:
                if len(data) < self._enough:
                    self._held = data
                    return
                if self._members and not self._goes_on(data):
                    self._done = True
                    return
                bits = self._window_bits(data)
                self._plain, self._inflater = bits is None, None if bits is None else zlib.decompressobj(bits)
                continue
            piece, data = self._step(data)
            if piece:
                yield piece

    def _step(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            piece: bytes = self._inflater.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            raise DecodeError("is damaged inside its compression") from error
        if not self._inflater.eof:
            return piece, self._inflater.unconsumed_tail
        rest: bytes = self._inflater.unused_data
        self._inflater, self._members = None, self._members + 1
        return piece, rest


class _Gzip(_Inflate):
    def _window_bits(self, head: bytes) -> int | None:
        # servers exist that announce gzip and send plain text
        return 31 if head[:2] == b"\x1f\x8b" else None

    def _goes_on(self, rest: bytes) -> bool:
        return rest[:2] == b"\x1f\x8b"  # several members in a row (RFC 1952 section 2.2); anything else is padding


class _Deflate(_Inflate):
    def _window_bits(self, head: bytes) -> int | None:
        # "deflate" is the zlib format (RFC 9110 section 8.4.1.2), yet some servers send it bare
        return 15 if head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0 else -15


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._error: type[Exception] = brotli.error
        self._decompressor = brotli.Decompressor()
        self._started = False

    @property
    def complete(self) -> bool:
        return not self._started or bool(self._decompressor.is_finished())

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data or not self._decompressor.can_accept_more_data():
            if self._decompressor.is_finished():
                return
            self._started = True
            try:
                piece = self._decompressor.process(data, output_buffer_limit=PIECE_BYTES)
            except self._error as error:
                raise DecodeError("is damaged inside its compression") from error
            data = b""
            if piece:
                yield piece


class _Zstd:
    """zstandard has no output limit, so it gets little input: 64 bytes hold at most 16 blocks of 128 KiB (RFC 8878 section 3.1.1.2)."""

    _input_bytes = 64

    def __init__(self) -> None:
        import zstandard

        self._error: type[Exception] = zstandard.ZstdError
        # RFC 9659: a window over 8 MiB need not be accepted over HTTP
        self._make = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj
        self._decompressor = self._make()
        self._started = False

    @property
    def complete(self) -> bool:
        return not self._started

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), self._input_bytes):
            part = data[start : start + self._input_bytes]
            while part:
                piece, part = self._step(part)
                if piece:
                    yield piece

    def _step(self, part: bytes) -> tuple[bytes, bytes]:
        self._started = True
        try:
            piece = self._decompressor.decompress(part)
        except self._error as error:
            raise DecodeError("is damaged inside its compression") from error
        if not self._decompressor.eof:
            return piece, b""
        rest: bytes = self._decompressor.unused_data
        self._decompressor, self._started = self._make(), False  # frames may follow each other
        return piece, rest
