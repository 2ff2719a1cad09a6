"""The UNIX stream endpoint: unix(7), SOCK_STREAM.

Crossed endpoints: what one end sends is put into the other's receive buffer
in the same turn.  A send is cut into packets, and the *memory* of packets in
flight is what SO_SNDBUF bounds; the receiver's SO_RCVBUF plays no part
(net/unix/af_unix.c, sock_alloc_send_pskb):

* A packet is let in while the memory in flight is below SO_SNDBUF, whatever
  the packet's size; its memory comes back when its last byte has been read.
* Writable, for poll and for who sleeps in send, means at most a quarter in
  flight; a new send passes earlier than that, and may overtake.

Names are ``naming``'s, connections ``connection``'s, urgent bytes ``urgent``'s,
what packets carry beside their bytes ``labels``'.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Final, NoReturn, final

from asyncipc.errors import BrokenPipeSignal, fail
from asyncipc.kernel.buffers import Buffer, ByteQueue, part_of
from asyncipc.kernel.openfile import O_NONBLOCK, Home
from asyncipc.kernel.readiness import PRI
from asyncipc.kernel.sockets import options as opt
from asyncipc.kernel.sockets.address import Address
from asyncipc.kernel.sockets.ancillary import drop_cargo
from asyncipc.kernel.sockets.options import UNCHANGED
from asyncipc.kernel.sockets.socket import (
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_OOB,
    MSG_PEEK,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    Message,
)
from asyncipc.kernel.unix import naming as names
from asyncipc.kernel.unix.connection import ConnectedSocket
from asyncipc.kernel.unix.labels import LabelledQueue, labelled_from, looked_for_more, send_loaded
from asyncipc.kernel.unix.memory import STREAM_MAX, packet_memory
from asyncipc.kernel.unix.urgent import Urgent, send_urgent, take_urgent
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.ancillary import Cargo, ControlRoom, Outgoing

NO_PACKETS: Final[deque[tuple[int, int]]] = deque()
"""Stands for every inbox that nothing has come into: an idle socket stays small."""


@final
class StreamEndpoint(ConnectedSocket):
    """``packets``: unread bytes and memory of each packet received; ``in_flight``:
    memory of own packets that the peer has not read yet.  A peer that has
    closed stays the peer, and is told by the halves that are shut.

    ``labelled``: the buffer, if packets may come with descriptors or credentials.
    """

    __slots__ = ("buffer", "labelled", "packets", "urgent", "whole_max")

    is_stream = True

    def __init__(self, kernel: Home, flags: int = 0, send_limit: int = opt.SNDBUF_DEFAULT) -> None:
        super().__init__(kernel, flags, send_limit)
        self.whole_max = min(STREAM_MAX, send_limit // 2 - 64)
        self.buffer: ByteQueue | None = None
        self.labelled: LabelledQueue | None = None
        self.packets = NO_PACKETS
        self.urgent: Urgent | None = None

    # -- sending

    def write(self, data: Buffer, done: int = 0) -> int | WouldBlock:
        """write(2): how many bytes went in.

        Refuses while the packets in flight fill SO_SNDBUF.  EPIPE and SIGPIPE
        when this half or the peer's receiving half is shut or closed.
        """
        peer, size = self.peer, len(data)
        if peer is None or self.shut & SEND_SHUTDOWN:
            self._cannot_send(quietly=done > 0)
        if size == done:
            return 0
        queue = self._write_queue
        if queue is not None and queue.barred:
            return queue.refusal
        if self.in_flight >= self.send_limit:
            return self.write_queue().refusal
        buffer = peer.buffer or peer.open_inbox()
        if size <= self.whole_max and not done:  # one packet, the hot path
            memory = packet_memory(size)
            peer.packets.append((size, memory))
            self.in_flight += memory
            moved = size
            buffer.put(data if type(data) is bytes else bytes(data))
        else:
            moved = self._packetize(peer.packets, size - done)
            buffer.put(part_of(data, done, done + moved))
        if self.kernel.wire is not None:
            self.kernel.wire(self, peer, moved)
        if peer._read_queue is not None:
            peer._read_queue.notify()
        return moved

    def send(self, data: Buffer, flags: int, done: int = 0) -> int | WouldBlock:
        """send(2): write(2) with flags.

        MSG_NOSIGNAL: EPIPE without SIGPIPE.  MSG_OOB: the last byte is urgent.
        """
        try:
            if flags & MSG_OOB:
                return send_urgent(self, data, flags, done)
            return self.write(data, done)
        except BrokenPipeSignal:
            if flags & MSG_NOSIGNAL:
                fail(errno.EPIPE)
            raise

    def sendto(
        self, data: Buffer, flags: int, address: Address, process: Process, done: int = 0
    ) -> int | WouldBlock:
        """sendto(2): a stream takes no address.  EISCONN, EOPNOTSUPP."""
        names.checked(address)
        fail(errno.EOPNOTSUPP if self.peer is None else errno.EISCONN)

    def sendmsg(
        self,
        data: Buffer,
        flags: int,
        address: Address | None,
        control: Outgoing | None,
        process: Process,
        done: int = 0,
    ) -> int | WouldBlock:
        """sendmsg(2): control messages go with the first packet.  EPERM, ETOOMANYREFS."""
        if address is not None:
            return self.sendto(data, flags, address, process, done)
        if control is None:
            return self.send(data, flags, done)
        return send_loaded(self, data, flags, control, process, done)

    def _cannot_send(self, *, quietly: bool) -> NoReturn:
        """EPIPE, with SIGPIPE unless the call has moved something; ENOTCONN without a peer.

        A call that slept ends without the signal, and is the one that is told
        of a reset (sock_alloc_send_pskb).
        """
        if self.peer is None:
            fail(errno.ENOTCONN)
        slept = self._write_queue is not None and self._write_queue.serving
        if slept:
            self.tell_error()
        if slept or quietly:
            fail(errno.EPIPE)
        raise BrokenPipeSignal

    def open_inbox(self) -> ByteQueue:
        """The receiving side's room, made when something first comes.

        One that was shut before it connected has none; the peer does not know.
        """
        if self.shut & RCV_SHUTDOWN:
            raise BrokenPipeSignal
        self.packets, self.buffer = deque(), ByteQueue()
        return self.buffer

    # -- control messages

    def turn(self, switch: int, on: bool) -> None:
        super().turn(switch, on)
        self.joined()

    def joined(self) -> None:
        """Who wants to know who sends gets the buffer for it, and so does who sends to it."""
        if self.options is not UNCHANGED and self.options.is_on(opt.SO_PASSCRED):
            self.kernel.ask_callers()
            self.label()
            if self.peer is not None:
                self.peer.label()

    def label(self) -> LabelledQueue:
        """The buffer, from now on one whose packets may carry something."""
        if self.labelled is None:
            self.labelled = labelled_from(self)
        return self.labelled

    def drop_rights(self) -> None:
        if self.labelled is not None:
            drop_cargo(self.labelled.unload())

    def _packetize(self, packets: deque[tuple[int, int]], size: int) -> int:
        """Let packets in while memory allows; how many bytes that made."""
        moved = 0
        while moved < size and self.in_flight < self.send_limit:
            length = min(size - moved, self.whole_max)
            memory = packet_memory(length)
            packets.append((length, memory))
            self.in_flight += memory
            moved += length
        return moved

    def set_send_limit(self, request: int) -> None:
        """SO_SNDBUF: that of a packet follows."""
        self.whole_max = min(STREAM_MAX, opt.buffer_size(request, opt.SNDBUF_MIN) // 2 - 64)
        super().set_send_limit(request)

    # -- receiving

    def recv(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2): up to ``size`` bytes, b"" at the end of the stream.

        Refuses while nothing has come and the peer can still send.
        ECONNRESET once when the peer closed with unread data.
        """
        return self._receive(size, flags) if flags or not size else self.read(size)

    def read(self, size: int) -> bytes | WouldBlock:
        """read(2): recv(2), but of no bytes at once."""
        if not size:
            return b""
        buffer, queue = self.buffer, self._read_queue
        if buffer is None or not buffer.size:
            if queue is None or self.shut or self.error or self.urgent or self.peer is None:
                return self._receive(size, 0)
            return queue.refusal
        if queue is not None and queue.barred:
            return queue.refusal
        if self.urgent is not None or self.options is not UNCHANGED:
            return self._receive(size, 0)
        data = buffer.take(size)
        self._release_packets(len(data))
        return data

    def recvmsg(
        self, size: int, flags: int, room: ControlRoom | None = None
    ) -> Message | WouldBlock:
        """recvmsg(2): with the peer's name, if it has one."""
        if self.labelled is not None:
            return self.labelled.receive(size, flags, room)
        data = self.recv(size, flags)
        if isinstance(data, WouldBlock):
            return data
        if flags & MSG_OOB:
            return Message(data, len(data), MSG_OOB)
        is_end = not data and (size > 0 or not self._has_something())
        return Message(data, len(data), 0, None if is_end else names.name_of(self.peer) or None)

    def _receive(self, size: int, flags: int) -> bytes | WouldBlock:
        """recv(2) with all that may be special about it."""
        if self.labelled is not None:
            message = self.labelled.receive(size, flags, None)
            return message.data if isinstance(message, Message) else message
        if flags & MSG_OOB:
            return take_urgent(self, size, flags)
        if self.peer is None:
            fail(errno.EINVAL)
        queue, inline = self.read_queue(), self.options.is_on(opt.SO_OOBINLINE)
        if queue.barred and self._has_something():
            return queue.refusal
        if not flags & MSG_PEEK and self.below_low_water(size, flags):
            return queue.refusal
        data = (self._peek if flags & MSG_PEEK else self._take)(size, inline=inline)
        if data or (not size and self._has_next(inline=inline)):
            if len(data) < size and self.urgent is None:  # not for a mark that it ended at
                looked_for_more(self, flags)
            return data
        self.tell_error()
        return b"" if self.shut & RCV_SHUTDOWN else queue.refusal

    def _has_something(self) -> bool:
        """Is there a byte, or the gap that an urgent one left?"""
        return self.urgent is not None or (self.buffer is not None and self.buffer.size > 0)

    def _has_next(self, *, inline: bool) -> bool:
        """Is there a byte that an ordinary read would take?"""
        if self.buffer is not None and self.buffer.size:
            return True
        return inline and self.urgent is not None and self.urgent.pending is not None

    def below_low_water(self, size: int, flags: int) -> bool:
        """SO_RCVLOWAT: a call that waits does so for more than a byte."""
        if self.flags & O_NONBLOCK or flags & MSG_DONTWAIT or self.urgent or self.shut:
            return False
        return self._has_something() and self.unread() < min(self.options.receive_low_water, size)

    def _take(self, size: int, *, inline: bool) -> bytes:
        buffer, urgent = self.buffer, self.urgent
        if buffer is None or not self._has_something():
            return b""
        if urgent is None:
            data = buffer.take(size)
            self._release_packets(len(data))
        else:
            data = urgent.take(buffer, self.packets, size, inline=inline)
            self._release_packets(len(data))
            self.pass_marks(urgent)
        self._move_peek_offset(-len(data))
        return data

    def _peek(self, size: int, *, inline: bool) -> bytes:
        """MSG_PEEK; with SO_PEEK_OFF each goes on where the last one ended."""
        if self.buffer is None:
            return b""
        start = max(0, self.options.peek_offset)
        if self.urgent is None:
            data = self.buffer.peek(start + size)[start:]
        else:
            data = self.urgent.peek(self.buffer, start + size, inline=inline)[start:]
        self._move_peek_offset(len(data))
        return data

    def moved_on(self, size: int, *, peek: bool) -> None:
        """A read of a labelled buffer has taken, or seen, so many bytes."""
        if peek:
            self._move_peek_offset(size)
        else:
            self._move_peek_offset(-size)
            self._release_packets(size)

    def _move_peek_offset(self, distance: int) -> None:
        """SO_PEEK_OFF: peeks advance it, reads move it back; while it is off it stays so."""
        options = self.options
        if options.peek_offset >= 0 and distance:
            options.peek_offset = max(0, options.peek_offset + distance)

    def set_peek_offset(self, offset: int) -> None:
        """SO_PEEK_OFF: where the next peek begins; -1: always at the start."""
        self.own_options().peek_offset = offset

    def pass_marks(self, urgent: Urgent) -> None:
        """Give back the memory of marks that are gone."""
        freed, urgent.freed = urgent.freed, 0
        self.urgent = urgent if len(urgent) else None
        if freed and self.peer is not None:
            self.peer.give_back(freed)

    def _release_packets(self, size: int) -> None:
        """``size`` bytes were read: give the sender back its memory."""
        packets, freed = self.packets, 0
        while size:
            length, memory = packets[0]
            if length > size:
                packets[0] = (length - size, memory)
                break
            packets.popleft()
            freed += memory
            size -= length
        if freed and self.peer is not None:
            self.peer.give_back(freed)

    def tell_error(self) -> None:
        """A reset is told once."""
        if self.error:
            fail(self.take_error())

    # -- shutdown, close, readiness

    def release(self) -> None:
        gaps = 0 if self.urgent is None else len(self.urgent)
        reset = self.buffer is not None and (self.unread() > 0 or gaps > 1)
        self.disconnect(reset=reset)

    def free_inbox(self) -> list[Cargo | None]:
        self.packets, self.buffer, self.urgent = NO_PACKETS, None, None
        labelled, self.labelled = self.labelled, None
        return [] if labelled is None else labelled.unload()

    def poll(self) -> int:
        urgent = self.urgent
        mask = self.readiness(unread=self._has_something())
        return mask if urgent is None or urgent.pending is None else mask | PRI

    def unread(self) -> int:
        """FIONREAD: all bytes; EINVAL for a listener."""
        if self.buffer is None:
            if self.peer is None and self.is_listening():
                fail(errno.EINVAL)
            return 0
        urgent = self.urgent is not None and self.urgent.pending is not None
        return self.buffer.size + urgent

    def at_mark(self) -> bool:
        """SIOCATMARK"""
        return self.urgent is not None and self.urgent.is_next()


def stream_pair(kernel: Home, flags: int = 0) -> tuple[StreamEndpoint, StreamEndpoint]:
    """socketpair(AF_UNIX, SOCK_STREAM): two endpoints, crossed."""
    a, b = StreamEndpoint(kernel, flags), StreamEndpoint(kernel, flags)
    a.peer, b.peer = b, a
    return a, b
