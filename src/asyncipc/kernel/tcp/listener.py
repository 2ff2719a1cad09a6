"""The listening half of a TCP socket: who has connected and is not accepted yet.

A connection is complete when the handshake is; with TCP_DEFER_ACCEPT only
when data (or a FIN) has come too, or the time for that is over.

On one host a handshake takes no time.  Between hosts it does, and those that are
going on (the SYN queue) are the network's; the listener only knows that there
are some, and lets go of them when it is over.  It does so without a word, as
inet_csk_listen_stop does: who completes one later is nobody's, and draws a RST.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol, final

from asyncipc.kernel.sockets import options as opt
from asyncipc.kernel.sockets.listener import Backlog
from asyncipc.kernel.sockets.socket import SEND_SHUTDOWN
from asyncipc.kernel.tcp import options as tcp_options
from asyncipc.kernel.tcp.ends import ADDRESS_LOCK, finish, refuse_data_if_done
from asyncipc.kernel.tcp.options import TCP_DEFER_ACCEPT
from asyncipc.kernel.tcp.states import Phase, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncipc.kernel.sockets.address import InetAddress
    from asyncipc.kernel.tcp.socket import TcpSocket
    from asyncipc.kernel.timers import Timer, Timers


class Handshakes(Protocol):
    """SYNs from other hosts that were answered, and whose last ACK has not come."""

    def names(self) -> Sequence[tuple[InetAddress, InetAddress]]:
        """The local and the remote name of each, the oldest first."""

    def forget(self) -> None:
        """The listener is over."""


@final
class Listener:
    """``backlog``: complete connections, accepted in this order.  ``handshakes``: those
    that are going on, once there was one.
    """

    __slots__ = ("_deferred", "_timers", "backlog", "handshakes")

    def __init__(self, limit: int, timers: Timers) -> None:
        self.backlog: Backlog[TcpSocket] = Backlog(limit)
        self.handshakes: Handshakes | None = None
        self._deferred: dict[TcpSocket, Timer] = {}
        self._timers = timers

    def defer(self, connection: TcpSocket, seconds: int) -> None:
        """Wait for data, ``seconds`` at most."""
        due = self._timers.now() + seconds * opt.SECOND
        self._deferred[connection] = self._timers.arm(due, partial(complete, connection))

    def undefer(self, connection: TcpSocket) -> bool:
        """Was it waiting for data?"""
        timer = self._deferred.pop(connection, None)
        if timer is not None:
            self._timers.cancel(timer)
        return timer is not None

    def take_all(self) -> list[TcpSocket]:
        """The listener is over: everybody who waits."""
        if self.handshakes is not None:
            self.handshakes.forget()
        deferred = list(self._deferred)
        for connection in deferred:
            self.undefer(connection)
        return [*self.backlog.take_all(), *deferred]


def listener_for(client: TcpSocket) -> TcpSocket | None:
    """Who answers a SYN of ``client``."""
    assert client.remote is not None
    found = client.kernel.inet.tcp.listener(client.remote, client.local)
    return found if isinstance(found, type(client)) else None


def admit(listening: TcpSocket, local: InetAddress, remote: InetAddress) -> TcpSocket | None:
    """A SYN has come from ``remote``: the end at ``local`` of the connection, or None if
    the backlog is full.
    """
    assert listening.listener is not None
    if listening.listener.backlog.is_full:
        return None
    return child_of(listening, local, remote)


def child_of(listening: TcpSocket, local: InetAddress, remote: InetAddress) -> TcpSocket:
    """The end of a new connection.  Options are inherited, status flags are not."""
    made = type(listening)(listening.kernel, listening.family)
    made.local, made.remote = local, remote
    made.state, made.phase = State.SYN_RECV, Phase.CONNECTED
    made.uid, made.shut = listening.uid, listening.shut  # shutdown(2) before listen(2)
    made.locks = listening.locks & ADDRESS_LOCK
    if listening.options is not opt.UNCHANGED:
        made.options = listening.options.copy()
    if listening.tcp is not tcp_options.UNCHANGED:
        made.tcp = listening.tcp.copy()
    if listening.ip is not None:
        made.ip = listening.ip.copy()
    made.send_limit, made.whole_max = listening.send_limit, listening.whole_max
    made.holds_port = True
    made.kernel.inet.tcp.join(made.local.port, made)
    return made


def offer(listening: TcpSocket, connection: TcpSocket) -> None:
    """The handshake is complete, in no time: let it be accepted, now or when data comes."""
    assert listening.listener is not None
    connection.parent = listening
    seconds = listening.tcp.value(TCP_DEFER_ACCEPT)
    if seconds:
        listening.listener.defer(connection, seconds)
    else:
        complete(connection)


def complete(connection: TcpSocket) -> None:
    """Into the listener's backlog."""
    parent, connection.parent = connection.parent, None
    assert parent is not None
    assert parent.listener is not None
    parent.listener.undefer(connection)
    connection.established()
    parent.listener.backlog.put(connection)
    if connection.shut & SEND_SHUTDOWN:
        finish(connection)
        refuse_data_if_done(connection)
    if parent._read_queue is not None:
        parent._read_queue.notify()
