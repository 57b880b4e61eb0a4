"""EDGE: parser processes from the asking side: has them forked, exchanges messages with a deadline, kills them.

A Nursery is one process (parse_nursery.py), a Child one that was forked from it, and the two pipes to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import subprocess
import sys
import threading
import time

from aggregator.feeds.pipes import END, LENGTH, ORDER, REPLY, START

_START = "import sys; sys.path[:] = {path!r}; from aggregator.feeds.parse_nursery import main; main({memory}, {cpu})"
_PIPE_BYTES = 1 << 20
"""So that a document goes through at once: for each 64 KiB both processes would have to be woken."""
_LONGEST = 1 << 30
"""Bytes of an answer; nobody sends more who has not been taken over."""
_PATIENCE_SECONDS = 10.0
_HEAP = {"MALLOC_TRIM_THRESHOLD_": "4194304", "MALLOC_TOP_PAD_": "262144", "MALLOC_MMAP_THRESHOLD_": "1048576"}
"""For GNU's library, which else may take the end of the heap from the system and give it back four times for each text whose language
is looked for: that doubled the time it took (mallopt(3))."""


class Nursery:
    """Starts its process at once and does not wait for it. Threads may share it. Raises OSError when the process is gone."""

    def __init__(self, memory_bytes: int, cpu_seconds: int) -> None:
        path = [entry for entry in sys.path if entry]
        code = _START.format(path=path, memory=memory_bytes, cpu=cpu_seconds)
        self._orders, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                env={**os.environ, **_HEAP},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the main process, which then closes the pool
            )
        self._lock = threading.Lock()
        self._last = 0

    def fork(self) -> Child:
        """A new process; what it is asked waits until it is there."""
        with self._lock:
            self._last += 1
            questions, answers = os.pipe(), os.pipe()
            try:
                socket.send_fds(self._orders, [ORDER.pack(START, self._last)], [questions[0], answers[1]])
            except BaseException:
                os.close(questions[1])
                os.close(answers[0])
                raise
            finally:
                os.close(questions[0])
                os.close(answers[1])
            return Child(self, self._last, questions[1], answers[0])

    def end(self, child: Child) -> int:
        """Kill a process and return what it ended with, as subprocess does."""
        with self._lock:
            self._orders.sendall(ORDER.pack(END, child.number))
            reply = self._orders.recv(REPLY.size, socket.MSG_WAITALL)
        if len(reply) < REPLY.size:
            raise ConnectionResetError("the process that forks is gone")
        return int(REPLY.unpack(reply)[0])

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        """End all its processes, also busy ones, and wait for their end. May be called twice, and while others fork and end."""
        with contextlib.suppress(OSError):
            self._orders.shutdown(socket.SHUT_RDWR)
        try:
            self.process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with self._lock:
            self._orders.close()


class Child:
    """One process and the two pipes to it; one thread at a time may `ask`."""

    def __init__(self, nursery: Nursery, number: int, questions: int, answers: int) -> None:
        self.number, self.served = number, 0
        self._nursery, self._questions, self._answers = nursery, questions, answers
        self._exit: int | None = None
        for pipe in (questions, answers):
            os.set_blocking(pipe, False)
            with contextlib.suppress(AttributeError, OSError):  # Linux's only, and there is an upper limit for each user
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def ask(self, message: bytes, seconds: float) -> bytearray:
        """The answer to a message. Raises TimeoutError; OSError or EOFError when the process ended; ValueError for no answer."""
        self.served += 1
        until = time.monotonic() + seconds
        left = memoryview(LENGTH.pack(len(message)) + message)
        while left:
            left = left[self._write(left, until) :]
        size = LENGTH.unpack(self._read(LENGTH.size, until))[0]
        if size > _LONGEST:
            raise ValueError("no answer is so long")
        return self._read(size, until)

    def _write(self, data: memoryview, until: float) -> int:
        try:
            return os.write(self._questions, data)
        except BlockingIOError:
            _wait(self._questions, select.POLLOUT, until)
            return 0

    def _read(self, size: int, until: float) -> bytearray:
        data = bytearray(size)
        left = memoryview(data)
        while left:
            try:
                count = os.readv(self._answers, [left])
            except BlockingIOError:
                _wait(self._answers, select.POLLIN, until)
                continue
            if not count:
                raise EOFError
            left = left[count:]
        return data

    def end(self) -> int | None:
        """Kill the process; what it ended with, None where nobody knows. For the thread that asks, or when none does any more."""
        if self._exit is None and self._questions >= 0:
            # without a nursery it ends by itself: with its input, or by the limit of its processor time
            with contextlib.suppress(OSError):
                self._exit = self._nursery.end(self)
            os.close(self._questions)
            os.close(self._answers)
            self._questions = self._answers = -1
        return self._exit


def _wait(pipe: int, event: int, until: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
        raise TimeoutError
