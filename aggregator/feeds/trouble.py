"""Say in one sentence for a person what went wrong with a poll and what to do about it. Pure."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass

import httpcore2

from aggregator.feeds.addresses import AddressRefusedError, NameUnknownError
from aggregator.feeds.decode import DecodeError

# what h11 and httpcore2 say, in words for a person
_PLAIN = {
    "peer closed connection": "the connection was closed too early",
    "without sending a response": "the connection was closed without an answer",
    "illegal chunk header": "its chunks are malformed",
    "illegal status line": "it does not begin like HTTP",
    "illegal header line": "a header line is malformed",
}
_BROKEN = (httpcore2.RemoteProtocolError, httpcore2.ReadError, httpcore2.WriteError)


class UnusableError(Exception):
    """Ends a poll as "failed"; the message is already the sentence for the person."""


class TooLargeError(UnusableError):
    def __init__(self, limit_bytes: int, *, unpacked: bool = False) -> None:
        size, done = f"{limit_bytes / 1e6:.3g} MB", "unpacks to more" if unpacked else "is larger"
        key = "fetch.max_decompressed_bytes" if unpacked else "fetch.max_bytes"
        super().__init__(f"The answer {done} than the {size} that are read; if it is really a feed, raise {key}.")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a poll stood when the error came. `status` is None before any answer; `body_bytes` is what had come of the body."""

    host: str
    netloc: str
    status: int | None
    hops: int
    body_bytes: int
    connect_seconds: float
    total_seconds: float


def explain(error: Exception, scene: Scene) -> str | None:
    """The sentence, or None for an error that nobody foresaw. It never holds credentials: only the host is named."""
    host, later = scene.host, "it is tried again later."
    match error:
        case UnusableError():
            return str(error)
        case AddressRefusedError():
            return _refused(error, scene)
        case NameUnknownError():
            return f"The host name {host} has no address ({error.detail}); check the url of this feed, or your own connection."
        case DecodeError():
            return f"The answer of {host} {error}; {later}"
        case httpcore2.ConnectTimeout():
            return f"{host} took no connection within {scene.connect_seconds:g} s; it may be down, {later}"
        case TimeoutError() | httpcore2.TimeoutException():
            return _late(scene)
        case httpcore2.ProxyError():
            return f"The proxy did not connect to {host} ({cause(error)}); check proxy of this feed."
        case httpcore2.ConnectError():
            return _unconnected(error, scene)
        case httpcore2.RemoteProtocolError() if "buffer" in str(error):
            return f"{host} sent more header lines than the 100 kB that are read; its owner has to mend that."
        case _ if isinstance(error, _BROKEN) and scene.status == 200:
            return f"The answer of {host} broke off after {scene.body_bytes:,} bytes ({cause(error)}); {later}"
        case _ if isinstance(error, (*_BROKEN, OSError)):
            return f"{host} gave no proper HTTP answer ({cause(error)}); check the url of this feed, {later}"
        case httpcore2.LocalProtocolError() | httpcore2.UnsupportedProtocol():
            return f"The request to {host} cannot be sent ({cause(error)}); check url, headers and proxy of this feed."
    return None


def _late(scene: Scene) -> str:
    if scene.status is None:
        return f"{scene.host} did not answer within {scene.total_seconds:g} s; it may be overloaded and is tried again later."
    came = f"{scene.body_bytes:,} bytes came"
    return f"{scene.host} did not finish its answer within {scene.total_seconds:g} s ({came}); it is tried again later."


def _refused(error: AddressRefusedError, scene: Scene) -> str:
    leads = "is" if error.host == error.address else f"leads to {error.address},"
    if error.kind == "forbidden":
        who = f"The server redirects to {error.host}, which" if scene.hops else error.host
        return f"{who} {leads} an address that is never fetched (link-local, metadata, multicast or unspecified); correct the url."
    if scene.hops:
        return f"The server redirects to {error.host}, which {leads} a private address; if it is yours, give that address as the url."
    return f"{error.host} {leads} a private address; if it is on your own network, set allow_private = true for this feed."


def _unconnected(error: Exception, scene: Scene) -> str:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            why = seen.verify_message.rstrip(".")
            return f"The certificate of {scene.host} is not valid ({why}); its owner has to mend that, or the url is wrong."
        if isinstance(seen, ssl.SSLError):
            return f"{scene.host} and this program found no common way to encrypt ({seen.reason or 'TLS'}); check the url of this feed."
        if isinstance(seen, ConnectionRefusedError):
            return f"Nothing answers at {scene.netloc} (connection refused); check the url of this feed, or try again later."
        seen = seen.__cause__ or seen.__context__
    return f"No connection to {scene.host} ({cause(error)}); check the url of this feed, or your own connection."


def cause(error: BaseException) -> str:
    """What a library says went wrong, as a short piece of one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = re.sub(r"[^\x20-\x7e]+", " ", str(error)).strip(" .")
    plain = next((plain for jargon, plain in _PLAIN.items() if jargon in text), None)
    return plain or text[:160] or type(error).__name__
