"""The rarer ways to receive from a TCP socket: flags, marks, low water.

Plain reads are the socket's own verb; here is all of tcp_recvmsg_locked and
tcp_recv_urg.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from asyncipc.errors import fail
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.sockets.options import SO_OOBINLINE
from asyncipc.kernel.sockets.socket import (
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    RCV_SHUTDOWN,
)
from asyncipc.kernel.tcp.states import State

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.socket import TcpSocket
    from asyncipc.kernel.waitqueue import WouldBlock


def receive(socket: TcpSocket, size: int, flags: int) -> bytes | WouldBlock:
    """recv(2) with every flag but MSG_TRUNC.

    Refuses while fewer bytes are there than asked for: SO_RCVLOWAT, or all
    for MSG_PEEK with MSG_WAITALL.  Who does not wait takes what there is.
    """
    if flags & MSG_OOB:
        return receive_urgent(socket, size, flags)
    if flags & MSG_ERRQUEUE:
        fail(errno.EAGAIN)  # it is always empty
    buffer, queue = socket.buffer, socket._read_queue
    unread = readable(socket)
    if buffer is None or not unread:
        _pass_mark(socket, flags)
        return nothing_to_receive(socket)
    if queue is not None and queue.barred:
        return queue.refusal
    if unread < _target(socket, size, flags):
        return socket.read_queue().refusal
    mark = socket.urgent
    if mark is not None:
        size = min(size, mark.readable(buffer.size, inline=is_inline(socket)))
    if flags & MSG_PEEK:
        hidden = 0 if mark is None else mark.hides(inline=is_inline(socket))
        return buffer.peek(size + hidden)[hidden:]
    if not size:
        return b""
    _pass_mark(socket, flags)
    return _take(socket, size)


def nothing_to_receive(socket: TcpSocket) -> bytes | WouldBlock:
    """No byte is there: the end of the stream, an error, or wait."""
    state = socket.state
    if state == State.ESTABLISHED and not socket.shut:
        return socket.read_queue().refusal
    if state == State.LISTEN:
        fail(errno.ENOTCONN)
    queue = socket._read_queue
    if socket.dissolved and queue is not None and queue.serving:  # while it slept
        fail(errno.EPIPE)
    if socket.fin_seen:
        return b""
    if socket.error:
        fail(socket.take_error())
    if socket.shut & RCV_SHUTDOWN:
        return b""
    if state == State.CLOSE:
        fail(errno.ENOTCONN)
    return socket.read_queue().refusal


def discard(socket: TcpSocket, size: int, flags: int) -> int | WouldBlock:
    """recv(2) with MSG_TRUNC: how many bytes were thrown away unseen."""
    data = receive(socket, size, flags & ~MSG_TRUNC)
    return len(data) if isinstance(data, bytes) else data


def readable(socket: TcpSocket) -> int:
    """Unread bytes, the urgent one at which the reader stands not counted."""
    if socket.buffer is None:
        return 0
    mark = socket.urgent
    hidden = 0 if mark is None else mark.hides(inline=is_inline(socket))
    return socket.buffer.size - hidden


def is_inline(socket: TcpSocket) -> bool:
    return socket.options.is_on(SO_OOBINLINE)


def receive_urgent(socket: TcpSocket, size: int, flags: int) -> bytes | WouldBlock:
    """recv(2) with MSG_OOB: the urgent byte, once.

    EINVAL if there is none, ENOTCONN if the connection is over without a FIN.
    """
    mark = socket.urgent
    if socket.state == State.LISTEN:
        fail(errno.ENOTCONN)
    if mark is None or mark.taken or is_inline(socket):
        fail(errno.EINVAL)
    if socket.state == State.CLOSE and not socket.fin_seen:
        fail(errno.ENOTCONN)
    if not flags & MSG_PEEK:
        mark.taken = True
    return mark.byte if size else b""


def _target(socket: TcpSocket, size: int, flags: int) -> int:
    """How many bytes must be there (sock_rcvlowat); 1 for who would not get more.

    Nobody waits for what is behind an urgent byte that is ahead.
    """
    impatient = flags & MSG_DONTWAIT or socket.flags & O_NONBLOCK
    if impatient or socket.shut & RCV_SHUTDOWN or socket.error:
        return 1
    everything = flags & MSG_PEEK and flags & MSG_WAITALL
    wanted = size if everything else min(socket.options.receive_low_water, size)
    ahead = 0 if socket.urgent is None else socket.urgent.distance
    return min(wanted, ahead or wanted) or 1


def _pass_mark(socket: TcpSocket, flags: int) -> None:
    """A reader at the urgent byte skips it: from then on it is lost."""
    mark, buffer = socket.urgent, socket.buffer
    if mark is None or buffer is None or mark.distance or flags & MSG_PEEK:
        return
    if mark.hides(inline=is_inline(socket)):
        buffer.take(1)
    socket.urgent = None


def _take(socket: TcpSocket, size: int) -> bytes:
    assert socket.buffer is not None
    data = socket.buffer.take(size)
    if socket.urgent is not None:
        socket.urgent.distance -= len(data)
    if socket.transport is not None:
        socket.transport.taken()
    return data
