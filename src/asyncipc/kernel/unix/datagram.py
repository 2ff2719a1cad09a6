"""The UNIX datagram endpoint: unix(7), SOCK_DGRAM.

Datagrams keep their boundaries; a short read drops the rest.  It is reliable:
a sender is held back and nothing is dropped.  What holds it back is

* the memory of its datagrams in flight, to whomever (SO_SNDBUF), as for a
  stream; but a datagram goes in whole: EMSGSIZE beyond SO_SNDBUF - 32;
* a receiver with more than net.unix.max_dgram_qlen datagrams, unless that is
  connected back to the sender, or is the sender.  Who sleeps for that stands
  in a line of the receiver, and a connected sender is not writable.

To be connected is to send to one peer and to hear nobody else (EPERM).  There
is no end of file: a closed peer is ECONNREFUSED for the next send, after which
the association is gone, and with it what had been received.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.buffers import Buffer, as_bytes
from asyncipc.kernel.openfile import O_NONBLOCK, Home
from asyncipc.kernel.readiness import ERR, HUP, RDHUP, READABLE, WRBAND, WRITABLE
from asyncipc.kernel.sockets.address import Address, UnixName
from asyncipc.kernel.sockets.ancillary import (
    Cargo,
    ControlItem,
    Loading,
    drop_cargo,
    message_cargo,
    unpack,
)
from asyncipc.kernel.sockets.options import (
    SNDBUF_DEFAULT,
    SNDBUF_MIN,
    SO_PASSCRED,
    UNCHANGED,
    buffer_size,
)
from asyncipc.kernel.sockets.socket import (
    BOTH_SHUTDOWN,
    MSG_DONTWAIT,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    NOBODY,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SOCK_DGRAM,
    Message,
    Socket,
    halves,
)
from asyncipc.kernel.unix import association
from asyncipc.kernel.unix import naming as names
from asyncipc.kernel.unix.memory import MESSAGE_OVERHEAD, message_memory
from asyncipc.kernel.waitqueue import WaitQueue, WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.ancillary import ControlRoom, Outgoing


@final
class DatagramEndpoint(Socket):
    """One socket, connected if it has a ``peer``.

    ``datagrams``: received and not yet read, each with its memory, sender and cargo.
    ``relays``: senders that were found not writable because of this queue.
    """

    __slots__ = (
        "binding",
        "closed",
        "datagrams",
        "in_flight",
        "peer",
        "peer_ucred",
        "relays",
        "room",
    )

    kind = SOCK_DGRAM

    def __init__(self, kernel: Home, flags: int = 0, send_limit: int = SNDBUF_DEFAULT) -> None:
        super().__init__(kernel, flags, send_limit)
        self.binding: names.Binding | None = None
        self.peer: DatagramEndpoint | None = None
        self.peer_ucred = NOBODY
        self.closed = False
        self.in_flight = 0
        self.datagrams: deque[tuple[bytes, int, DatagramEndpoint, Cargo | None]] = deque()
        self.relays: dict[DatagramEndpoint, None] | None = None
        self.room: WaitQueue | None = None

    # -- names and the peer

    def bind(self, process: Process, address: Address) -> None:
        """bind(2)"""
        names.bind(self, process, address)

    def getsockname(self) -> UnixName:
        """getsockname(2)"""
        return names.name_of(self)

    def getpeername(self) -> UnixName:
        """getpeername(2).  ENOTCONN."""
        if self.peer is None:
            fail(errno.ENOTCONN)
        return names.name_of(self.peer)

    def peer_credentials(self) -> bytes:
        """SO_PEERCRED: told in a pair only."""
        return self.peer_ucred

    def connect(self, process: Process, address: Address | None) -> None:
        """connect(2): fix the peer, or (None) have none any more.  EPERM, and as ``sendto``."""
        association.connect(self, process, address)

    # -- sending

    def send(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        """send(2): to the peer, whole, an empty datagram too.

        Refuses while the datagrams in flight fill SO_SNDBUF, or the receiver's
        queue is full.  EMSGSIZE; EPIPE (without SIGPIPE) when this half or the
        receiver's other half is shut; ENOTCONN without a peer; ECONNREFUSED
        once when the peer is closed; EOPNOTSUPP for MSG_OOB.
        """
        if flags & MSG_OOB:
            fail(errno.EOPNOTSUPP)
        if self.options is not UNCHANGED:
            names.autobind_for_credentials(self)
        peer, queue, size = self.peer, self._write_queue, len(data)
        if size > self.send_limit - MESSAGE_OVERHEAD:
            fail(errno.EMSGSIZE)
        if self.shut or self.error:
            self._check_sending()
        if queue is not None and queue.barred:
            return queue.refusal
        if self.in_flight >= self.send_limit:
            return self.write_queue().refusal
        if peer is None:
            self.give_back(0)  # as in _find
            fail(errno.ENOTCONN)
        if peer.peer is not self or peer.shut:
            refusal = self._may_go(peer, flags)
            if refusal is not None:
                return refusal
        if self.options is not UNCHANGED or peer.options is not UNCHANGED:
            return self._deliver(peer, data, None)
        memory = message_memory(size)
        peer.datagrams.append((data if type(data) is bytes else bytes(data), memory, self, None))
        self.in_flight += memory
        if self.kernel.wire is not None:
            self.kernel.wire(self, peer, size)
        if peer._read_queue is not None:
            peer._read_queue.notify()
        return size

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2): send(2) without flags."""
        return self.send(data, 0)

    def sendto(
        self, data: Buffer, flags: int, address: Address, process: Process, done: int = 0
    ) -> int | WouldBlock:
        """sendto(2): to a name, whether connected or not.

        As ``write``, and ENOENT, ENOTDIR, EACCES, ECONNREFUSED (nobody there),
        EPROTOTYPE, EPERM (the receiver is connected elsewhere), EINVAL.
        """
        return self.sendmsg(data, flags, address, None, process)

    def sendmsg(
        self,
        data: Buffer,
        flags: int,
        address: Address | None,
        control: Outgoing | None,
        process: Process,
        done: int = 0,
    ) -> int | WouldBlock:
        """sendmsg(2): to a name or the peer.  EPERM (SO_PASSRIGHTS), ETOOMANYREFS."""
        if control is None and address is None:
            return self.send(data, flags)
        if flags & MSG_OOB:
            fail(errno.EOPNOTSUPP)
        name = None if address is None else names.checked(address)
        names.autobind_for_credentials(self)
        if len(data) > self.send_limit - MESSAGE_OVERHEAD:
            fail(errno.EMSGSIZE)
        self._check_sending()
        queue = self.write_queue()
        if queue.barred or self.in_flight >= self.send_limit:
            return queue.refusal
        other = self._find(process, name)
        loading = None if control is None else (control, process)
        return self._may_go(other, flags) or self._deliver(other, data, loading)

    def _find(self, process: Process, name: UnixName | None) -> DatagramEndpoint:
        """Who is meant.  A packet in the making is freed if it goes nowhere (sock_wfree),
        and EPOLLET shows that.
        """
        try:
            other = self.peer if name is None else names.find(self, process, name)
            if other is None:
                fail(errno.ENOTCONN)
        except OSError:
            self.give_back(0)
            raise
        return other

    def _may_go(self, other: DatagramEndpoint, flags: int) -> WouldBlock | None:
        """As in _find; who waits for room keeps the packet."""
        try:
            refusal = association.refusal_of(self, other)
        except OSError:
            self.give_back(0)
            raise
        if refusal is not None and (self.flags & O_NONBLOCK or flags & MSG_DONTWAIT):
            self.give_back(0)
        return refusal

    def _deliver(self, other: DatagramEndpoint, data: Buffer, loading: Loading | None) -> int:
        """``send`` has this written out: it is the hot path."""
        size = len(data)
        memory = message_memory(size)
        cargo = message_cargo(self, other, loading)
        other.datagrams.append((as_bytes(data), memory, self, cargo))
        self.in_flight += memory
        if self.kernel.wire is not None:
            self.kernel.wire(self, other, size)
        if other._read_queue is not None:
            other._read_queue.notify()
        return size

    def _check_sending(self) -> None:
        """What sock_alloc_send_pskb finds wrong, before it looks for room."""
        if self.error:
            fail(self.take_error())
        if self.shut & SEND_SHUTDOWN:
            fail(errno.EPIPE)

    def set_send_limit(self, request: int) -> None:
        """SO_SNDBUF: whoever sleeps for room looks again, if there is enough of it now."""
        self.send_limit = buffer_size(request, SNDBUF_MIN)
        self.give_back(0)

    # -- receiving

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2): the first datagram, cut to ``size`` bytes.

        Refuses while there is none.  With the receiving half shut a blocking
        call returns b"", a non-blocking one still fails with EAGAIN.
        """
        if flags:
            if flags & MSG_TRUNC:
                raise Unsupported("asyncipc's recv cannot tell a real length: use recv_into")
            message = self.recvmsg(size, flags)
            return message.data if isinstance(message, Message) else message
        queue = self._read_queue
        if not self.datagrams or self.error:
            return self._nothing(0)
        if queue is not None and queue.barred:
            return queue.refusal
        data, memory, sender, cargo = self.datagrams.popleft()
        rights = None if cargo is None else cargo.unload()
        sender.in_flight -= memory
        if sender._write_queue is not None and sender.is_writable():
            sender._write_queue.notify()
        if self.room is not None or self.relays is not None:
            association.tell_room(self)
        if rights is not None:
            rights.drop()
        return data if len(data) <= size else data[:size]

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): recv(2), but of no bytes at once."""
        return self.recv(size, 0) if size else b""

    def recvmsg(
        self, size: int, flags: int, room: ControlRoom | None = None
    ) -> Message | WouldBlock:
        """recvmsg(2): with the sender's name, and MSG_TRUNC if the datagram was cut."""
        if flags & MSG_OOB:
            fail(errno.EOPNOTSUPP)
        queue = self._read_queue
        if not self.datagrams or self.error:
            nothing = self._nothing(flags)
            return nothing if isinstance(nothing, WouldBlock) else Message(b"", 0)
        if queue is not None and queue.barred:
            return queue.refusal
        data, memory, sender, cargo = self.datagrams[0]
        cut = MSG_TRUNC if len(data) > size else 0
        items: tuple[ControlItem, ...] = ()
        if cargo is not None or self.options is not UNCHANGED:
            told, items = unpack(room, self, cargo)
            cut |= told
        name = names.name_of(sender) or None
        if not flags & MSG_PEEK:
            self.datagrams.popleft()
            self._done_with(memory, sender, cargo)
        return Message(data[:size], len(data), cut, name, items)

    def _done_with(self, memory: int, sender: DatagramEndpoint, cargo: Cargo | None) -> None:
        """A datagram was taken."""
        rights = None if cargo is None else cargo.unload()
        sender.give_back(memory)
        association.tell_room(self)
        if rights is not None:
            rights.drop()

    def _nothing(self, flags: int) -> bytes | WouldBlock:
        if self.error:
            fail(self.take_error())
        patient = not (self.flags & O_NONBLOCK or flags & MSG_DONTWAIT)
        return b"" if self.shut & RCV_SHUTDOWN and patient else self.read_queue().refusal

    def is_writable(self) -> bool:
        """unix_writable(): a quarter is not yet used.  A socket's own life counts as an octet."""
        return (self.in_flight + 1) * 4 <= self.send_limit

    def give_back(self, memory: int) -> None:
        self.in_flight -= memory
        if self._write_queue is not None and self.is_writable():
            self._write_queue.notify()

    def discard(self) -> None:
        """Nobody will read what was received."""
        gone = tuple(self.datagrams)
        self.datagrams.clear()
        for _, memory, sender, _ in gone:
            sender.give_back(memory)
        association.tell_room(self)
        drop_cargo([datagram[3] for datagram in gone])

    def drop_rights(self) -> None:
        drop_cargo([datagram[3] for datagram in self.datagrams])

    def turn(self, switch: int, on: bool) -> None:
        super().turn(switch, on)
        if switch == SO_PASSCRED and on:
            self.kernel.ask_callers()

    # -- shutdown, close, readiness

    def shutdown(self, how: int) -> None:
        """shutdown(2): this side's halves only; senders learn when they send."""
        self.shut |= halves(how)
        self.notify_all()

    def release(self) -> None:
        """The datagrams nobody will read are freed; a sleeping sender learns."""
        names.unbind(self)
        self.closed = True
        peer, self.peer = self.peer, None
        if peer is not None and peer.relays is not None:
            peer.relays.pop(self, None)
        self.discard()
        self.kernel.in_flight.collect()

    def poll(self) -> int:
        mask = ERR if self.error else 0
        if self.shut == BOTH_SHUTDOWN:
            mask |= HUP
        if self.shut & RCV_SHUTDOWN:
            mask |= RDHUP | READABLE
        if self.datagrams:
            mask |= READABLE
        if self.is_writable() and not association.held_back(self):
            mask |= WRITABLE | WRBAND
        return mask

    def wakers(self, mask: int) -> tuple[object, ...]:
        return () if self.peer is None else (self.peer,)

    def unread(self) -> int:
        """FIONREAD: the length of the first datagram only."""
        return len(self.datagrams[0][0]) if self.datagrams else 0

    def unsent(self) -> int:
        """SIOCOUTQ: memory, not bytes."""
        return self.in_flight

    def at_mark(self) -> bool:
        """SIOCATMARK: for streams only."""
        fail(errno.EOPNOTSUPP)


def datagram_pair(kernel: Home, flags: int = 0) -> tuple[DatagramEndpoint, DatagramEndpoint]:
    """socketpair(AF_UNIX, SOCK_DGRAM): two endpoints, crossed."""
    a, b = DatagramEndpoint(kernel, flags), DatagramEndpoint(kernel, flags)
    a.peer, b.peer = b, a
    return a, b
