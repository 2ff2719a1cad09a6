"""Urgent bytes: MSG_OOB on UNIX stream sockets (since 5.15; as 6.18 has it).

The last byte of such a send is urgent.  It lies in the stream at its *mark*:
an ordinary read stops before it, and the next one drops it and goes on behind
it, or, with SO_OOBINLINE, reads it.  MSG_OOB takes it out of turn and leaves
a *gap*, where a read still stops once.  A newer urgent byte makes the older
one ordinary.  (manage_oob, unix_stream_recv_urg in net/unix/af_unix.c)
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.sockets.options import SO_OOBINLINE
from asyncipc.kernel.sockets.socket import MSG_DONTWAIT, MSG_PEEK
from asyncipc.kernel.unix.memory import packet_memory
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer, ByteQueue
    from asyncipc.kernel.unix.stream import StreamEndpoint


@final
class Mark:
    """``offset``: the ordinary bytes before it; ``byte``: the urgent one, or b"" for a gap."""

    __slots__ = ("byte", "memory", "offset")

    def __init__(self, offset: int, byte: bytes, memory: int) -> None:
        self.offset = offset
        self.byte = byte
        self.memory = memory


@final
class Urgent:
    """The marks in one receive buffer, in order; only the last may have its byte yet.

    ``freed``: memory of marks that were passed, to be given back to the sender.
    """

    __slots__ = ("_marks", "freed")

    def __init__(self) -> None:
        self._marks: deque[Mark] = deque()
        self.freed = 0

    def __len__(self) -> int:
        return len(self._marks)

    @property
    def pending(self) -> Mark | None:
        """The mark whose byte nobody has read."""
        marks = self._marks
        return marks[-1] if marks and marks[-1].byte else None

    def put(self, byte: bytes, memory: int, buffer: ByteQueue) -> None:
        self._marks.append(Mark(buffer.size, byte, memory))

    def make_ordinary(self, buffer: ByteQueue, packets: deque[tuple[int, int]]) -> None:
        """A newer byte is urgent now: the pending one joins the stream where it lies."""
        mark = self.pending
        if mark is None:
            return
        self._marks.pop()
        before, after = buffer.take(mark.offset), buffer.take(buffer.size)
        buffer.put(before + mark.byte + after)
        place = passed = 0
        while passed < mark.offset:
            passed += packets[place][0]
            place += 1
        packets.insert(place, (1, mark.memory))

    def take_byte(self) -> bytes:
        """MSG_OOB: the urgent byte, whose mark becomes a gap; gaps do not add up."""
        mark = self._marks.pop()
        if self._marks and self._marks[-1].offset == mark.offset:
            self.freed += self._marks.pop().memory
        byte, mark.byte = mark.byte, b""
        self._marks.append(mark)
        return byte

    def is_next(self) -> bool:
        """SIOCATMARK: would a read begin at the mark?"""
        if not self._marks or self._marks[0].offset:
            return False
        return self.pending is None or self._is_at(self.pending)

    @staticmethod
    def _is_at(mark: Mark | None) -> bool:
        return mark is not None and not mark.offset

    def take(
        self, buffer: ByteQueue, packets: deque[tuple[int, int]], size: int, *, inline: bool
    ) -> bytes:
        """An ordinary read; even one of no bytes passes a mark that it begins at."""
        parts: list[bytes] = []
        while True:
            if inline and not parts and self._is_at(self.pending):
                self.make_ordinary(buffer, packets)
                continue
            if self._marks and not self._marks[0].offset:
                if self._stops(self._marks[0], bool(parts)):
                    break
                self.freed += self._marks.popleft().memory
                continue
            if not size or not buffer.size:
                break
            part = buffer.take(min(size, self._marks[0].offset) if self._marks else size)
            for mark in self._marks:
                mark.offset -= len(part)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def peek(self, buffer: ByteQueue, size: int, *, inline: bool) -> bytes:
        """What :meth:`take` would return."""
        data, found, position = buffer.peek(buffer.size), b"", 0
        for mark in self._marks:
            found += data[position : mark.offset]
            position = mark.offset
            if len(found) >= size or self._stops(mark, bool(found)):
                return found[:size]
            found += mark.byte if inline else b""
        return (found + data[position:])[:size]

    def _stops(self, mark: Mark, read_before: bool) -> bool:
        """Does a read that comes to the mark end there?  At a gap, if nothing urgent follows."""
        return read_before and (bool(mark.byte) or self.pending is None)


def send_urgent(endpoint: StreamEndpoint, data: Buffer, flags: int, done: int) -> int | WouldBlock:
    """MSG_OOB: all but the last byte as ever, then that one.  EOPNOTSUPP for nothing."""
    last = len(data) - 1
    if last < 0:
        fail(errno.EOPNOTSUPP)
    if endpoint.peer is not None and endpoint.peer.labelled is not None:
        raise Unsupported("asyncipc does not model MSG_OOB beside control messages")
    patient = not (endpoint.flags & O_NONBLOCK or flags & MSG_DONTWAIT)
    room = endpoint.send_limit - endpoint.in_flight
    if patient and last > done and packet_memory(last - done) >= room:
        return endpoint.write_queue().refusal  # not the one without the other
    moved = endpoint.write(data[:last], done)
    if isinstance(moved, WouldBlock) or done + moved < last:
        return moved
    peer = endpoint.peer
    if peer is None or endpoint.in_flight >= endpoint.send_limit:
        return moved or endpoint.write_queue().refusal
    endpoint.in_flight += packet_memory(1)
    _receive_urgent(peer, bytes(data[last:]))
    return moved + 1


def _receive_urgent(endpoint: StreamEndpoint, byte: bytes) -> None:
    buffer = endpoint.buffer or endpoint.open_inbox()
    if endpoint.urgent is None:
        endpoint.urgent = Urgent()
    endpoint.urgent.make_ordinary(buffer, endpoint.packets)
    endpoint.urgent.put(byte, packet_memory(1), buffer)
    if endpoint._read_queue is not None:
        endpoint._read_queue.notify()


def take_urgent(endpoint: StreamEndpoint, size: int, flags: int) -> bytes:
    """recv(MSG_OOB).  EINVAL if there is none, or if it is to be read in line."""
    urgent = endpoint.urgent
    mark = None if urgent is None else urgent.pending
    if urgent is None or mark is None or endpoint.options.is_on(SO_OOBINLINE):
        fail(errno.EINVAL)
    if flags & MSG_PEEK:
        return mark.byte[:size]
    byte = urgent.take_byte()
    endpoint.pass_marks(urgent)
    return byte[:size]
