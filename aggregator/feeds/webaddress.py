"""The addresses that are fetched; the usual ones are read here, as httpx2 reads them. Pure.

To load httpx2 takes as long as fifty polls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

# in which httpx2 has nothing to escape, to lower or to take away
_USUAL = re.compile(r"(https?)://([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::([1-9]\d{0,4}))?(/[A-Za-z0-9._~/-]*(?:\?[A-Za-z0-9._~/=&-]+)?)", re.ASCII)
_NUMBERS = re.compile(r"[\d.]+", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An http or https address without credentials and fragment. `port` is None for the default one; `host` and `netloc` are
    ASCII, as they stand in a request, `target` is path and query."""

    text: str
    scheme: str
    host: str
    port: int | None
    netloc: str
    target: str

    def __str__(self) -> str:
        return self.text

    @property
    def origin(self) -> tuple[str, str, int | None]:
        return self.scheme, self.host, self.port


def without_credentials(text: str) -> str:
    return re.sub(r"(?<=//)[^/?#]*@", "", text)


def read_usual(text: str) -> WebAddress | None:
    """None for an address in which anything is to be escaped, resolved or left out, and for what is none."""
    match = _USUAL.fullmatch(text)
    if match is None or "/." in text:
        return None
    scheme, host, digits, target = match.groups()
    port = int(digits) if digits else None
    if "xn--" in host or (port is not None and (port > 65_535 or port == _DEFAULT_PORTS[scheme])):
        return None
    if _NUMBERS.fullmatch(host):
        try:
            IPv4Address(host)
        except AddressValueError:
            return None
    return WebAddress(text, scheme, host, port, f"{host}:{port}" if port else host, target)
