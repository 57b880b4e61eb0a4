"""EDGE: poll one feed over HTTP: one conditional request, redirects by hand, deadlines and caps; the outcome is data.

    a due feed | its turn at the host | request | (redirect: check, its turn again) | read and decode, capped | Fetched

It does not decide when to poll (schedule.py), what an address may be (addresses.py) or what a body means (the parser).
It sits on httpcore2, the engine of httpx2, because only there a connection can be made to an address that was judged;
so there are no cookies, no Referer and no redirects or decoding but ours.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpcore2

from aggregator import __version__
from aggregator.feeds import answers, trouble
from aggregator.feeds.addresses import AddressRefusedError, Kind, NameUnknownError, judge, parse_address
from aggregator.feeds.decode import DecodeError, Decoder, make_decoder
from aggregator.feeds.exchange import Answer
from aggregator.feeds.patience import patience
from aggregator.feeds.politeness import TurnPassedError
from aggregator.feeds.trouble import TooLargeError, UnusableError
from aggregator.feeds.webaddress import WebAddress, read_usual, without_credentials
from aggregator.model import Clock, DueFeed, Fetched, Validators

if TYPE_CHECKING:
    import httpx2

_ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
_ACCEPT_ENCODING = "gzip, br, zstd"
_REDIRECTS = (301, 302, 303, 307, 308)
_PERMANENT = (301, 308)
_SECRET_SCHEME = re.compile(r"(?:bearer|basic|token|digest|apikey) \S", re.IGNORECASE)
_BREATH = 256  # chunks of one byte come 10,000 to a packet; others and the deadline must get their turn in between
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_UNSENDABLE = re.compile(r"[\r\n\0]")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Network deadlines are real time. `wire_bytes` caps what is received, `body_bytes` what it unpacks to."""

    connect_seconds: float = 5.0
    total_seconds: float = 20.0
    wire_bytes: int = 15 << 20
    body_bytes: int = 15 << 20
    redirects: int = 5
    validators_seconds: float = 8 * 86_400.0
    """Older validators are not sent: servers exist that answer 304 for ever."""
    allow_private: bool = False
    proxy: str | None = None
    contact: str = ""
    """A URL or address that a server's owner can turn to; part of the User-Agent."""
    user_agent: str = ""
    """Instead of the program's own."""

    @property
    def agent(self) -> str:
        return self.user_agent or f"aggregator/{__version__}" + (f" (+{self.contact})" if self.contact else "")


class Gate(Protocol):
    """politeness.HostGate."""

    def blocked_until(self, host: str, now: datetime) -> datetime | None: ...

    def back_off(self, host: str, until: datetime) -> None: ...

    def slot(self, host: str, *, private: bool) -> AbstractAsyncContextManager[None]:
        """Raises TurnPassedError."""
        ...

    def heard(self, host: str, *, private: bool, answered: bool) -> None: ...


class Connections(Protocol):
    """connect.Network."""

    def kind_now(self, host: str) -> Kind | None: ...

    async def kind(self, host: str) -> Kind: ...

    def send(
        self, request: httpcore2.Request, *, private: bool, proxy: str | None = None
    ) -> AbstractAsyncContextManager[httpcore2.Response | Answer]: ...

    async def aclose(self) -> None: ...


Secrets = Callable[[str], str]
"""Turns "env:NAME" or "file:PATH" into what it holds. Raises SecretError."""


class SecretError(LookupError):
    """The secret that `auth` names is not there; the message is a sentence that does not contain it."""


def make_secrets(environ: Mapping[str, str], folder: Path) -> Secrets:
    """Secrets from the environment and from files; a relative path counts from `folder` (where feeds.toml stands)."""

    def read(reference: str) -> str:
        source, _, name = reference.partition(":")
        if source == "env" and name:
            if not environ.get(name, "").strip():
                raise SecretError(f"The environment variable {name}, named by auth of this feed, is not set; set it to user:password.")
            return environ[name].strip()
        if source == "file" and name:
            try:
                held = (folder / Path(name).expanduser()).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SecretError(f"The file {name}, named by auth of this feed, cannot be read ({trouble.cause(error)}).") from error
            if held:
                return held
            raise SecretError(f"The file {name}, named by auth of this feed, is empty; write user:password or “Bearer …” into it.")
        raise SecretError("auth of this feed is neither env:NAME nor file:PATH; correct it in feeds.toml.")

    return read


