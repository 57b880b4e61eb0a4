"""A mail server on loopback for tests and benches: takes mail, remembers it, and refuses on demand. It speaks as much SMTP as needed."""

from __future__ import annotations

import base64
import socketserver
import ssl
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any


@dataclass
class SmtpSink:
    """`mails` are those that were accepted, in order; `refusals` are answers to give instead of accepting, used up one by one.

    `folder`, if given, keeps each mail as a file, too. `login` (user, password) makes it ask for AUTH PLAIN.
    """

    folder: Path | None = None
    login: tuple[str, str] | None = None
    mails: list[EmailMessage] = field(default_factory=list)
    refusals: list[bytes] = field(default_factory=list)
    port: int = 0
    tls: ssl.SSLContext | None = None
    """Offers STARTTLS; with `implicit` it speaks TLS from the first byte, with `plain_only` it hides it."""
    implicit: bool = False
    plain_only: bool = False

    def __enter__(self) -> SmtpSink:
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                _Talk(sink, self).run()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, data: bytes) -> None:
        mail = message_from_bytes(data, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        if self.folder is not None:
            (self.folder / f"{len(self.mails):06}.eml").write_bytes(data)

    @property
    def keys(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]


class _Talk:
    def __init__(self, sink: SmtpSink, connection: Any) -> None:
        self.sink, self.socket, self.read, self.write = sink, connection.request, connection.rfile, connection.wfile
        self.welcome = sink.login is None

    def run(self) -> None:
        with suppress(OSError):  # also when a client leaves in the middle of a handshake
            if self.sink.implicit:
                self.wrap()
            self.talk()

    def wrap(self) -> None:
        assert self.sink.tls is not None
        self.socket = self.sink.tls.wrap_socket(self.socket, server_side=True)
        self.read, self.write = self.socket.makefile("rb"), self.socket.makefile("wb")

    def talk(self) -> None:
        self.say(b"220 sink ready")
        while line := self.read.readline():
            verb = line.strip().upper()
            if verb.startswith((b"EHLO", b"HELO")):
                offered = [b"250-STARTTLS"] if self.sink.tls is not None and not self.sink.plain_only else []
                self.say(b"250-sink", *offered, b"250-AUTH PLAIN", b"250 8BITMIME")
            elif verb == b"STARTTLS":
                self.say(b"220 go on")
                self.wrap()
            elif verb.startswith(b"AUTH PLAIN"):
                self.log_in(line.split()[2])
            elif verb.startswith(b"MAIL") and not self.welcome:
                self.say(b"530 log in first")
            elif verb.startswith(b"RCPT") and self.sink.refusals:
                self.say(self.sink.refusals.pop(0))
            elif verb == b"DATA":
                self.say(b"354 go on")
                self.sink.take(self.data())
                self.say(b"250 taken")
            elif verb == b"QUIT":
                self.say(b"221 bye")
                return
            else:
                self.say(b"250 fine")

    def log_in(self, token: bytes) -> None:
        _, user, password = base64.b64decode(token).decode().split("\0")
        self.welcome = (user, password) == self.sink.login
        self.say(b"235 welcome" if self.welcome else b"535 wrong user or password")

    def data(self) -> bytes:
        lines = []
        while (line := self.read.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        return b"".join(lines)

    def say(self, *lines: bytes) -> None:
        self.write.write(b"".join(line + b"\r\n" for line in lines))
        self.write.flush()


def main(port: int, folder: Path) -> None:
    """Serve until killed; for benches."""
    with SmtpSink(folder, port=port):
        print("ready", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
