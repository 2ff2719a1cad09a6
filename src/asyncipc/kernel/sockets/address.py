"""Addresses: how the endpoints of a family are named.

A UNIX name is bytes: empty for a socket without one, beginning with NUL in
the abstract name space, else a path.  An internet address is a host in its
canonical text and a port.  ``None`` stands for AF_UNSPEC, or for no address.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias


class InetAddress(NamedTuple):
    """ip(7): AF_INET."""

    host: str
    port: int


class Inet6Address(NamedTuple):
    """ipv6(7): AF_INET6."""

    host: str
    port: int
    flowinfo: int = 0
    scope_id: int = 0


UnixName: TypeAlias = bytes
Address: TypeAlias = UnixName | InetAddress | Inet6Address

UNNAMED: Final = b""
UNIX_PATH_MAX: Final = 108
"""sizeof(sockaddr_un.sun_path)."""