@dataclass(slots=True)
class _Poll:
    """One poll under way."""

    due: DueFeed
    now: datetime
    home: WebAddress
    """The address in feeds.toml, without credentials; credentials go to its origin only."""
    url: WebAddress
    validators: Validators | None
    known_hash: str | None
    authorization: str | None
    proxy: str | None
    private: bool
    """Whether the next hop may lead to a private address."""
    left_seconds: float
    hops: int = 0
    permanent: bool = True
    """Every redirect so far was permanent."""
    visited: set[str] = field(default_factory=set)
    status: int | None = None
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)

    @property
    def host(self) -> str:
        return self.url.host

    def fetched(self, outcome: str, **more: Any) -> Fetched:
        return Fetched(
            outcome=outcome, url=str(self.home), at=self.now, final_url=str(self.url), status=self.status, headers=self.headers, **more
        )


class HttpFetcher:
    """The real Fetcher. Belongs to one event loop: make one for a round of polls, then `aclose` it.

    `network` is a connect.Network, `gate` a politeness.HostGate, `secrets` what make_secrets gives. With the program's `clock`
    Retry-After counts from when the server said it; without, from the `now` of `fetch`, before the feed stood in line for its host.
    """

    def __init__(self, limits: FetchLimits, network: Connections, gate: Gate, secrets: Secrets, clock: Clock | None = None) -> None:
        self._limits, self._network, self._gate, self._secrets, self._clock = limits, network, gate, secrets, clock

    async def aclose(self) -> None:
        await self._network.aclose()

    async def fetch(self, due: DueFeed, now: datetime) -> Fetched:
        """One request and at most five redirects. Never raises for what a server or the network does."""
        try:
            poll = self._start(due, now)
        except UnusableError as error:
            shown = without_credentials(due.feed.url)
            return Fetched(outcome="failed", url=shown, at=now, final_url=shown, error=str(error))
        try:
            return await self._follow(poll)
        except TurnPassedError as error:
            return poll.fetched("throttled", error=str(error))
        except Exception as error:
            body = bytes(poll.body) or None
            return poll.fetched("failed", error=self._sentence(error, poll), body=None if isinstance(error, TooLargeError) else body)

    # --- what to ask ---------------------------------------------------------------------------------------------

    def _start(self, due: DueFeed, now: datetime) -> _Poll:
        feed, state, limits = due.feed, due.state, self._limits
        home, credentials = read_address(feed.url)
        moved = state.url != feed.url  # the person changed the address: nothing learned about the old one holds
        url, _ = (home, None) if moved or state.fetch_url == feed.url else read_address(state.fetch_url)
        validators = None if moved else state.validators
        if validators is not None and (now - validators.stored_at).total_seconds() > limits.validators_seconds:
            validators = None
        proxy = feed.proxy or limits.proxy
        _check_proxy(proxy)
        return _Poll(
            due=due, now=now, home=home, url=url, validators=validators, known_hash=None if moved else state.body_hash,
            authorization=self._authorization(feed.auth, credentials), proxy=proxy,
            private=limits.allow_private if feed.allow_private is None else feed.allow_private, left_seconds=limits.total_seconds,
        )  # fmt: skip

    def _authorization(self, auth: str | None, credentials: str | None) -> str | None:
        if auth is not None:
            try:
                credentials = self._secrets(auth)
            except SecretError as error:
                raise UnusableError(str(error)) from error
            if _SECRET_SCHEME.match(credentials):
                return credentials
            if ":" not in credentials:
                raise UnusableError(f"What {auth} holds is neither user:password nor “Bearer …”; correct it.")
        return "Basic " + base64.b64encode(credentials.encode()).decode() if credentials else None

    def _headers(self, poll: _Poll) -> list[tuple[bytes, bytes]]:
        feed = poll.due.feed
        headers = {"accept": _ACCEPT, "accept-encoding": _ACCEPT_ENCODING, "user-agent": feed.user_agent or self._limits.agent}
        if poll.validators is not None and poll.validators.etag:
            headers["if-none-match"] = poll.validators.etag
        if poll.validators is not None and poll.validators.last_modified:
            headers["if-modified-since"] = poll.validators.last_modified
        if _trusted(poll.home, poll.url):  # headers of a person's own making may hold keys, so they go no farther than auth does
            if poll.authorization:
                headers["authorization"] = poll.authorization
            headers |= {name.lower(): value for name, value in feed.headers.items()}
        if (bad := _unsendable(headers)) is not None:
            raise UnusableError(f"The header “{bad[:60]}” of this feed cannot be sent; correct its headers, user_agent or auth.")
        host = {} if "host" in headers else {"host": poll.url.netloc}
        return [(name.encode("ascii"), _header_bytes(value)) for name, value in (host | headers).items()]

    # --- asking --------------------------------------------------------------------------------------------------

    async def _follow(self, poll: _Poll) -> Fetched:
        while True:
            host, private = poll.host, await self._is_private(poll)
            if not private and self._gate.blocked_until(host, poll.now):
                return self._held_back(poll)
            async with self._gate.slot(host, private=private):
                # another feed of the host may have been told to wait while this one stood in line
                self._look_at_clock(poll)
                if not private and self._gate.blocked_until(host, poll.now):
                    return self._held_back(poll)
                fetched = await self._heard(poll, host, private)
            if fetched is not None:
                if fetched.retry_after_at is not None and fetched.status in (429, 503) and not private:
                    self._gate.back_off(host, fetched.retry_after_at)
                return fetched

    def _look_at_clock(self, poll: _Poll) -> None:
        if self._clock is not None:
            poll.now = max(poll.now, self._clock())

    async def _is_private(self, poll: _Poll) -> bool:
        """Which rule of politeness holds. What may be connected to is judged when the connection is made."""
        if poll.proxy is not None:
            return _check_behind_proxy(poll) == "private"
        if (kind := self._network.kind_now(poll.host)) is not None:
            return kind == "private"
        try:
            async with patience(self._limits.connect_seconds):
                return await self._network.kind(poll.host) == "private"
        except TimeoutError as error:
            raise NameUnknownError(poll.host, "the name server does not answer") from error

    def _held_back(self, poll: _Poll) -> Fetched:
        until = self._gate.blocked_until(poll.host, poll.now)
        sentence = f"{poll.host} asked to be left in peace until {until:%Y-%m-%d %H:%M} UTC, so it was not asked."
        return poll.fetched("throttled", retry_after_at=until, error=sentence)

    async def _heard(self, poll: _Poll, host: str, private: bool) -> Fetched | None:
        """_exchange, and the gate is told whether the host gave any answer."""
        poll.status = None
        try:
            return await self._exchange(poll)
        finally:
            self._gate.heard(host, private=private, answered=poll.status is not None)

    async def _exchange(self, poll: _Poll) -> Fetched | None:
        """Requests to one host until there is an answer; None when a redirect leads to another host. Waiting for a turn is not counted."""
        host = poll.host
        async with patience(poll.left_seconds) as waiting:
            while poll.host == host:
                fetched = await self._request(poll)
                if fetched is not None:
                    return fetched
        poll.left_seconds = waiting.left_seconds
        return None

    async def _request(self, poll: _Poll) -> Fetched | None:
        poll.visited.add(str(poll.url))
        timeouts = {"connect": min(self._limits.connect_seconds, max(0.05, poll.left_seconds))}
        request = httpcore2.Request("GET", _core_url(poll.url), headers=self._headers(poll), extensions={"timeout": timeouts})
        async with self._network.send(request, private=poll.private, proxy=poll.proxy) as response:
            self._look_at_clock(poll)
            poll.status, poll.headers = response.status, _joined(response.headers)
            poll.reason = bytes(response.extensions.get("reason_phrase", b"")).decode("latin-1")
            if response.status in _REDIRECTS and poll.headers.get("location"):
                self._redirect(poll, response)
                return None
            return await self._judge(poll, response)

    def _redirect(self, poll: _Poll, response: httpcore2.Response | Answer) -> None:
        target = redirect_target(poll.url, poll.headers["location"])
        poll.hops += 1
        if str(target) in poll.visited:
            raise UnusableError(f"The server redirects in a circle (back to {target}); open the url in a browser and correct it.")
        if poll.hops > self._limits.redirects:
            most = self._limits.redirects
            raise UnusableError(f"The server redirects more than {most} times, at last to {target}; correct the url of this feed.")
        stream = response.extensions.get("network_stream")
        here = stream.get_extra_info("address_kind") if stream is not None and poll.proxy is None else None
        poll.private = poll.private and here == "private"  # from a public address nothing leads into a person's own network
        poll.permanent = poll.permanent and response.status in _PERMANENT
        poll.url = target

    # --- the answer ----------------------------------------------------------------------------------------------

    async def _judge(self, poll: _Poll, response: httpcore2.Response | Answer) -> Fetched:
        status, headers, now = response.status, poll.headers, poll.now
        wait_until = answers.retry_after(headers.get("retry-after"), now)
        if status in (200, 203):
            return await self._whole(poll, response)
        if status == 304 and poll.validators is not None:
            async for _ in response.aiter_stream():  # there is no body, but only a finished answer frees the connection
                pass
            validators = answers.renewed_validators(headers, poll.validators)
            return self._good(poll, "same", validators=validators, body_hash=poll.known_hash)
        sentence = answers.status_sentence(status, poll.reason, str(poll.url))
        if status == 410:
            return poll.fetched("gone", error=sentence)
        if status in (429, 503) or (status >= 400 and wait_until is not None):
            return poll.fetched("throttled", error=sentence, retry_after_at=wait_until)
        return poll.fetched("failed", error=sentence)

    async def _whole(self, poll: _Poll, response: httpcore2.Response | Answer) -> Fetched:
        await self._read(poll, response)
        # the body is unpacked now: whoever reads on must not be told otherwise
        poll.headers = {name: value for name, value in poll.headers.items() if name not in ("content-encoding", "content-length")}
        body = bytes(poll.body)
        poll.body = bytearray()
        body_hash = hashlib.sha256(body).hexdigest()
        validators = answers.fresh_validators(poll.headers, poll.now)
        if body_hash == poll.known_hash:
            return self._good(poll, "same", validators=validators, body_hash=body_hash)
        return self._good(poll, "changed", validators=validators, body_hash=body_hash, body=body)

    def _good(self, poll: _Poll, outcome: str, **more: Any) -> Fetched:
        moved_to = str(poll.url) if poll.hops and poll.permanent else None
        return poll.fetched(outcome, permanent_url=moved_to, max_age_seconds=answers.fresh_seconds(poll.headers, poll.now), **more)

    async def _read(self, poll: _Poll, response: httpcore2.Response | Answer) -> None:
        """The body into `poll.body`, which keeps what came when the rest did not."""
        decoder, limits, received = make_decoder(poll.headers.get("content-encoding", "")), self._limits, 0
        announced = poll.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and len(announced) < 19 and int(announced) > limits.wire_bytes:
            raise TooLargeError(limits.wire_bytes)
        chunks = 0
        async with aclosing(response.aiter_stream()) as stream:
            async for chunk in stream:
                received, chunks = received + len(chunk), chunks + 1
                if received > limits.wire_bytes:
                    raise TooLargeError(limits.wire_bytes)
                if chunks % _BREATH == 0:
                    await asyncio.sleep(0)
                _unpack(decoder, chunk, poll.body, limits.body_bytes)
        if not decoder.complete:
            raise DecodeError("ends in the middle of its compression")

    def _sentence(self, error: Exception, poll: _Poll) -> str:
        scene = trouble.Scene(
            host=poll.host, netloc=poll.url.netloc, status=poll.status, hops=poll.hops, body_bytes=len(poll.body),
            connect_seconds=self._limits.connect_seconds, total_seconds=self._limits.total_seconds,
        )  # fmt: skip
        sentence = trouble.explain(error, scene)
        if sentence is None:
            # one feed must never stop the others, whatever a library makes of its answer
            log.warning("unexpected error while polling %s", poll.host, exc_info=error)
            sentence = f"Polling {poll.host} failed in an unexpected way ({type(error).__name__}); run with --debug and report it."
        return sentence


