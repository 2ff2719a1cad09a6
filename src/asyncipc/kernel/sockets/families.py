"""Which sockets there are: the table of families, types and protocols.

The checks come in the kernel's order (__sock_create, inet_create,
unix_create), so that each wrong argument gets the errno that Linux gives it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.ip.options import IPPROTO_TCP, IPPROTO_UDP
from asyncipc.kernel.openfile import O_NONBLOCK, Home
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOCK_TYPE_MASK,
    SOCK_TYPES,
    Socket,
    process_credentials,
)
from asyncipc.kernel.unix.datagram import DatagramEndpoint, datagram_pair
from asyncipc.kernel.unix.naming import UnixSocket
from asyncipc.kernel.unix.seqpacket import SeqpacketEndpoint, seqpacket_pair
from asyncipc.kernel.unix.stream import StreamEndpoint, stream_pair

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.udp.socket import UdpSocket

IPPROTO_MAX: Final = 263
"""Numbers below may name a protocol; others are EINVAL."""


def new_socket(kernel: Home, family: int, kind: int, protocol: int) -> Socket:
    """socket(2): EINVAL, EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT."""
    flags, kind = _split(kind)
    if family == AF_UNIX:
        return _unix_socket(kernel, flags, kind, protocol)
    if family in {AF_INET, AF_INET6}:
        return _inet_socket(kernel, family, flags, kind, protocol)
    fail(errno.EAFNOSUPPORT)


def new_socket_pair(
    kernel: Home, family: int, kind: int, protocol: int, creator: Process | None = None
) -> tuple[Socket, Socket]:
    """socketpair(2): the UNIX domain only; EOPNOTSUPP for the internet's."""
    flags, kind = _split(kind)
    if family in {AF_INET, AF_INET6}:
        fail(errno.EOPNOTSUPP)
    if family != AF_UNIX:
        fail(errno.EAFNOSUPPORT)
    _check_unix_protocol(protocol)
    a, b = _unix_pair(kernel, flags, kind)
    if creator is not None:
        a.peer_ucred = b.peer_ucred = process_credentials(creator)
    return a, b


def _unix_pair(kernel: Home, flags: int, kind: int) -> tuple[UnixSocket, UnixSocket]:
    if kind == SOCK_STREAM:
        return stream_pair(kernel, flags)
    if kind in {SOCK_DGRAM, SOCK_RAW}:
        return datagram_pair(kernel, flags)
    if kind == SOCK_SEQPACKET:
        return seqpacket_pair(kernel, flags)
    fail(errno.ESOCKTNOSUPPORT)


def _split(kind: int) -> tuple[int, int]:
    """A type argument as status flags and type.  EINVAL for what is neither."""
    flags, kind = kind & ~SOCK_TYPE_MASK, kind & SOCK_TYPE_MASK
    if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC) or kind not in SOCK_TYPES:
        fail(errno.EINVAL)
    return flags & O_NONBLOCK, kind


def _check_unix_protocol(protocol: int) -> None:
    if protocol not in {0, AF_UNIX}:
        fail(errno.EPROTONOSUPPORT)


def _unix_socket(kernel: Home, flags: int, kind: int, protocol: int) -> Socket:
    _check_unix_protocol(protocol)
    if kind == SOCK_STREAM:
        return StreamEndpoint(kernel, flags)
    if kind in {SOCK_DGRAM, SOCK_RAW}:  # AF_UNIX takes SOCK_RAW to be SOCK_DGRAM
        return DatagramEndpoint(kernel, flags)
    if kind == SOCK_SEQPACKET:
        return SeqpacketEndpoint(kernel, flags)
    fail(errno.ESOCKTNOSUPPORT)


def _inet_socket(kernel: Home, family: int, flags: int, kind: int, protocol: int) -> Socket:
    if not 0 <= protocol < IPPROTO_MAX:
        fail(errno.EINVAL)
    if kind == SOCK_STREAM:
        if protocol not in {0, IPPROTO_TCP}:
            fail(errno.EPROTONOSUPPORT)
        return TcpSocket(kernel, family, flags)
    if kind == SOCK_DGRAM:
        if protocol not in {0, IPPROTO_UDP}:
            fail(errno.EPROTONOSUPPORT)
        return UdpSocket(kernel, family, flags)
    if kind == SOCK_RAW:
        raise Unsupported("asyncipc does not model raw internet sockets (SOCK_RAW)")
    fail(errno.ESOCKTNOSUPPORT)
