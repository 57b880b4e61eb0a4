"""What a Host header names, and whether that is this machine. Pure."""

from __future__ import annotations

from ipaddress import ip_address


def host_of(header: str) -> str:
    """The host of "localhost:8080" or "[::1]:8080", in small letters, without port and brackets."""
    name = header.rpartition(":")[0] if not header.endswith("]") and ":" in header else header
    return name.strip("[]").casefold()


def is_address(host: str) -> bool:
    """Whether it is an IP address: a page cannot be led there by changing a name's address (DNS rebinding)."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its own name for itself."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)
