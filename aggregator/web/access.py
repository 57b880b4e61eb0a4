"""Who may come in: host names, the token, sessions, the mark of a form, how often one may guess. Pure: time and chance come in.

A session is a cookie that the server signed: an id, when it began, and whether its owner has logged in. The mark of a form is made
of the session's id, so that only a page that this server gave to that browser can send the form (CSRF). The key is made from the
token: sessions outlive a restart and end with the token.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field

from aggregator.hosts import host_of, is_address, is_loopback

COOKIE = "aggregator_session"
SESSION_SECONDS = 30 * 86_400
TOKEN_LENGTH = 16
_TRIES, _TRIES_SECONDS, _MOST_CALLERS = 5, 60.0, 4096


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    signed_in: bool = False
    fresh: bool = False
    """It is not in the browser yet."""


@dataclass
class Attempts:
    """Failed guesses by caller: after five in a minute no further one is looked at."""

    made: dict[str, list[float]] = field(default_factory=dict)

    def allowed(self, caller: str, now: float) -> bool:
        recent = [at for at in self.made.get(caller, ()) if now - at < _TRIES_SECONDS]
        return len(recent) < _TRIES

    def failed(self, caller: str, now: float) -> None:
        if len(self.made) >= _MOST_CALLERS:
            self.made = {who: times for who, times in self.made.items() if now - times[-1] < _TRIES_SECONDS}
        if len(self.made) >= _MOST_CALLERS:
            self.made.pop(next(iter(self.made)))
        self.made.setdefault(caller, []).append(now)
        del self.made[caller][:-_TRIES]


@dataclass
class Access:
    """The rules of one server. `token` empty: whoever reaches it may read and change. `now` gives seconds, `chance` a new id."""

    key: bytes
    now: Callable[[], float]
    chance: Callable[[], str]
    token: str = ""
    hosts: frozenset[str] = frozenset()
    everywhere: bool = False
    """It listens on other addresses than loopback, so that it is reached by an address, too."""
    attempts: Attempts = field(default_factory=Attempts)

    def knows(self, host_header: str) -> bool:
        """Whether a page under that name may be this server's: any other name was pointed here by somebody (DNS rebinding)."""
        host = host_of(host_header)
        return is_loopback(host) or host in self.hosts or (self.everywhere and is_address(host))

    def session(self, cookie: str) -> Session:
        """The session of a cookie, or a new one."""
        id_, began, level, signature = [*cookie.split("."), "", "", "", ""][:4]
        genuine = hmac.compare_digest(signature.encode(), self._sign(f"session.{id_}.{began}.{level}").encode())
        if not genuine or not began.isdecimal() or self.now() - int(began) > SESSION_SECONDS:
            return Session(self.chance(), fresh=True)
        return Session(id_, signed_in=level == "in")

    def cookie(self, session: Session) -> str:
        level = "in" if session.signed_in else "out"
        said = f"{session.id}.{int(self.now())}.{level}"
        return f"{said}.{self._sign(f'session.{said}')}"

    def mark(self, session: Session) -> str:
        return self._sign(f"form.{session.id}.{session.signed_in}")

    def is_mark(self, session: Session, text: str) -> bool:
        return hmac.compare_digest(self.mark(session).encode(), text.encode())

    def is_token(self, text: str, caller: str) -> bool | None:
        """Whether it is the token; None when that caller has guessed too often."""
        if not self.attempts.allowed(caller, self.now()):
            return None
        if self.token and hmac.compare_digest(_digest(text), _digest(self.token)):
            return True
        self.attempts.failed(caller, self.now())
        return False

    def _sign(self, text: str) -> str:
        return hmac.new(self.key, text.encode("utf-8", "replace"), "sha256").hexdigest()


def key_of(token: str) -> bytes:
    """The signing key of a token. A cookie must not help to guess the token: scrypt, with the parameters of RFC 7914 section 2."""
    return hashlib.scrypt(token.encode(), salt=b"aggregator web session", n=2**14, r=8, p=1, dklen=32)


def token_in(header: str) -> str:
    """The token of an Authorization header: "Bearer TOKEN", or the password of "Basic …" (feed readers know only that)."""
    scheme, _, value = header.partition(" ")
    if scheme.casefold() == "bearer":
        return value.strip()
    if scheme.casefold() == "basic":
        try:
            return b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2]
        except ValueError:
            return ""
    return ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
