"""Addresses as programs write them, and as the kernel knows them.

Programs use the standard library's forms: a path (str, bytes, PathLike; bytes
that begin with NUL are an abstract name), ``(host, port)``, and
``(host, port, flowinfo, scope_id)``.  Hosts are numeric, or one of the three
names that need nobody to look them up: "" (all), "localhost", "<broadcast>".
"""

from __future__ import annotations

import operator
import os
from functools import lru_cache
from socket import EAI_NONAME, gaierror
from typing import Final, TypeAlias

from asyncipc.kernel.ip.address import ANY4, ANY6, LOOPBACK4, LOOPBACK6
from asyncipc.kernel.sockets.address import Address, Inet6Address, InetAddress
from asyncipc.kernel.sockets.socket import AF_INET6

ProgramAddress: TypeAlias = (
    str | bytes | os.PathLike[str] | tuple[str, int] | tuple[str, int, int, int]
)
"""What a program may write."""
SocketName: TypeAlias = str | bytes | tuple[str, int] | tuple[str, int, int, int]
"""What a program is told."""

BROADCAST: Final = "255.255.255.255"
PORT_MAX: Final = 65535


def to_kernel(address: ProgramAddress, family: int) -> Address:
    """The kernel's form.  ``family`` says what "" and "localhost" mean.

    TypeError for what is no address, OverflowError for a port beyond 65535,
    gaierror for a host that only a resolver would know.
    """
    if type(address) is tuple and len(address) == 2:
        host, port = address
        if type(host) is str and type(port) is int:
            return _internet_name(host, port, family)
    if isinstance(address, tuple):
        return _internet(address, family)
    return os.fsencode(address)


def to_program(address: Address) -> SocketName:
    """The standard library's form: abstract names as bytes, paths as str."""
    if isinstance(address, bytes):
        return address if address.startswith(b"\0") else os.fsdecode(address)
    if isinstance(address, InetAddress):
        return address.host, address.port
    return address.host, address.port, address.flowinfo, address.scope_id


@lru_cache(maxsize=4096)
def _internet_name(host: str, port: int, family: int) -> Address:
    """The usual form, whose makers use it again and again."""
    return _internet((host, port), family)


def _internet(address: tuple[str, int] | tuple[str, int, int, int], family: int) -> Address:
    if not 2 <= len(address) <= 4 or not isinstance(address[0], str):
        raise TypeError(f"an internet address is (host, port), not {address!r}")
    name, *rest = address
    host = canonical(name, family)
    numbers = [operator.index(number) for number in rest]
    if not 0 <= numbers[0] <= PORT_MAX:
        raise OverflowError("port must be 0-65535.")
    if ":" in host:
        return Inet6Address(host, *numbers)
    return InetAddress(host, numbers[0])


@lru_cache(maxsize=1024)
def canonical(name: str, family: int) -> str:
    """A host in the one form that the kernel compares."""
    is_ipv6 = family == AF_INET6
    if name == "":
        return ANY6 if is_ipv6 else ANY4
    if name == "localhost":
        return LOOPBACK6 if is_ipv6 else LOOPBACK4
    if name == "<broadcast>":
        return BROADCAST
    from ipaddress import ip_address  # dear to import, and asked once for each host

    try:
        host = ip_address(name.partition("%")[0])
    except ValueError:
        error = gaierror(EAI_NONAME, "Name or service not known")
        error.add_note(f"hint: numbers only; posix.getaddrinfo({name!r}, ...) asks the resolver")
        raise error from None
    mapped = getattr(host, "ipv4_mapped", None)
    return str(host) if mapped is None else f"::ffff:{mapped}"
