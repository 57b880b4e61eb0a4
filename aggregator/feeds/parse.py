"""EDGE: starts, feeds, watches and kills the processes that parse documents.

document | worker process (parse_worker.py): parse, sift, normalise | ParsedFeed and ReadItems, or a sentence

feedparser needs quadratic time for some small documents and lets errors out for others, so it runs where it can be stopped: each
document has a deadline by the clock, each process a limit of memory and of processor time, and a process that hung is killed and
replaced while the others go on. Processes start with the first documents that need them and live until close().
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from aggregator.errors import FeedError
from aggregator.feeds.pipes import LENGTH, Answer, Question
from aggregator.model import ParsedFeed, Reading, ReadItems

_DECODER: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
_START = "import sys; sys.path[:] = {path!r}; from aggregator.feeds.parse_worker import main; main({memory}, {cpu})"
_FEW = 4
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
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
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
            for _ in range(missing):
                worker = _Worker(self.limits)
                self._all.add(worker)
                self._idle.append(worker)

    def rest(self) -> None:
        """End the idle processes, which hold 45 MB each; others start with the next documents."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._all -= set(idle)
        for worker in idle:
            worker.dispose()

    def close(self) -> None:
        """Kill every process, also busy ones, and wait for their end. May be called twice."""
        with self._lock:
            self._closed = True
            workers, threads = list(self._all), self._threads
            self._all.clear()
            self._idle.clear()
        for worker in workers:
            worker.kill()
        if threads is not None:
            threads.shutdown(wait=True, cancel_futures=True)
        for worker in workers:
            worker.dispose()

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise RuntimeError("the parser is closed")
            if self._threads is None:
                # as many threads as processes: each waits for one; no document queues behind a hung one while another is free
                self._threads = ThreadPoolExecutor(max_workers=self.limits.workers, thread_name_prefix="parse")
            return self._threads

    def _answer(self, question: Question) -> tuple[ParsedFeed, ReadItems | None]:
        worker, url = self._take(), question[2]
        try:
            kind, sentence, parsed, read = worker.ask(question, self.limits.deadline_seconds)
        except BaseException:
            self._drop(worker)
            raise
        if kind in ("feed", "error", "crash") and worker.served < _LIFETIME:
            self._give_back(worker)
        else:
            self._drop(worker)
        if parsed is not None:
            return parsed, read
        raise FeedError(self._sentence(kind, sentence, url), url=url)

    def _sentence(self, kind: str, said: str, url: str) -> str:
        if kind == "error":
            return said
        if kind == "late":
            return f"Reading the document of {url} took more than {self.limits.deadline_seconds:g} s and was stopped."
        if kind == "memory":
            return f"Reading the document of {url} needed more than {self.limits.memory_bytes // 1_048_576} MB of memory and was stopped."
        return f"Reading the document of {url} failed ({said or 'the parser process ended'})."

    def _take(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise RuntimeError("the parser is closed")
            if self._idle:
                return self._idle.pop()
            worker = _Worker(self.limits)
            self._all.add(worker)
            return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(worker)

    def _drop(self, worker: _Worker) -> None:
        worker.dispose()
        with self._lock:
            self._all.discard(worker)


class _Worker:
    """One process and the two pipes to it."""

    def __init__(self, limits: ParseLimits) -> None:
        path = [entry for entry in sys.path if entry]
        code = _START.format(path=path, memory=limits.memory_bytes, cpu=max(1, round(limits.deadline_seconds)))
        self.served = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the main process, which then closes the pool
        )

    def ask(self, question: Question, deadline_seconds: float) -> Answer:
        """An answer of parse_worker.py, or one that is called "late" or "died".

        A watchdog kills the process at the deadline, which ends the waiting for its pipes however it hangs.
        """
        self.served += 1
        late = threading.Event()
        watchdog = threading.Timer(deadline_seconds, self._stop, (late,))
        watchdog.daemon = True
        watchdog.start()
        try:
            return self._exchange(msgspec.msgpack.encode(question))
        except (OSError, EOFError, ValueError):
            return ("late" if late.is_set() or self._out_of_time() else "died"), "", None, None
        finally:
            watchdog.cancel()

    def _stop(self, late: threading.Event) -> None:
        late.set()
        self.kill()

    def _exchange(self, message: bytes) -> Answer:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(LENGTH.pack(len(message)) + message)
        self.process.stdin.flush()
        head = self.process.stdout.read(LENGTH.size)
        if len(head) < LENGTH.size:
            raise EOFError
        size = LENGTH.unpack(head)[0]
        answer = self.process.stdout.read(size)
        if len(answer) < size:
            raise EOFError
        return _DECODER.decode(answer)

    def _out_of_time(self) -> bool:
        """Whether the system stopped it for its processor time (SIGXCPU) before the watchdog did."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(timeout=1) == -signal.SIGXCPU
        return False

    def kill(self) -> None:
        """End the process now; safe from any thread and more than once. Whoever waits for its pipes sees their end."""
        self.process.kill()
        self.process.wait()

    def dispose(self) -> None:
        """Kill, and close the pipes. Only for the thread that uses them, or when none does any more."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()
