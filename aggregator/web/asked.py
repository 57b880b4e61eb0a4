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
MOST_VALUES = 1000


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
    fewest: int = 0
    """Of several: at least so many."""


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


def read(params: Sequence[Param], raw: Mapping[str, Any], *, strict: bool = False) -> dict[str, Any]:
    """The values of the parameters. `raw`: name -> list of texts (a query or a form), or a JSON value. An empty number is one
    that was not filled in, as forms send it; `strict` refuses it. Raises UsageError."""
    return {param.name: _value(param, raw.get(param.name), strict) for param in params}


def check_body(params: Sequence[Param], body: Mapping[str, Any]) -> None:
    """Raises UsageError unless a JSON object has only these parameters, each of its own kind: a misspelt dry_run must not let the
    change happen, nor one that is no boolean."""
    known = {param.name: param for param in params}
    for name, value in body.items():
        if name not in known:
            raise UsageError(f"the body has “{one_line(name)[:100]}”; it takes {', '.join(sorted(known)) or 'nothing'}")
        kind = known[name].kind
        each = value if kind in ("numbers", "texts") and isinstance(value, list) else [value]
        single, word = _JSON[kind]
        if (kind in ("numbers", "texts")) != isinstance(value, list) or any(type(one) is not single for one in each):
            raise UsageError(f"{name} takes {word}")


_JSON: Mapping[str, tuple[type, str]] = {
    "number": (int, "a whole number"),
    "numbers": (int, "a list of whole numbers"),
    "text": (str, "a text"),
    "texts": (str, "a list of texts"),
    "switch": (bool, "true or false"),
}


def _value(param: Param, raw: Any, strict: bool) -> Any:
    several = param.kind in ("numbers", "texts")
    found = raw if isinstance(raw, list) else [] if raw is None else [raw]
    if isinstance(raw, list) and not several:
        found = raw[-1:]
    found = [each for each in found if each != "" or (strict and param.kind != "text")]
    if len(found) > MOST_VALUES:
        raise UsageError(f"{param.name} takes at most {MOST_VALUES} values")
    if param.required and not found:
        raise UsageError(f"{param.name} is missing: {param.text}")
    if len(found) < param.fewest:
        raise UsageError(f"{param.name} takes at least {param.fewest} values")
    if several:
        return tuple(_one(param, each) for each in found) if found else param.default or ()
    return _one(param, found[0]) if found else param.default


def _one(param: Param, raw: Any) -> Any:
    if param.kind in ("number", "numbers"):
        return _number(param, raw)
    if param.kind == "switch":
        return _switch(param, raw)
    if not isinstance(raw, str):
        raise UsageError(f"{param.name} takes a text")
    text = one_line(raw.encode("utf-8", "replace").decode())
    if len(raw) > param.longest:
        raise UsageError(f"{param.name} is longer than {param.longest} characters")
    if param.choices and text not in param.choices:
        raise UsageError(f"{param.name} takes one of {', '.join(param.choices)}")
    return text


def _switch(param: Param, raw: Any) -> bool:
    said = raw if isinstance(raw, bool) else _SWITCHES.get(raw.casefold()) if isinstance(raw, str) else None
    if said is None:
        raise UsageError(f"{param.name} takes true or false")
    return said


_SWITCHES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


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
