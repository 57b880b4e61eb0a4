"""A loopback server for tests that sends exactly the bytes it is told, well-formed or not, and notes what it was asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore2

from aggregator.feeds.streams import StreamBackend


@dataclass(frozen=True)
class Asked:
    target: str
    headers: dict[str, str]


@dataclass
class Server:
    url: str = ""
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    under_way: int = 0
    most_at_once: int = 0


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def reply(status: str = "200 OK", body: bytes = b"", headers: Iterable[str] = ()) -> bytes:
    """A well-formed answer with Content-Length."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode("latin-1") + body


def sends(*answers: bytes, close: bool = False) -> Answer:
    """Sends these in turn, the last one for ever; with `close` hangs up after each."""
    left = list(answers)

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()
        if close:
            writer.close()

    return answer


def routes(table: dict[str, bytes]) -> Answer:
    """Answers by path."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(table[asked.target])

    return answer


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    served = Server()
    tasks: set[asyncio.Task[Any]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        served.connections += 1
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                pairs = (line.partition(": ") for line in head[1:] if line)
                asked = Asked(head[0].split(" ")[1], {name.lower(): value for name, _, value in pairs})
                served.asked.append(asked)
                served.under_way += 1
                served.most_at_once = max(served.most_at_once, served.under_way)
                try:
                    await answer(asked, writer)
                finally:
                    served.under_way -= 1
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    served.url = f"http://127.0.0.1:{served.port}"
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def serving_beside(answer: Answer) -> Iterator[Server]:
    """The same in a thread of its own, for programs that run an event loop of theirs."""
    ready, done = threading.Event(), threading.Event()
    served: list[Server] = []

    async def serve() -> None:
        async with serving(answer) as server:
            served.append(server)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(60)
        yield served[0]
    finally:
        done.set()
        thread.join(60)


class Detour(httpcore2.AsyncNetworkBackend):
    """Takes every connection to loopback, whatever the address, and notes the address: the public internet for tests."""

    def __init__(self) -> None:
        self._real = StreamBackend()
        self.addresses: list[str] = []

    async def connect_tcp(self, host: str, port: int, *rest: Any, **more: Any) -> httpcore2.AsyncNetworkStream:
        self.addresses.append(host)
        return await self._real.connect_tcp("127.0.0.1", port, *rest, **more)
