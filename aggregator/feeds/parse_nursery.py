"""EDGE: the process that parser processes are forked from. It has loaded what they need, and never sees a document.

an order (pipes.py) | fork   or   kill, wait, tell how it ended        the end of standard input | kill all, end

To load it takes 75 ms of processor time and 25 MB, which the forked share. It is started by Nursery (nursery.py), has one thread, and
gives the processes their two pipes; standard input is the socket that orders come by.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket

import pycld2  # noqa: F401 - the parser processes need it with their first item

from aggregator.feeds import parse_worker
from aggregator.feeds.pipes import ORDER, REPLY, START

_PIPES = 2


def main(memory_bytes: int, cpu_seconds: int) -> None:
    """Follow orders until there are no more. The limits are those of parse_worker.main."""
    gc.freeze()  # a collection in a forked process would write to every object, and then nothing were shared
    orders = socket.socket(fileno=os.dup(0))
    running: dict[int, int] = {}
    try:
        while True:
            message, pipes, _, _ = socket.recv_fds(orders, ORDER.size, _PIPES)
            if len(message) < ORDER.size:
                return
            kind, number = ORDER.unpack(message)
            if kind == START:
                running[number] = _fork(orders, pipes, memory_bytes, cpu_seconds)
            else:
                orders.sendall(REPLY.pack(_end(running.pop(number))))
    except ConnectionError:
        return  # nobody waits for the reply any more
    finally:
        for process in running.values():
            _end(process)


def _fork(orders: socket.socket, pipes: list[int], memory_bytes: int, cpu_seconds: int) -> int:
    process = os.fork()
    if process:
        for pipe in pipes:
            os.close(pipe)
        return process
    try:
        os.setsid()  # each a session of its own: Linux shares processors among sessions first
        orders.close()
        for place, pipe in enumerate(pipes):
            os.dup2(pipe, place)
            os.close(pipe)
        parse_worker.main(memory_bytes, cpu_seconds)
    finally:
        os._exit(0)  # whatever happens: what is above here on the stack is not its business


def _end(process: int) -> int:
    """Kill a process; what it ended with, as subprocess tells it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
