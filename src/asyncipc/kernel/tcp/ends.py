"""How a TCP connection begins to end and is over: both FINs, RST, close(2).

The moves between states are tables (tcp_states); here is what each brings
with it, after tcp_fin, tcp_reset, tcp_done and __tcp_close.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from asyncipc.kernel.sockets.options import SECOND
from asyncipc.kernel.sockets.socket import BOTH_SHUTDOWN, RCV_SHUTDOWN
from asyncipc.kernel.tcp.options import TCP_LINGER2
from asyncipc.kernel.tcp.states import AFTER_FINISH, AWAITING_FINISH, LAST_WAIT, State

if TYPE_CHECKING:
    from asyncipc.kernel.tcp.socket import TcpSocket


ADDRESS_LOCK: Final = 1
PORT_LOCK: Final = 2
"""What the program has chosen itself, and what therefore outlives a connection."""


def move(socket: TcpSocket, table: Mapping[int, int]) -> None:
    """Go where the table leads from here; TIME-WAIT is for what the socket leaves behind."""
    following = table.get(socket.state)
    if following is None:
        return
    socket.state = following
    if following == State.TIME_WAIT:
        kernel = socket.kernel
        kernel.inet.tcp.time_wait(socket, kernel.timers.now())
        over(socket)
    elif following == State.CLOSE:
        over(socket)
    elif following == State.FIN_WAIT2 and socket.orphan:
        _wait_for_finish(socket)


def finish(socket: TcpSocket) -> None:
    """Send own FIN after what is held back, where there is one to send."""
    following = AFTER_FINISH.get(socket.state)
    if following is None or socket.transport is None:
        return
    rest = b"" if socket.cork is None else socket.cork.take_all()
    socket.state, socket.outlet = following, None
    socket.transport.finish(rest)


def refuse_data_if_done(socket: TcpSocket) -> None:
    """The program neither reads nor sends any more, and the peer may not know."""
    done = socket.state in AWAITING_FINISH and socket.shut & RCV_SHUTDOWN
    if done and socket.transport is not None:
        socket.transport.stop_receiving()


def reset(socket: TcpSocket) -> None:
    """A RST has arrived."""
    state = socket.state
    if state == State.CLOSE:
        return
    if state == State.SYN_SENT:
        socket.error = errno.ECONNREFUSED
    else:
        socket.error = errno.EPIPE if state == State.CLOSE_WAIT else errno.ECONNRESET
    over(socket)


def abandon(socket: TcpSocket) -> None:
    """Tell the peer by RST, where there is one, and be over."""
    if socket.transport is not None:
        socket.transport.reset()
    over(socket)


def cut(socket: TcpSocket) -> None:
    """Be over at once.  Who only waits for the last ACK goes without a word (tcp_disconnect;
    measured, 6.18).
    """
    transport = socket.transport
    if transport is None or socket.state not in LAST_WAIT or transport.unacknowledged() > 1:
        abandon(socket)
    else:
        over(socket)


def over(socket: TcpSocket) -> None:
    """There is no connection any more.  Data that came can still be read."""
    socket.state = State.CLOSE
    socket.shut = BOTH_SHUTDOWN
    transport, socket.transport, socket.outlet = socket.transport, None, None
    if transport is not None:
        transport.forget()
    if socket.cork is not None:
        socket.cork.take_all()
        socket.cork = None
    if socket.parent is not None:
        parent, socket.parent = socket.parent, None
        if parent.listener is not None:
            parent.listener.undefer(socket)
    if socket.orphan or not socket.locks & PORT_LOCK:
        socket.leave_port()
    socket.notify_all()


def stop_listening(socket: TcpSocket) -> None:
    """Connections that wait are reset; an automatic port is given back."""
    listener, socket.listener = socket.listener, None
    assert listener is not None
    socket.kernel.inet.tcp.stop_listening(socket.local.port, socket)
    socket.state = State.CLOSE
    if not socket.locks & PORT_LOCK:
        socket.leave_port()
    for connection in listener.take_all():
        abandon(connection)


def release(socket: TcpSocket) -> None:
    """close(2): nobody reads any more.

    Unread data, or SO_LINGER 0, make it a reset; else the FIN goes out and the
    rest of the connection's life is an orphan's.
    """
    socket.orphan = True
    if socket.listener is not None:
        stop_listening(socket)
    unread = socket.buffer is not None and socket.buffer.size
    socket.forget_data()
    if socket.state == State.CLOSE:
        socket.leave_port()
    elif unread or socket.state == State.SYN_SENT:
        abandon(socket)
    elif socket.options.linger == 0:
        cut(socket)
    else:
        socket.shut = BOTH_SHUTDOWN
        if socket.state == State.FIN_WAIT2:
            _wait_for_finish(socket)
        finish(socket)
        refuse_data_if_done(socket)


def _wait_for_finish(socket: TcpSocket) -> None:
    """An orphan waits for the peer's FIN: TCP_LINGER2 seconds at most."""
    seconds = socket.tcp.value(TCP_LINGER2)
    if seconds < 0:
        abandon(socket)
    else:
        kernel = socket.kernel
        kernel.inet.tcp.expect(socket, kernel.timers.now(), seconds * SECOND)