def _unpack(decoder: Decoder, chunk: bytes, body: bytearray, limit: int) -> None:
    for piece in decoder.decode(chunk):
        body += piece
        if len(body) > limit:
            raise TooLargeError(limit, unpacked=True)


@lru_cache(maxsize=4096)
def read_address(text: str) -> tuple[WebAddress, str | None]:
    """The address and its credentials ("user:password"). Raises UnusableError."""
    return (usual, None) if (usual := read_usual(text)) else read_any(text)


def read_any(text: str) -> tuple[WebAddress, str | None]:
    """As read_address, for any address."""
    import httpx2

    try:
        url = httpx2.URL(text.strip())
        url.raw_host.decode("ascii")
    except (httpx2.InvalidURL, ValueError, TypeError) as error:
        raise UnusableError(f"{without_credentials(text)} is no proper address; correct the url of this feed.") from error
    if url.scheme not in ("http", "https"):
        raise UnusableError(f"The address begins with “{url.scheme[:20]}:”, and only http and https are fetched; correct the url.")
    if not url.raw_host:
        raise UnusableError("The address names no host; correct the url of this feed.")
    credentials = f"{url.username}:{url.password}" if url.userinfo else None
    return _address_of(url.copy_with(fragment=None, userinfo=b"")), credentials


