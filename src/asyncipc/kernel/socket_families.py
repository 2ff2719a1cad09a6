"""Which sockets there are: the table of families, types and protocols.

The checks come in the kernel's order (__sock_create, inet_create,
unix_create), so that each wrong argument gets the errno that Linux gives it.
"""

from __future__ import annotations

import errno

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.datagram import DatagramEndpoint, datagram_pair
from asyncipc.kernel.openfile import O_NONBLOCK, Home
from asyncipc.kernel.socket import (
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
)
from asyncipc.kernel.stream import StreamEndpoint, stream_pair


def new_socket(kernel: Home, family: int, kind: int, protocol: int) -> Socket:
    """socket(2): EINVAL, EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT."""
    flags, kind = _split(kind)
    if family == AF_UNIX:
        return _unix_socket(kernel, flags, kind, protocol)
    if family in {AF_INET, AF_INET6}:
        return _inet_socket(kernel, family, flags, kind, protocol)
    fail(errno.EAFNOSUPPORT)


def new_socket_pair(kernel: Home, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
    """socketpair(2): the UNIX domain only; EOPNOTSUPP for the internet's."""
    flags, kind = _split(kind)
    if family in {AF_INET, AF_INET6}:
        fail(errno.EOPNOTSUPP)
    if family != AF_UNIX:
        fail(errno.EAFNOSUPPORT)
    _check_unix_protocol(protocol)
    if kind == SOCK_STREAM:
        return stream_pair(kernel, flags)
    if kind in {SOCK_DGRAM, SOCK_RAW}:
        return datagram_pair(kernel, flags)
    if kind == SOCK_SEQPACKET:
        raise Unsupported("asyncipc does not model SOCK_SEQPACKET yet")
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
        raise Unsupported("asyncipc does not model SOCK_SEQPACKET yet")
    fail(errno.ESOCKTNOSUPPORT)


def _inet_socket(kernel: Home, family: int, flags: int, kind: int, protocol: int) -> Socket:
    raise Unsupported("asyncipc does not model internet sockets yet")
