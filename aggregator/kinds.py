"""The kinds of values that settings take: each says in words what it takes, for the error messages. Contains no business logic."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

_SPAN = 'a duration such as "30s", "30m", "24h" or "7d" (or a number of seconds)'
Duration = Annotated[float, Meta(gt=0, le=1e9, extra={"says": f"{_SPAN} above 0"})]
DurationOrNone = Annotated[float, Meta(ge=0, le=1e9, extra={"says": f'{_SPAN}; "0s" is allowed'})]
MaybeDuration = Annotated[float | None, Meta(extra={"says": f'{_SPAN}; "0s" is allowed'})]
Count = Annotated[int, Meta(ge=1, le=10_000, extra={"says": "a whole number from 1 to 10000"})]
CountOrZero = Annotated[int, Meta(ge=0, le=10_000, extra={"says": "a whole number from 0 to 10000"})]
MaybeCount = Annotated[int | None, Meta(extra={"says": "a whole number from 1 to 10000"})]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 40, extra={"says": "a whole number of bytes, at least 1024"})]
Share = Annotated[float, Meta(ge=0, le=1, extra={"says": "a number from 0 to 1"})]
Factor = Annotated[float, Meta(ge=0, le=10, extra={"says": "a number from 0 to 10"})]
Switch = Annotated[bool, Meta(extra={"says": "true or false"})]
Text = Annotated[str, Meta(extra={"says": "a text in quotes"})]
FilePath = Annotated[str, Meta(extra={"says": "a path or database URL in quotes"})]
Zone = Annotated[str, Meta(extra={"says": 'the IANA name of a time zone, such as "Europe/Berlin" (empty: the system\'s)'})]
ProxyUrl = Annotated[
    str, Meta(pattern=r"^$|^(https?|socks5h?)://\S+$", extra={"says": 'a proxy URL such as "http://proxy.example:3128" (empty: none)'})
]
BrokerUrl = Annotated[
    str,
    Meta(
        pattern=r"^$|^(rediss?|amqps?)://\S+$",
        extra={"says": 'the address of a Redis or RabbitMQ server such as "redis://localhost" or "amqp://localhost" (empty: none)'},
    ),
]
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
TimeOfDay = Annotated[str, Meta(pattern=f"^{_CLOCK}$", extra={"says": 'a time of day such as "07:00"'})]
TimeOrNever = Annotated[str, Meta(pattern=f"^$|^{_CLOCK}$", extra={"says": 'a time of day such as "03:30" (empty: never)'})]
Word = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", extra={"says": "a short name of small letters, digits, - and _"})]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Weekdays = Annotated[tuple[Weekday, ...], Meta(min_length=1, extra={"says": 'a list of weekdays such as ["mon", "fri"]'})]
Patterns = Annotated[tuple[str, ...], Meta(extra={"says": 'a list of words, phrases or expressions such as ["horoscope", "/sale|deal/"]'})]
Languages = Annotated[tuple[str, ...], Meta(extra={"says": 'a list of language codes such as ["en", "pl"] (empty: all)'})]
Searches = Annotated[tuple[str, ...], Meta(extra={"says": 'a list of searches such as ["Border: migrants border"]'})]
Format = Annotated[Literal["html", "markdown", "plain", "json"], Meta(extra={"says": 'one of "html", "markdown", "plain", "json"'})]
LogFormat = Annotated[Literal["text", "json"], Meta(extra={"says": 'one of "text", "json"'})]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], Meta(extra={"says": 'one of "debug", "info", "warning", "error"'})]
Texts = Annotated[tuple[str, ...], Meta(extra={"says": 'a list of texts such as ["world", "tech"]'})]
Target = Literal["folder", "mail", "webhook"]
Targets = Annotated[tuple[Target, ...], Meta(min_length=1, extra={"says": 'a list of "folder", "mail" and "webhook"'})]
_ADDRESS = r"[^@\s<>\"]+@[^@\s<>\"]+"
Addresses = Annotated[
    tuple[Annotated[str, Meta(pattern=f"^{_ADDRESS}$")], ...], Meta(extra={"says": 'a list of mail addresses such as ["ann@example.org"]'})
]
Sender = Annotated[str, Meta(pattern=rf"^$|^([^<>\r\n]*<)?{_ADDRESS}>?$", extra={"says": 'a mail address such as "news@example.org"'})]
Security = Annotated[Literal["starttls", "tls", "none"], Meta(extra={"says": 'one of "starttls", "tls", "none"'})]
Port = Annotated[int, Meta(ge=0, le=65_535, extra={"says": "a port number from 1 to 65535 (0: the usual one)"})]
SecretRef = Annotated[
    str, Meta(pattern=r"^$|^(env|file):\S.*$", extra={"says": 'where a secret is kept, "env:NAME" or "file:PATH", never the secret itself'})
]
WebUrl = Annotated[str, Meta(pattern=r"^$|^https?://\S+$", extra={"says": "an http or https URL (empty: none)"})]
BytesOrZero = Annotated[int, Meta(ge=0, le=1 << 44, extra={"says": "a whole number of bytes; 0 is allowed"})]
Listen = Annotated[
    str,
    Meta(
        pattern=r"^$|^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d{1,5}$",
        extra={"says": 'a loopback address and port such as "127.0.0.1:9469" (empty: none)'},
    ),
]
WebListen = Annotated[
    str,
    Meta(
        pattern=r"^(\d{1,3}(\.\d{1,3}){3}|localhost|\[[0-9a-fA-F:]+\]):\d{1,5}$",
        extra={"says": 'an address of this machine and a port such as "127.0.0.1:8080" or "0.0.0.0:8080"'},
    ),
]
