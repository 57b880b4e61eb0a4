"""EDGE: starts, feeds, watches and kills the processes that parse documents.

document | worker process (parse_worker.py): parse, sift, normalise | ParsedFeed and ReadItems, or a sentence

feedparser needs quadratic time for some small documents and lets errors out for others, so it runs where it can be stopped: each
document has a deadline by the clock, each process a limit of memory and of processor time, and a process that hung is killed and
replaced while the others go on. Processes start with the first documents that need them and live until close(); they are forked from
one that has loaded what they need (nursery.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from aggregator.errors import FeedError
from aggregator.feeds.nursery import Child, Nursery
from aggregator.feeds.pipes import Answer, Question
from aggregator.model import ParsedFeed, Reading, ReadItems

_DECODER: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
_FEW = 4
_TRIES = 3
_LIFETIME = 2_000
"""Documents after which a process is replaced, against slow growth of its memory."""


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """`workers` processes; `deadline_seconds` by the clock for one document; `memory_bytes` of address space for one process."""

    workers: int = 2
    deadline_seconds: float = 10.0
    memory_bytes: int = 768 * 1024 * 1024


class GuardedParser:
    """Parses documents in a few processes. Belongs to no event loop: it may serve several, one after the other or at once."""

    def __init__(self, limits: ParseLimits | None = None) -> None:
        self.limits = limits or ParseLimits()
        self._nursery: Nursery | None = None
        self._idle: list[Child] = []
        self._all: set[Child] = set()
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False

    async def parse(self, body: bytes, headers: Mapping[str, str], url: str) -> ParsedFeed:
        """Raises FeedError with a sentence when the body is no feed, or took too long or too much memory."""
        return (await self._ask((body, dict(headers), url, None)))[0]

    async def read(self, body: bytes, headers: Mapping[str, str], url: str, reading: Reading) -> tuple[ParsedFeed, ReadItems]:
        """See ports.Parser."""
        parsed, read = await self._ask((body, dict(headers), url, reading))
        return parsed, read or ReadItems()

    async def _ask(self, question: Question) -> tuple[ParsedFeed, ReadItems | None]:
        return await asyncio.get_running_loop().run_in_executor(self._pool(), self._answer, question)

    def expect(self, documents: int) -> None:
        """Start processes for so many documents that will come soon: it takes as long as to fetch fifty, and can go on meanwhile.

        Few may come to nothing; for those a process starts with the first.
        """
        with self._lock:
            missing = 0 if self._closed else min(documents // _FEW, self.limits.workers) - len(self._all)
            self._idle += [self._fork() for _ in range(missing)]

    def rest(self) -> None:
        """End the idle processes, which hold 45 MB; others start with the next documents."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._all -= set(idle)
            nursery = None if self._all else self._nursery
            if nursery is not None:
                self._nursery = None
        for child in idle:
            child.end()
        if nursery is not None:
            nursery.close()

    def close(self) -> None:
        """Kill every process, also busy ones, and wait for their end. May be called twice."""
        with self._lock:
            self._closed = True
            children, nursery, threads = list(self._all), self._nursery, self._threads
            self._all.clear()
            self._idle.clear()
        if nursery is not None:
            nursery.close()
        if threads is not None:
            threads.shutdown(wait=True, cancel_futures=True)
        for child in children:
            child.end()

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise RuntimeError("the parser is closed")
            if self._threads is None:
                # as many threads as processes: each waits for one; no document queues behind a hung one while another is free
                self._threads = ThreadPoolExecutor(max_workers=self.limits.workers, thread_name_prefix="parse")
            return self._threads

    def _answer(self, question: Question) -> tuple[ParsedFeed, ReadItems | None]:
        child, url = self._take(), question[2]
        try:
            kind, sentence, parsed, read = self._exchange(child, question)
        except BaseException:
            self._drop(child)
            raise
        if kind in ("feed", "error", "crash") and child.served < _LIFETIME:
            self._give_back(child)
        else:
            self._drop(child)
        if parsed is not None:
            return parsed, read
        raise FeedError(self._sentence(kind, sentence, url), url=url)

    def _exchange(self, child: Child, question: Question) -> Answer:
        """An answer of parse_worker.py, or one that is called "late" or "died"; then the process is ended."""
        try:
            return _DECODER.decode(child.ask(msgspec.msgpack.encode(question), self.limits.deadline_seconds))
        except TimeoutError:
            child.end()
            return "late", "", None, None
        except (OSError, EOFError, ValueError):
            # the system may have stopped it for its processor time before the deadline by the clock
            return ("late" if child.end() == -signal.SIGXCPU else "died"), "", None, None

    def _sentence(self, kind: str, said: str, url: str) -> str:
        if kind == "error":
            return said
        if kind == "late":
            return f"Reading the document of {url} took more than {self.limits.deadline_seconds:g} s and was stopped."
        if kind == "memory":
            return f"Reading the document of {url} needed more than {self.limits.memory_bytes // 1_048_576} MB of memory and was stopped."
        return f"Reading the document of {url} failed ({said or 'the parser process ended'})."

    def _take(self) -> Child:
        with self._lock:
            if self._closed:
                raise RuntimeError("the parser is closed")
            return self._idle.pop() if self._idle else self._fork()

    def _fork(self) -> Child:
        for _ in range(_TRIES):
            if self._nursery is not None and not self._nursery.is_alive():
                self._nursery.close()
                self._nursery = None
            if self._nursery is None:
                self._nursery = Nursery(self.limits.memory_bytes, max(1, round(self.limits.deadline_seconds)))
            with contextlib.suppress(OSError):  # it has ended at this very moment
                child = self._nursery.fork()
                self._all.add(child)
                return child
        raise RuntimeError("no parser process can be started")

    def _give_back(self, child: Child) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(child)

    def _drop(self, child: Child) -> None:
        child.end()
        with self._lock:
            self._all.discard(child)
