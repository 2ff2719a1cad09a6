"""The internet of one host: its addresses, and how two of them overlap.

All of 127/8 and ::1 are the host's own.  A wildcard (0.0.0.0, ::) stands for
all of them; the IPv6 wildcard also for IPv4, unless its socket is V6ONLY, and
``::ffff:a.b.c.d`` is an IPv4 address in an IPv6 socket's clothes.
"""

from __future__ import annotations

from typing import Final, final

ANY4: Final = "0.0.0.0"
ANY6: Final = "::"
LOOPBACK4: Final = "127.0.0.1"
LOOPBACK6: Final = "::1"
MAPPED: Final = "::ffff:"
PRIVILEGED_PORTS: Final = range(1, 1024)
EPHEMERAL_PORTS: Final = range(32768, 61000)
"""net.ipv4.ip_local_port_range."""


def is_wildcard(host: str) -> bool:
    return host in {ANY4, ANY6}


def is_ipv6(host: str) -> bool:
    return ":" in host


def unmapped(host: str) -> str:
    """The IPv4 address that a mapped IPv6 address stands for; others as they are."""
    return host[len(MAPPED) :] if host.startswith(MAPPED) and "." in host else host


def mapped(host: str) -> str:
    """An IPv4 address as an IPv6 socket shows it."""
    return host if is_ipv6(host) else MAPPED + host


@final
class Inet:
    """``hosts``: the addresses of the host beside those of its loopback."""

    __slots__ = ("hosts",)

    def __init__(self) -> None:
        self.hosts: list[str] = []

    def is_local(self, host: str) -> bool:
        """May a socket be bound to it?"""
        host = unmapped(host)
        own = is_wildcard(host) or host.startswith("127.") or host == LOOPBACK6
        return own or host in self.hosts
