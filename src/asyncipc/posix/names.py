"""Names of hosts: getaddrinfo(3), gethostname(2)."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn, TypeAlias

from asyncipc.errors import Unsupported
from asyncipc.faces.names import addresses_of
from asyncipc.kernel.ip.address import ANY4, ANY6, LOOPBACK4, LOOPBACK6, is_ipv6
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call

__all__ = ["getaddrinfo", "gethostname"]

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
AddressInfo: TypeAlias = tuple[int, int, int, str, SocketAddress]
"""Family, type, protocol, canonical name, address: as ``socket.getaddrinfo`` has them."""

KINDS: Final = (
    (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
)
MODELLED: Final = (
    socket.AI_PASSIVE
    | socket.AI_CANONNAME
    | socket.AI_NUMERICHOST
    | socket.AI_NUMERICSERV
    | socket.AI_ADDRCONFIG
)
PORT_MAX: Final = 65535


async def getaddrinfo(
    host: str | bytes | None,
    port: str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[AddressInfo]:
    """getaddrinfo(3): the addresses of ``host`` with ``port``, in the order to try them in.

    ``host``: a name that the network's resolver knows (``sim.resolver``), a number, or None for
    the loopback (with AI_PASSIVE: the wildcard).  Blocks while the answer is on its way; under
    cancellation nobody waits for it any more.  socket.gaierror: EAI_NONAME, EAI_AGAIN (nobody
    answered), EAI_FAIL, EAI_NODATA, EAI_FAMILY, EAI_SERVICE, EAI_SOCKTYPE.  Not modelled: names
    of services but numbers; AI_V4MAPPED, AI_ALL, SOCK_RAW.
    """
    if flags & ~MODELLED:
        raise Unsupported(f"getaddrinfo's flags {flags & ~MODELLED:#x}")
    number = _port(port)
    kinds = [each for each in KINDS if type in {0, each[0]} and proto in {0, each[1]}]
    if not kinds:
        _fail(socket.EAI_SOCKTYPE, "ai_socktype not supported")
    name = host.decode("idna") if isinstance(host, bytes) else host
    if name is None:
        hosts: tuple[str, ...] = _nobody(family, passive=bool(flags & socket.AI_PASSIVE))
    elif flags & socket.AI_NUMERICHOST and not _is_number(name):
        _fail(socket.EAI_NONAME, "Name or service not known")
    else:
        hosts = await addresses_of(name, family)
    canonical = name if flags & socket.AI_CANONNAME and name is not None else ""
    return list(_infos(hosts, number, kinds, canonical))


def gethostname() -> str:
    """gethostname(2): the name of the host that this process runs on."""
    return call("uname", current().machine.hostname)


def _infos(
    hosts: tuple[str, ...], port: int, kinds: Sequence[tuple[int, int]], canonical: str
) -> Iterator[AddressInfo]:
    for host in hosts:
        for kind, protocol in kinds:
            address: SocketAddress = (host, port, 0, 0) if is_ipv6(host) else (host, port)
            family = socket.AF_INET6 if is_ipv6(host) else socket.AF_INET
            yield family, kind, protocol, canonical, address
            canonical = ""


def _port(port: str | int | None) -> int:
    if isinstance(port, str) and not port.isdecimal():
        _fail(socket.EAI_SERVICE, "Servname not supported for ai_socktype")
    return int(port or 0) & PORT_MAX


def _nobody(family: int, *, passive: bool) -> tuple[str, ...]:
    """What stands for no host at all."""
    four, six = (ANY4, ANY6) if passive else (LOOPBACK4, LOOPBACK6)
    if family == socket.AF_INET:
        return (four,)
    if family == socket.AF_INET6:
        return (six,)
    return (four, six) if passive else (six, four)


def _is_number(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name)
        except OSError:
            continue
        return True
    return False


def _fail(error: int, message: str) -> NoReturn:
    raise socket.gaierror(error, message)