def _address_of(url: httpx2.URL) -> WebAddress:
    return WebAddress(
        str(url), url.scheme, url.raw_host.decode("ascii"), url.port, url.netloc.decode("ascii"), url.raw_path.decode("ascii")
    )


def redirect_target(address: WebAddress, location: str) -> WebAddress:
    """Where a Location header leads, relative ones from `address`. Raises UnusableError."""
    import httpx2

    try:
        target = httpx2.URL(address.text).join(_as_utf8(location))
    except (httpx2.InvalidURL, ValueError, TypeError) as error:
        raise UnusableError("The server redirects to something that is no address; open the url in a browser and correct it.") from error
    scheme = target.scheme[:20]
    if scheme not in ("http", "https"):
        raise UnusableError(f"The server redirects to a {scheme}: address, but only http and https are fetched; correct the url.")
    return read_address(str(target))[0]


def _as_utf8(text: str) -> str:
    """Header bytes that were read as Latin-1 and may be UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _header_bytes(value: str) -> bytes:
    # what came as Latin-1 goes back byte for byte; what a person wrote may hold other letters
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")


def _unsendable(headers: Mapping[str, str]) -> str | None:
    """The name of the first header that would not be one line of its own."""
    if not _UNSENDABLE.search("".join(headers.values())) and all(map(_HEADER_NAME.fullmatch, headers)):
        return None
    return next(name for name, value in headers.items() if not _HEADER_NAME.fullmatch(name) or _UNSENDABLE.search(value))


def _trusted(home: WebAddress, url: WebAddress) -> bool:
    """Whether `url` is of the origin that the person wrote down (or the same host, made secure)."""
    if home.origin == url.origin:
        return True
    return home.host == url.host and (home.scheme, url.scheme) == ("http", "https") and home.port is None and url.port is None


def _core_url(url: WebAddress) -> httpcore2.URL:
    return httpcore2.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case names; repeated lines are joined as RFC 9110 section 5.3 says, but of validators and places the first counts."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            continue
        if name not in found:
            found[name] = value
        elif name in ("cache-control", "content-encoding"):
            found[name] += ", " + value
    return found


def _check_proxy(proxy: str | None) -> None:
    if proxy is None:
        return
    import httpx2

    try:
        scheme = httpx2.URL(proxy).scheme
    except (httpx2.InvalidURL, ValueError) as error:
        raise UnusableError("The proxy of this feed is no proper address; write for example http://proxy.example:3128.") from error
    if scheme not in ("http", "https", "socks5", "socks5h"):
        raise UnusableError(f"The proxy of this feed begins with “{scheme[:20]}:”; only http, https and socks5 proxies are known.")
    if scheme.startswith("socks"):
        import importlib.util

        if importlib.util.find_spec("socksio") is None:
            raise UnusableError("The proxy of this feed needs the package socksio; install it with `pip install socksio`.")


def _check_behind_proxy(poll: _Poll) -> Kind:
    """A proxy looks names up itself, so only a bare address can be judged. Raises AddressRefusedError."""
    address = parse_address(poll.host)
    kind: Kind = "public" if address is None else judge(address)
    if kind == "forbidden" or (kind == "private" and not poll.private):
        raise AddressRefusedError(poll.host, poll.host, kind)
    return kind
