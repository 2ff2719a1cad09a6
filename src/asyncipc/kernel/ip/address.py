"""Internet addresses as the kernel compares them: canonical text.

A wildcard (0.0.0.0, ::) stands for all addresses of a host; the IPv6 wildcard
also for IPv4, unless its socket is V6ONLY.  ``::ffff:a.b.c.d`` is an IPv4
address in an IPv6 socket's clothes: sockets keep it *unmapped*.
"""

from __future__ import annotations

from typing import Final

ANY4: Final = "0.0.0.0"
ANY6: Final = "::"
LOOPBACK4: Final = "127.0.0.1"
LOOPBACK6: Final = "::1"
MAPPED: Final = "::ffff:"
NET_BROADCAST: Final = "127.255.255.255"
"""The broadcast address of the loopback's net."""
BROADCAST: Final = "255.255.255.255"
ALL_HOSTS: Final = "224.0.0.1"
ALL_HOSTS6: Final = "ff02::1"
"""The groups that every host is in."""
LOOPBACK_INDEX: Final = 1
"""What if_nametoindex("lo") says."""
NETWORK_INDEX: Final = 2
"""eth0's, which all addresses of a host belong to that are not its loopback's."""

PRIVILEGED_PORTS: Final = range(1, 1024)
EPHEMERAL_PORTS: Final = range(32768, 61000)
"""net.ipv4.ip_local_port_range."""


def is_wildcard(host: str) -> bool:
    return host in {ANY4, ANY6}


def is_ipv6(host: str) -> bool:
    return ":" in host


def is_loopback(host: str) -> bool:
    """All of 127/8 but its broadcast address, and ::1."""
    return (host.startswith("127.") and host != NET_BROADCAST) or host == LOOPBACK6


def is_broadcast(host: str) -> bool:
    return host in {NET_BROADCAST, BROADCAST}


def is_multicast(host: str) -> bool:
    """224/4, ff00::/8."""
    if is_ipv6(host):
        return host.startswith("ff") and host.index(":") == 4
    return 224 <= int(host.partition(".")[0]) <= 239


def is_link_local(host: str) -> bool:
    """fe80::/10 and the groups of a link: they need an interface beside them."""
    first = host.partition(":")[0]
    if len(first) != 4 or not is_ipv6(host):
        return False
    return first[:3] in {"fe8", "fe9", "fea", "feb"} or (first[:2] == "ff" and first[3] == "2")


def unmapped(host: str) -> str:
    """The IPv4 address that a mapped IPv6 address stands for; others as they are."""
    return host[len(MAPPED) :] if host.startswith(MAPPED) and "." in host else host


def mapped(host: str) -> str:
    """An IPv4 address as an IPv6 socket shows it."""
    return host if is_ipv6(host) else MAPPED + host


def overlap(one: str, one_v6only: bool, other: str, other_v6only: bool) -> bool:
    """Would two sockets of one port meet (inet_rcv_saddr_equal)?  Hosts are unmapped."""
    if one == other:
        return True
    if one == ANY6:
        return is_ipv6(other) or not one_v6only
    if other == ANY6:
        return is_ipv6(one) or not other_v6only
    return ANY4 in {one, other} and not is_ipv6(one) and not is_ipv6(other)


def packed4(host: str) -> bytes:
    """A struct in_addr."""
    return bytes(int(part) for part in host.split("."))


def text4(address: bytes) -> str:
    """The text of a struct in_addr."""
    a, b, c, d = address
    return f"{a}.{b}.{c}.{d}"
