"""Who a UNIX datagram socket talks to, and when its datagrams may go there.

To be connected is to send to one peer and to hear nobody else.  A receiver
with more than net.unix.max_dgram_qlen datagrams holds others back, unless it
is connected back to them: senders stand in a line of it (its *room*), and
sockets that were found not writable for that reason are its *relays*.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, NoReturn

from asyncipc.errors import fail
from asyncipc.kernel.sockets.listener import room_queue
from asyncipc.kernel.sockets.socket import RCV_SHUTDOWN
from asyncipc.kernel.unix import naming as names

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.address import Address
    from asyncipc.kernel.unix.datagram import DatagramEndpoint
    from asyncipc.kernel.waitqueue import WouldBlock

QUEUE_MAX: Final = 10
"""net.unix.max_dgram_qlen; one more gets in, because the kernel compares with >."""


def connect(socket: DatagramEndpoint, process: Process, address: Address | None) -> None:
    """connect(2): fix the peer, or (None) have none any more.

    Leaving a peer discards what was received; a peer that was connected
    back is told so by ECONNRESET (unix_dgram_disconnected).
    """
    other = None
    if address is not None:
        name = names.checked(address)
        names.autobind_for_credentials(socket)
        other = names.find(socket, process, name)
        if other.peer is not None and other.peer is not socket:
            fail(errno.EPERM)
    former, socket.peer = socket.peer, other
    if former is not None and former is not other:
        _leave(socket, former)


def _leave(socket: DatagramEndpoint, former: DatagramEndpoint) -> None:
    if socket.datagrams:
        told = not former.closed and former.peer is socket
        if told:
            former.error = errno.ECONNRESET  # before a sender that sleeps gets its room
        socket.discard()
        if told:
            former.notify_all()
    if former.relays is not None:
        former.relays.pop(socket, None)
    if socket._write_queue is not None:  # it may be writable now
        socket._write_queue.notify()


def refusal_of(socket: DatagramEndpoint, other: DatagramEndpoint) -> WouldBlock | None:
    """May a datagram go to ``other``?  None, or what to wait for, or an error."""
    if other.peer is not None and other.peer is not socket:
        fail(errno.EPERM)
    if other.closed:
        _lose(socket, other)
    if other.shut & RCV_SHUTDOWN:
        fail(errno.EPIPE)
    if other is socket or other.peer is socket:
        return None
    if len(other.datagrams) > QUEUE_MAX or (other.room is not None and other.room.barred):
        if other.room is None:
            other.room = room_queue(other)
        return other.room.refusal
    return None


def _lose(socket: DatagramEndpoint, closed: DatagramEndpoint) -> NoReturn:
    """A send finds its peer closed: there is no association any more."""
    socket.peer = None
    _leave(socket, closed)
    fail(errno.ECONNREFUSED)


def tell_room(socket: DatagramEndpoint) -> None:
    """There may be room in the queue: for one sleeper, and for all who poll."""
    if len(socket.datagrams) > QUEUE_MAX:
        return
    if socket.room is not None:
        socket.room.notify()
    if socket.relays is not None:
        relays, socket.relays = socket.relays, None
        for sender in relays:
            sender.give_back(0)


def held_back(socket: DatagramEndpoint) -> bool:
    """Is the peer's queue full?  Then this socket is told when it is not any more."""
    peer = socket.peer
    if peer is None or peer.peer is socket or len(peer.datagrams) <= QUEUE_MAX:
        return False
    if peer.relays is None:
        peer.relays = {}
    peer.relays[socket] = None
    return True
