"""Connections of UNIX sockets: what stream and seqpacket sockets do alike.

connect(2) makes the server's end at once and lets it wait in the listener's
backlog, so that the client may send before anybody accepts.  A socket that
was connected stays so when its peer has closed: it remembers the peer's name.

Both ends keep which halves are shut; shutting one shuts its counterpart at
the peer.  Closing shuts all; with unread data, or before somebody accepted,
it also leaves the peer ECONNRESET, which is told once.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, TypeVar

from asyncipc.errors import fail
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.readiness import ERR, HUP, RDHUP, READABLE, WRBAND, WRITABLE
from asyncipc.kernel.sockets.address import Address, UnixName
from asyncipc.kernel.sockets.listener import Backlog
from asyncipc.kernel.sockets.options import SO_PASSCRED, UNCHANGED
from asyncipc.kernel.sockets.socket import (
    BOTH_SHUTDOWN,
    RCV_SHUTDOWN,
    halves,
    mirrored,
    process_credentials,
)
from asyncipc.kernel.unix.naming import (
    Binding,
    autobind_for_credentials,
    checked,
    find,
    name_of,
    unbind,
)

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.unix.seqpacket import SeqpacketEndpoint
    from asyncipc.kernel.unix.stream import StreamEndpoint
    from asyncipc.kernel.waitqueue import WouldBlock

Endpoint = TypeVar("Endpoint", "StreamEndpoint", "SeqpacketEndpoint")

ALWAYS_WRITABLE: Final = HUP | WRITABLE | WRBAND
"""What poll says of a socket that was never connected."""


def backlog_of(socket: Endpoint) -> Backlog[Endpoint] | None:
    """The backlog of one that listens."""
    return None if socket.binding is None else socket.binding.backlog


def listen(socket: Endpoint, process: Process, backlog: int) -> None:
    """listen(2).  EINVAL for one without a name, or connected."""
    binding = socket.binding
    if binding is None or socket.peer is not None:
        fail(errno.EINVAL)
    socket.peer_ucred = process_credentials(process)
    if binding.backlog is None:
        binding.backlog = Backlog(backlog)
    else:
        binding.backlog.limit = backlog


def connect(socket: Endpoint, process: Process, address: Address | None) -> WouldBlock | None:
    """connect(2).  Refuses while the backlog is full, whoever asks (unix_stream_connect)."""
    name = checked(address)
    autobind_for_credentials(socket)
    listener = find(socket, process, name)
    backlog = backlog_of(listener)
    if backlog is None or listener.shut & RCV_SHUTDOWN:
        fail(errno.ECONNREFUSED)
    refusal = backlog.refusal(listener)
    if refusal is not None:
        return refusal
    if socket.peer is not None:
        fail(errno.EISCONN)
    if backlog_of(socket) is not None:
        fail(errno.EINVAL)
    backlog.put(_join(socket, listener, process))
    if listener._read_queue is not None:
        listener._read_queue.notify()
    return None


def _join(client: Endpoint, listener: Endpoint, process: Process) -> Endpoint:
    """The server's end.  It inherits the listener's name and SO_PASSCRED, nothing else."""
    server = type(client)(client.kernel)
    server.peer, client.peer = client, server
    server.binding = Binding(name_of(listener))
    server.peer_ucred, client.peer_ucred = process_credentials(process), listener.peer_ucred
    if listener.options is not UNCHANGED and listener.options.is_on(SO_PASSCRED):
        server.own_options().turn(SO_PASSCRED, on=True)
    return server


def accept(socket: Endpoint) -> tuple[Endpoint, UnixName] | WouldBlock:
    """accept(2).  Once receiving is shut EINVAL, but EAGAIN for who would not wait."""
    backlog = backlog_of(socket)
    if backlog is None:
        fail(errno.EINVAL)
    queue = socket.read_queue()
    if queue.barred:
        return queue.refusal
    if not len(backlog):
        if socket.shut & RCV_SHUTDOWN and not socket.flags & O_NONBLOCK:
            fail(errno.EINVAL)
        return queue.refusal
    server = backlog.take()
    return server, name_of(server.peer)


def getpeername(socket: Endpoint) -> UnixName:
    """getpeername(2): looked at live, and known when the peer is closed.  ENOTCONN."""
    if socket.peer is None:
        fail(errno.ENOTCONN)
    return name_of(socket.peer)


def shutdown(socket: Endpoint, how: int) -> None:
    """shutdown(2).  Who waits for room in a backlog is not told, as on Linux."""
    _shut(socket, halves(how))
    if socket.peer is not None:
        _shut(socket.peer, mirrored(halves(how)))


def release(socket: Endpoint, *, reset: bool) -> None:
    """The last holder is gone.  ``reset``: something was not read."""
    unbind(socket)
    backlog = backlog_of(socket)
    if backlog is not None:
        for server in backlog.take_all():
            server.free_inbox()
            release(server, reset=True)
    socket.shut = BOTH_SHUTDOWN
    peer, socket.peer = socket.peer, None
    if peer is not None:
        peer.in_flight = 0  # what this side had not read is freed
        if reset:
            peer.error = errno.ECONNRESET
        _shut(peer, BOTH_SHUTDOWN)


def _shut(socket: Endpoint, shut: int) -> None:
    """The state has changed: whoever sleeps here looks again."""
    socket.shut |= shut
    socket.notify_all()


def poll(socket: Endpoint, *, unread: bool) -> int:
    """poll(2), as far as it concerns a connection."""
    mask = ERR if socket.error else 0
    if socket.shut == BOTH_SHUTDOWN:
        mask |= HUP
    if socket.shut & RCV_SHUTDOWN:
        mask |= RDHUP | READABLE
    if unread:
        mask |= READABLE
    if socket.peer is None:
        backlog = backlog_of(socket)
        if backlog is None:
            return mask | ALWAYS_WRITABLE
        return mask | READABLE if len(backlog) else mask
    if socket.in_flight * 4 <= socket.send_limit:
        mask |= WRITABLE | WRBAND
    return mask
