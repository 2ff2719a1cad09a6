"""The rarer ways to send on a TCP socket: corked, urgent, or not at all.

Plain writes are the socket's own verb; here is the rest of
tcp_sendmsg_locked, sk_stream_wait_connect and sk_stream_error.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NoReturn

from asyncipc.errors import BrokenPipeSignal, fail
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.sockets.socket import MSG_MORE, MSG_OOB, SEND_SHUTDOWN
from asyncipc.kernel.tcp.cork import Cork
from asyncipc.kernel.tcp.options import TCP_CORK
from asyncipc.kernel.tcp.states import HANDSHAKE, SENDING

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.socket import TcpSocket
    from asyncipc.kernel.waitqueue import WouldBlock


def send_unusually(socket: TcpSocket, data: Buffer, done: int, flags: int) -> int | WouldBlock:
    if socket.state in HANDSHAKE:
        return socket.write_queue().refusal
    queue = socket._write_queue
    if queue is not None and queue.barred and len(data) > done:
        return queue.refusal
    shut = socket.shut & SEND_SHUTDOWN
    if socket.transport is None or socket.state not in SENDING or shut:
        _cannot_send(socket, done)
    if flags & MSG_OOB:
        moved = socket.transport.put_urgent(data, done) if flush(socket) else 0
    else:
        moved = _corked(socket).put(data, done, more=bool(flags & MSG_MORE))
        uncork_if_empty(socket)
    if moved or len(data) == done:
        return moved
    if socket.state not in SENDING:  # what was held back went out, and the answer ended it
        _cannot_send(socket, done)
    return socket.write_queue().refusal


def _cannot_send(socket: TcpSocket, done: int) -> NoReturn:
    """The error, or EPIPE; a call that has moved something tells nothing, and sends no signal."""
    if done:
        fail(errno.EPIPE)
    error = socket.take_error()
    if error and error != errno.EPIPE:
        fail(error)
    raise BrokenPipeSignal


def _corked(socket: TcpSocket) -> Cork:
    if socket.cork is None:
        cork_up(socket, firm=False)
    assert socket.cork is not None
    return socket.cork


def cork_up(socket: TcpSocket, *, firm: bool) -> None:
    """``firm``: by TCP_CORK; else for the length of one MSG_MORE."""
    assert socket.transport is not None
    socket.outlet = None
    if socket.cork is None:
        socket.cork = Cork(socket.transport, socket.kernel.timers, firm=firm)
    socket.cork.firm = firm


def flush(socket: TcpSocket) -> bool:
    """Let go what is held back; is nothing left?"""
    return socket.cork is None or socket.cork.flush()


def uncork_if_empty(socket: TcpSocket) -> None:
    cork = socket.cork
    if cork is not None and not cork.firm and not cork.held and socket.state in SENDING:
        socket.cork = None
        if not socket.shut & SEND_SHUTDOWN:
            socket.outlet = socket.transport


def push_on_arrival(socket: TcpSocket) -> None:
    """Whatever comes from the peer lets go what only MSG_MORE holds back (tcp_data_snd_check)."""
    cork = socket.cork
    if cork is not None and not cork.firm:
        cork.flush()
        uncork_if_empty(socket)


def apply_cork(socket: TcpSocket) -> None:
    """TCP_CORK was set, or the connection stands: as the option says."""
    firm = bool(socket.tcp.value(TCP_CORK))
    if firm:
        cork_up(socket, firm=True)
    elif socket.cork is not None:
        socket.cork.firm = False
        flush(socket)
        uncork_if_empty(socket)
