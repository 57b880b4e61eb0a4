"""What a request asks, and what it is answered, as plain data: the pages know neither the network nor the framework. Pure.

A route's parameters say what may be asked; the same rows are read from a query, a form or a JSON body, and described in OpenAPI.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aggregator.errors import UsageError
from aggregator.text import one_line

if TYPE_CHECKING:
    from aggregator.app import App

Remember = Callable[[Hashable, Callable[[], Any]], Any]
LARGEST = 2**63 - 1
LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Param:
    """One thing that may be asked. `kind` is "number", "text", "switch", or "numbers" and "texts" (several of one name)."""

    name: str
    kind: str
    text: str
    required: bool = False
    default: Any = None
    least: int = 1
    most: int = LARGEST
    choices: tuple[str, ...] = ()
    in_path: bool = False
    longest: int = LONGEST


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `values` holds every parameter of the route, the default where nothing was said; `address` is path and query.

    `csrf` is the mark that the forms of its page must bring back; `upload` is a file that came with a form; `done` names what the
    change before did.
    """

    values: Mapping[str, Any]
    address: str = "/"
    csrf: str = ""
    signed_in: bool = False
    has_login: bool = False
    upload: bytes = b""
    done: str = ""
    remember: Remember = field(default=lambda key, make: make(), compare=False)
    """Gives what was made for that key a moment ago, else makes it."""

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Page:
    """A template of this package with what it shows."""

    template: str
    title: str
    values: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Goto:
    """After a change: read this address (a path of this site)."""

    address: str


@dataclass(frozen=True, slots=True)
class Document:
    """A text that is no page: a feed, a list, the figures for monitoring."""

    kind: str
    text: str
    status: int = 200
    name: str = ""
    """What a browser calls the file when it saves it."""


@dataclass(frozen=True, slots=True)
class Json:
    value: Mapping[str, Any]
    status: int = 200


Answer = Page | Goto | Document | Json
Handler = Callable[["App", Asked], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table. `method` POST changes something, or makes the server fetch something (preview).

    `gives` names the keys of a JSON answer."""

    method: str
    path: str
    handler: Handler
    summary: str = ""
    params: tuple[Param, ...] = ()
    gives: Mapping[str, str] = field(default_factory=dict)
    upload: bool = False

    @property
    def changes(self) -> bool:
        return self.method == "POST" and not self.path.endswith("/preview")


def read(params: Sequence[Param], raw: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the parameters. `raw`: name -> list of texts (a query or a form), or a JSON value. Raises UsageError."""
    return {param.name: _value(param, raw.get(param.name)) for param in params}


def _value(param: Param, raw: Any) -> Any:
    several = param.kind in ("numbers", "texts")
    found = raw if isinstance(raw, list) else [] if raw is None else [raw]
    if isinstance(raw, list) and not several:
        found = raw[-1:]
    found = [each for each in found if each != ""]
    if len(found) > 1000:
        raise UsageError(f"{param.name} takes at most 1000 values")
    if param.required and not found:
        raise UsageError(f"{param.name} is missing: {param.text}")
    if several:
        return tuple(_one(param, each) for each in found) if found else param.default or ()
    return _one(param, found[0]) if found else param.default


def _one(param: Param, raw: Any) -> Any:
    if param.kind in ("number", "numbers"):
        return _number(param, raw)
    if param.kind == "switch":
        if isinstance(raw, bool):
            return raw
        return str(raw).casefold() in ("1", "true", "yes", "on")
    if not isinstance(raw, str):
        raise UsageError(f"{param.name} takes a text")
    text = one_line(raw.encode("utf-8", "replace").decode())
    if len(text) > param.longest:
        raise UsageError(f"{param.name} is longer than {param.longest} characters")
    if param.choices and text not in param.choices:
        raise UsageError(f"{param.name} takes one of {', '.join(param.choices)}")
    return text


def _number(param: Param, raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise UsageError(f"{param.name} takes a whole number")
    text = str(raw).strip() if isinstance(raw, int) or len(raw) < 30 else ""
    if not text.lstrip("-").isdecimal() or not text.isascii():
        raise UsageError(f"{param.name} takes a whole number")
    number = int(text)
    if not param.least <= number <= param.most:
        top = f" to {param.most}" if param.most < LARGEST else " on"
        raise UsageError(f"{param.name} takes a whole number from {param.least}{top}")
    return number


def with_done(address: str, done: str) -> str:
    """The address, which then says what was done."""
    path, _, query = own_path(address).partition("?")
    kept = [each for each in query.split("&") if each and not each.startswith("done=")]
    return f"{path}?{'&'.join([*kept, urlencode({'done': done})])}"


def own_path(text: str) -> str:
    """The text where it is a path of this site, else the first page: no form leads to another site."""
    plain = text.isascii() and text.isprintable() and "\\" not in text
    return text if plain and text.startswith("/") and not text.startswith("//") else "/"
