"""Judge where an IP address leads: public, private (a person's own network) or forbidden (never fetched). Pure."""

from __future__ import annotations

import ipaddress
from typing import Literal

Kind = Literal["public", "private", "forbidden"]
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291 section 2.5.5.1, deprecated but still understood by some stacks
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # RFC 5214 section 6.1: the interface identifier before the IPv4 address
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")

# Metadata services that answer outside the link-local range: AWS over IPv6, Alibaba, Azure's wire server, Oracle.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")))


def parse_address(text: str) -> IPAddress | None:
    """The address in `text` (brackets and a scope such as %eth0 are ignored), or None when it is a name."""
    try:
        return ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def judge(address: IPAddress) -> Kind:
    """An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4, Teredo, ISATAP) is judged by the worse of what it carries."""
    carried = [] if isinstance(address, ipaddress.IPv4Address) else _carried(address)
    kinds = {_judge_plain(each) for each in carried} or {_judge_plain(address)}
    if isinstance(address, ipaddress.IPv6Address) and address in _NAT64_LOCAL:
        kinds.add("private")
    return "forbidden" if "forbidden" in kinds else "private" if "private" in kinds else "public"


def _judge_plain(address: IPAddress) -> Kind:
    if address in _METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
        return "forbidden"
    if isinstance(address, ipaddress.IPv4Address) and (address in _THIS_NETWORK or address.is_reserved):
        return "forbidden"
    return "public" if address.is_global else "private"


def _carried(address: ipaddress.IPv6Address) -> list[IPAddress]:
    low = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    if address in _NAT64 or address in _NAT64_LOCAL or (address in _COMPATIBLE and int(address) > 0xFFFF):
        return [low]
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return [low, address]
    return []


class AddressRefusedError(Exception):
    """No address of `host` may be connected to; `address` is one of them and `kind` what it was judged to be."""

    def __init__(self, host: str, address: str, kind: Kind) -> None:
        super().__init__(f"{host} leads to {address} ({kind})")
        self.host, self.address, self.kind = host, address, kind


class NameUnknownError(Exception):
    """The host name has no address."""

    def __init__(self, host: str, detail: str) -> None:
        super().__init__(f"{host}: {detail}")
        self.host, self.detail = host, detail


def permitted(host: str, addresses: list[str], *, private: bool) -> list[tuple[str, Kind]]:
    """Those of `addresses` that may be connected to, with their kind, in order. Raises AddressRefusedError when none is left."""
    judged = [(text, judge(address)) for text in addresses if (address := parse_address(text)) is not None]
    good: list[tuple[str, Kind]] = [(text, kind) for text, kind in judged if kind == "public" or (private and kind == "private")]
    if not good:
        refused = next(((text, kind) for text, kind in judged if kind == "forbidden"), judged[0] if judged else (host, "forbidden"))
        raise AddressRefusedError(host, *refused)
    return good
