"""What a TCP socket is ready for, and how much of it: tcp_poll, tcp_ioctl."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from asyncipc.errors import fail
from asyncipc.kernel.readiness import ERR, HUP, PRI, RDHUP, READABLE, WRITABLE
from asyncipc.kernel.sockets.socket import BOTH_SHUTDOWN, RCV_SHUTDOWN, SEND_SHUTDOWN
from asyncipc.kernel.tcp.receive import is_inline, readable
from asyncipc.kernel.tcp.states import HANDSHAKE, State

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.socket import TcpSocket


def poll(socket: TcpSocket) -> int:
    if socket.listener is not None:
        return READABLE if len(socket.listener.backlog) else 0
    shut, state = socket.shut, socket.state
    mask = ERR if socket.error else 0
    if shut == BOTH_SHUTDOWN or state == State.CLOSE:
        mask |= HUP
    if shut & RCV_SHUTDOWN:
        mask |= READABLE | RDHUP
    if state in HANDSHAKE:
        return mask
    if socket.buffer is not None and readable(socket) >= socket.options.receive_low_water:
        mask |= READABLE
    if shut & SEND_SHUTDOWN or socket.transport is None or socket.transport.is_writable():
        mask |= WRITABLE
    if socket.urgent is not None and not socket.urgent.taken:
        mask |= PRI
    return mask


def unread(socket: TcpSocket) -> int:
    """FIONREAD: bytes before the urgent one.  EINVAL for a listener."""
    if socket.listener is not None:
        fail(errno.EINVAL)
    if socket.urgent is not None and not is_inline(socket):
        return socket.urgent.distance
    return 0 if socket.buffer is None else socket.buffer.size


def unsent(socket: TcpSocket) -> int:
    """SIOCOUTQ: bytes, those that a cork holds back too.  EINVAL for a listener."""
    if socket.listener is not None:
        fail(errno.EINVAL)
    held = 0 if socket.cork is None else socket.cork.held
    return held if socket.transport is None else held + socket.transport.unacknowledged()
