"""EDGE: starts, feeds, watches and kills the process that finds the text of web pages.

page | process (page_worker.py): trafilatura | plain text

One process, one page at a time: a page costs about 50 ms, far less than fetching it. It starts with the first page and lives until
aclose(); one that hung is killed and replaced by the next page.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping

import msgspec

from aggregator.errors import FeedError
from aggregator.feeds.pipes import LENGTH

_START = "import sys; sys.path[:] = {path!r}; from aggregator.feeds.page_worker import main; main({memory}, {cpu})"
_START_SECONDS = 30.0
"""For loading trafilatura, which takes a second on an idle machine."""

_DECODER = msgspec.msgpack.Decoder(tuple[str, str])


def is_installed() -> bool:
    """Whether the extra is there."""
    return importlib.util.find_spec("trafilatura") is not None


class PageProcess:
    """Implements ports.PageReader. Belongs to one event loop. `memory_bytes` is address space."""

    def __init__(self, deadline_seconds: float = 10.0, memory_bytes: int = 1_000_000_000) -> None:
        self._deadline_seconds, self._memory_bytes = deadline_seconds, memory_bytes
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def extract(self, body: bytes, headers: Mapping[str, str], url: str) -> str:
        """See ports.PageReader."""
        async with self._turn:
            try:
                process = self._process or await self._start()
                async with asyncio.timeout(self._deadline_seconds):
                    kind, text = await _ask(process, msgspec.msgpack.encode((body, headers.get("content-type", ""), url)))
            except (TimeoutError, OSError, asyncio.IncompleteReadError, msgspec.DecodeError) as error:
                await self.aclose()
                raise FeedError(f"Reading the page {url} took too long or too much memory and was stopped.", url=url) from error
            except BaseException:  # told to stop between question and answer: the next page must not get this one's text
                await self.aclose()
                raise
            if kind != "text":
                raise FeedError(f"The page {url} could not be read ({text}).", url=url)
            return text

    async def aclose(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _start(self) -> Process:
        path = [entry for entry in sys.path if entry]
        code = _START.format(path=path, memory=self._memory_bytes, cpu=max(1, round(self._deadline_seconds)))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
        )
        async with asyncio.timeout(_START_SECONDS):
            await _answer(self._process)
        return self._process


async def _ask(process: Process, message: bytes) -> tuple[str, str]:
    assert process.stdin is not None
    process.stdin.write(LENGTH.pack(len(message)) + message)
    await process.stdin.drain()
    return _DECODER.decode(await _answer(process))


async def _answer(process: Process) -> bytes:
    assert process.stdout is not None
    size = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))[0]
    return await process.stdout.readexactly(size)
