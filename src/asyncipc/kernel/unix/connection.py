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
from typing import TYPE_CHECKING, Final

from asyncipc.errors import fail
from asyncipc.kernel.openfile import O_NONBLOCK, Home
from asyncipc.kernel.readiness import ERR, HUP, RDHUP, READABLE, WRBAND, WRITABLE
from asyncipc.kernel.sockets.address import Address, UnixName
from asyncipc.kernel.sockets.ancillary import Cargo, drop_cargo
from asyncipc.kernel.sockets.listener import Backlog
from asyncipc.kernel.sockets.options import SNDBUF_DEFAULT, SNDBUF_MIN, UNCHANGED, buffer_size
from asyncipc.kernel.sockets.socket import (
    BOTH_SHUTDOWN,
    NOBODY,
    RCV_SHUTDOWN,
    Socket,
    halves,
    mirrored,
    process_credentials,
)
from asyncipc.kernel.unix import naming as names

if TYPE_CHECKING:
    from typing import Self

    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import WouldBlock

ALWAYS_WRITABLE: Final = HUP | WRITABLE | WRBAND
"""What poll says of a socket that was never connected."""


class ConnectedSocket(Socket):
    """One socket, connected if it has a ``peer``, which stays when it has closed.

    ``in_flight``: memory of what it has sent and the peer has not read yet.
    """

    __slots__ = ("binding", "in_flight", "peer", "peer_ucred")

    def __init__(self, kernel: Home, flags: int = 0, send_limit: int = SNDBUF_DEFAULT) -> None:
        super().__init__(kernel, flags, send_limit)
        self.binding: names.Binding | None = None
        self.peer: Self | None = None
        self.peer_ucred = NOBODY
        self.in_flight = 0

    # -- what the types do in their own ways

    def free_inbox(self) -> list[Cargo | None]:
        """Nobody will read what was received: what came with it."""
        raise NotImplementedError

    def joined(self) -> None:
        """It has a peer now."""

    # -- names

    @property
    def backlog(self) -> Backlog[Self] | None:
        """The backlog of one that listens."""
        return None if self.binding is None else self.binding.backlog

    def is_listening(self) -> bool:
        """SO_ACCEPTCONN"""
        return self.backlog is not None

    def bind(self, process: Process, address: Address) -> None:
        """bind(2)"""
        names.bind(self, process, address)

    def getsockname(self) -> UnixName:
        """getsockname(2)"""
        return names.name_of(self)

    def getpeername(self) -> UnixName:
        """getpeername(2): looked at live, and known when the peer is closed.  ENOTCONN."""
        if self.peer is None:
            fail(errno.ENOTCONN)
        return names.name_of(self.peer)

    def peer_credentials(self) -> bytes:
        """SO_PEERCRED"""
        return self.peer_ucred

    # -- connections

    def listen(self, process: Process, backlog: int) -> None:
        """listen(2).  EINVAL for one without a name, or connected."""
        binding = self.binding
        if binding is None or self.peer is not None:
            fail(errno.EINVAL)
        self.peer_ucred = process_credentials(process)
        if binding.backlog is None:
            binding.backlog = Backlog(backlog)
        else:
            binding.backlog.limit = backlog

    def connect(self, process: Process, address: Address | None) -> WouldBlock | None:
        """connect(2).  Refuses while the backlog is full, whoever asks (unix_stream_connect)."""
        name = names.checked(address)
        names.autobind_for_credentials(self)
        listener = names.find(self, process, name)
        backlog = listener.backlog
        if backlog is None or listener.shut & RCV_SHUTDOWN:
            fail(errno.ECONNREFUSED)
        refusal = backlog.refusal(listener)
        if refusal is not None:
            return refusal
        if self.peer is not None:
            fail(errno.EISCONN)
        if self.is_listening():
            fail(errno.EINVAL)
        backlog.put(self._join(listener, process))
        if listener._read_queue is not None:
            listener._read_queue.notify()
        return None

    def _join(self, listener: Self, process: Process) -> Self:
        """The server's end.  It inherits the listener's name, and what it wants to be told."""
        server = type(self)(self.kernel)
        server.peer, self.peer = self, server
        server.binding = names.Binding(names.name_of(listener))
        server.peer_ucred, self.peer_ucred = process_credentials(process), listener.peer_ucred
        if listener.options is not UNCHANGED:
            server.own_options().inherit(listener.options)
        server.joined()
        self.joined()
        return server

    def accept(self) -> tuple[Self, UnixName] | WouldBlock:
        """accept(2).  Once receiving is shut EINVAL, but EAGAIN for who would not wait."""
        backlog = self.backlog
        if backlog is None:
            fail(errno.EINVAL)
        queue = self.read_queue()
        if queue.barred:
            return queue.refusal
        if not len(backlog):
            if self.shut & RCV_SHUTDOWN and not self.flags & O_NONBLOCK:
                fail(errno.EINVAL)
            return queue.refusal
        server = backlog.take()
        return server, names.name_of(server.peer)

    def shutdown(self, how: int) -> None:
        """shutdown(2).  Who waits for room in a backlog is not told, as on Linux."""
        self._shut(halves(how))
        if self.peer is not None:
            self.peer._shut(mirrored(halves(how)))

    def disconnect(self, *, reset: bool) -> None:
        """The last holder is gone.  ``reset``: something was not read."""
        names.unbind(self)
        if self.backlog is not None:
            for server in self.backlog.take_all():
                server.disconnect(reset=True)
        self.shut = BOTH_SHUTDOWN
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.in_flight = 0  # what this side had not read is freed
            if reset:
                peer.error = errno.ECONNRESET
            peer._shut(BOTH_SHUTDOWN)
        drop_cargo(self.free_inbox())
        self.kernel.in_flight.collect()

    def _shut(self, shut: int) -> None:
        """The state has changed: whoever sleeps here looks again."""
        self.shut |= shut
        self.notify_all()

    # -- memory and readiness

    def give_back(self, memory: int) -> None:
        """The peer has read something."""
        self.in_flight -= memory
        if self._write_queue is not None and self.is_writable():
            self._write_queue.notify()

    def is_writable(self) -> bool:
        """unix_writable(): a quarter is not yet used.  A socket's own life counts as an octet."""
        return (self.in_flight + 1) * 4 <= self.send_limit

    def is_full(self) -> bool:
        """Would a send have to wait?"""
        queue = self._write_queue
        return self.in_flight >= self.send_limit or (queue is not None and queue.barred)

    def set_send_limit(self, request: int) -> None:
        """SO_SNDBUF: whoever sleeps for room looks again, if there is enough of it now."""
        self.send_limit = buffer_size(request, SNDBUF_MIN)
        self.give_back(0)

    def readiness(self, *, unread: bool) -> int:
        """poll(2), as far as it concerns a connection."""
        mask = ERR if self.error else 0
        if self.shut == BOTH_SHUTDOWN:
            mask |= HUP
        if self.shut & RCV_SHUTDOWN:
            mask |= RDHUP | READABLE
        if unread:
            mask |= READABLE
        if self.peer is None:
            if self.backlog is None:
                return mask | ALWAYS_WRITABLE
            return mask | READABLE if len(self.backlog) else mask
        if self.is_writable():
            mask |= WRITABLE | WRBAND
        return mask

    def wakers(self, mask: int) -> tuple[object, ...]:
        return () if self.peer is None else (self.peer,)

    def unsent(self) -> int:
        """SIOCOUTQ: memory, not bytes."""
        return self.in_flight
