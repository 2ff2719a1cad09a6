"""getsockopt(2) and setsockopt(2) on a TCP socket, and what a change sets in motion.

The levels are tcp(7)'s, ip(7)'s and, for AF_INET6, ipv6(7)'s.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from asyncipc.errors import fail
from asyncipc.kernel.ip.options import IPPROTO_TCP, IpOptions
from asyncipc.kernel.sockets.options import integer
from asyncipc.kernel.tcp import options as tcp_options
from asyncipc.kernel.tcp.options import (
    INFO_SIZE,
    TCP_CORK,
    TCP_INFO,
    TCP_MAXSEG,
    TCP_NODELAY,
    TCP_WINDOW_CLAMP,
)
from asyncipc.kernel.tcp.send import apply_cork, flush
from asyncipc.kernel.tcp.states import SENDING, State

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.socket import TcpSocket

SEGMENT_UNCONNECTED: Final = 536
"""TCP_MAXSEG without a connection (RFC 9293, 3.7.1)."""


def ip_options(socket: TcpSocket) -> IpOptions:
    """The socket's own set, made when it is first asked for."""
    if socket.ip is None:
        socket.ip = IpOptions(socket.family, stream=True)
    return socket.ip


def get_option(socket: TcpSocket, level: int, option: int) -> int | bytes:
    if level != IPPROTO_TCP:
        return ip_options(socket).get(level, option)
    if option == TCP_INFO:
        return info(socket)
    value = socket.tcp.get(option)
    if option != TCP_MAXSEG:
        return value
    if socket.transport is not None:
        return socket.transport.segment_max
    return value or SEGMENT_UNCONNECTED


def set_option(socket: TcpSocket, level: int, option: int, value: int | bytes) -> None:
    if level != IPPROTO_TCP:
        ip_options(socket).set(level, option, value, bound=socket.holds_port)
        return
    if option == TCP_WINDOW_CLAMP and not integer(value) and socket.state != State.CLOSE:
        fail(errno.EINVAL)
    options = socket.tcp
    if options is tcp_options.UNCHANGED:
        options = options.copy()
    options.set(option, value)
    socket.tcp = options
    if socket.transport is not None:
        socket.transport.option_changed(level, option)
    if socket.state not in SENDING:
        return
    if option == TCP_CORK:
        apply_cork(socket)
    elif option == TCP_NODELAY and options.value(TCP_NODELAY):
        flush(socket)  # an explicit push, though the cork stays


def info(socket: TcpSocket) -> bytes:
    """A struct tcp_info.  On one host its first field, the state, is all; the rest is 0."""
    if socket.transport is not None and (told := socket.transport.information()):
        return told
    return socket.state.to_bytes(1, "little").ljust(INFO_SIZE, b"\0")
