"""Streams on asyncio itself: TLS, much data, and ends of every kind, through the network as the fetcher uses it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpcore2
import pytest

from aggregator.feeds.connect import Network
from tests.feeds.server import Answer, Detour, Server, reply, sends, serving

CERTIFICATE = Path(__file__).with_name("news.example.pem")
"""Made for these tests: a key that guards nothing, and a certificate for news.example that it signed itself."""


def request(url: str) -> httpcore2.Request:
    return httpcore2.Request("GET", url, headers=[("host", "news.example")])


async def body_of(network: Network, url: str) -> bytes:
    async with network.send(request(url), private=True) as response:
        return b"".join([chunk async for chunk in response.aiter_stream()])


def run(answer: Answer, work: Callable[[Network, Server], Awaitable[object]]) -> Server:
    async def both() -> Server:
        async with serving(answer) as server:
            network = Network()
            try:
                await work(network, server)
            finally:
                await network.aclose()
            return server

    return asyncio.run(both())


def test_a_large_body_comes_whole_and_in_order() -> None:
    body = bytes(range(256)) * 20_000

    async def work(network: Network, server: Server) -> None:
        assert await body_of(network, server.url + "/") == body

    run(sends(reply(body=body)), work)


def test_a_sender_waits_for_a_slow_reader_and_nothing_is_lost() -> None:
    body = b"0123456789" * 3_000_000
    sent = 0

    async def answer(asked: object, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for start in range(0, len(body), 500_000):
            writer.write(body[start : start + 500_000])
            await writer.drain()
            sent = start

    async def work(network: Network, server: Server) -> None:
        got = bytearray()
        async with network.send(request(server.url + "/"), private=True) as response:
            stream = response.aiter_stream()
            got += await anext(stream)
            await asyncio.sleep(0.3)
            assert sent < len(body) // 2, "the buffer of an unread answer must not grow with the answer"
            async for chunk in stream:
                got += chunk
        assert bytes(got) == body

    run(answer, work)


def test_a_connection_is_used_again_and_one_that_the_server_closed_is_not() -> None:
    async def work(network: Network, server: Server) -> None:
        for _ in range(3):
            assert await body_of(network, server.url + "/") == b"x"

    assert run(sends(reply(body=b"x")), work).connections == 1
    assert run(sends(reply(body=b"x"), close=True), work).connections == 3


def test_what_comes_unasked_on_an_idle_connection_is_never_taken_for_an_answer() -> None:
    async def work(network: Network, server: Server) -> None:
        assert await body_of(network, server.url + "/") == b"x"
        await asyncio.sleep(0.2)
        assert await body_of(network, server.url + "/") == b"x"

    async def answer(asked: object, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(body=b"x"))
        await asyncio.sleep(0.05)
        writer.write(reply(body=b"smuggled"))

    assert run(answer, work).connections == 2


@pytest.mark.parametrize("first", [b"HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n", reply(body=b"x")], ids=["304", "200"])
def test_what_comes_together_with_an_answer_is_never_taken_for_the_next_one(first: bytes) -> None:
    async def work(network: Network, server: Server) -> None:
        for _ in range(2):
            assert await body_of(network, server.url + "/") in (b"", b"x")

    assert run(sends(first + reply(body=b"smuggled")), work).connections == 2


def test_connections_are_not_shared_between_those_that_may_be_private_and_those_that_may_not() -> None:
    async def both() -> int:
        async with serving(sends(reply(body=b"x"))) as server:
            network = Network(lookup=lambda host: ["93.184.216.34"], backend=Detour())
            for private in (True, False, True, False):
                async with network.send(request(f"http://news.example:{server.port}/"), private=private) as response:
                    assert [chunk async for chunk in response.aiter_stream()] == [b"x"]
            await network.aclose()
            return server.connections

    assert asyncio.run(both()) == 2


@pytest.mark.parametrize(("trusted", "outcome"), [(True, b"secret"), (False, "certificate")])
def test_tls_is_spoken_and_the_certificate_checked_against_the_name(
    trusted: bool, outcome: bytes | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving_context.load_cert_chain(CERTIFICATE)
    context = ssl.create_default_context(cafile=str(CERTIFICATE) if trusted else None)
    monkeypatch.setattr(httpcore2, "default_ssl_context", lambda: context)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(body=b"secret"))

    async def ask() -> bytes:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=serving_context)
        network = Network(lookup=lambda host: ["93.184.216.34"], backend=Detour())
        try:
            return await body_of(network, f"https://news.example:{server.sockets[0].getsockname()[1]}/")
        finally:
            await network.aclose()
            server.close()

    if isinstance(outcome, bytes):
        assert asyncio.run(ask()) == outcome
    else:
        with pytest.raises(httpcore2.ConnectError, match=outcome):
            asyncio.run(ask())
