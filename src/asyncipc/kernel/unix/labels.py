"""A UNIX stream's receive buffer in which packets carry something: unix(7).

The bytes lie as ever; *labels* beside them say which of them came with
descriptors or with credentials.  A stream gets this buffer when the first
descriptors are sent to it, or when either side turns SO_PASSCRED on; all
others keep theirs, and pay nothing.

The laws of a read (unix_stream_read_generic):

* It goes on from plain bytes into those that came with descriptors, and ends
  behind them.  A short read gets the descriptors with the first part, even
  with none of the bytes; the rest is plain then.
* With SO_PASSCRED it ends where another sender's bytes begin.
* A peek gives descriptors each time.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, final

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.buffers import ByteQueue
from asyncipc.kernel.sockets.ancillary import UNKNOWN, Cargo, told, unpack
from asyncipc.kernel.sockets.options import SO_PASSCRED
from asyncipc.kernel.sockets.socket import (
    MSG_OOB,
    MSG_PEEK,
    MSG_WAITALL,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    Message,
)
from asyncipc.kernel.unix import naming as names
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.buffers import Buffer
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.sockets.ancillary import ControlRoom, Credentials, Outgoing, Rights
    from asyncipc.kernel.unix.stream import StreamEndpoint


@final
class Label:
    """What the bytes from ``start`` to ``stop`` of the stream came with."""

    __slots__ = ("credentials", "rights", "start", "stop")

    def __init__(
        self, start: int, stop: int, credentials: Credentials | None, rights: Rights | None = None
    ) -> None:
        self.start = start
        self.stop = stop
        self.credentials = credentials
        self.rights = rights


@final
class LabelledQueue(ByteQueue):
    """``loading``: the control messages of what is put next, and its first packet's length."""

    __slots__ = ("_labels", "_owner", "_taken", "loading")

    def __init__(self, owner: StreamEndpoint) -> None:
        super().__init__()
        self._owner = owner
        self._labels: deque[Label] = deque()
        self._taken = 0  # bytes of the stream that were read
        self.loading: tuple[Outgoing, int] | None = None

    def put_plain(self, chunk: bytes) -> None:
        """What came before anything could come with it."""
        if chunk:
            super().put(chunk)

    def put(self, chunk: bytes | memoryview) -> None:
        loading, self.loading = self.loading, None
        start, stop = self._taken + self.size, self._taken + self.size + len(chunk)
        sender = None if loading is None else loading[0].credentials
        if sender is None and self._owner.peer is not None:
            sender = told(self._owner.peer, self._owner)
        if loading is not None:
            rights = loading[0].load(self._owner)
            if rights is not None:
                first = start + min(loading[1], len(chunk))
                self._labels.append(Label(start, first, sender, rights))
                start = first
        if sender is not None and start < stop:
            self._labels.append(Label(start, stop, sender))
        super().put(chunk)

    def collect(self, size: int, skip: int, *, peek: bool, apart: bool) -> tuple[bytes, Cargo]:
        """What a read of ``size`` bytes gets; ``apart``: of one sender only."""
        start = self._taken + min(skip, self.size)
        stop, credentials, carrying = self._extent(start, start + size, apart)
        rights = None if carrying is None else carrying.rights
        if peek:
            if rights is None:
                rights = self._rights_ahead(start, apart)
            return self.peek(stop - self._taken)[start - self._taken :], Cargo(credentials, rights)
        data = self.take(stop - start)
        self._taken = stop
        if carrying is not None and rights is not None:
            carrying.rights = None
            rights.arrived()
        while self._labels and self._labels[0].stop <= stop:
            self._labels.popleft()
        return data, Cargo(credentials, rights)

    def _extent(
        self, start: int, stop: int, apart: bool
    ) -> tuple[int, Credentials | None, Label | None]:
        """Where a read ends, whose bytes it gets, and the label whose rights it takes."""
        position, begun, writer = start, False, None
        for end, credentials, label in self._runs(start):
            if begun and (position >= stop or (apart and credentials != writer)):
                break
            if not begun:
                begun, writer = True, credentials
            position = min(end, stop)
            if label is not None and label.rights is not None:
                return position, writer, label
        return position, writer, None

    def _rights_ahead(self, start: int, apart: bool) -> Rights | None:
        """A peek that has all its bytes looks on, and gets the next descriptors too."""
        begun, writer = False, None
        for _, credentials, label in self._runs(start):
            if begun and apart and credentials != writer:
                break
            begun, writer = True, credentials
            if label is not None and label.rights is not None:
                return label.rights
        return None

    def _runs(self, position: int) -> Iterator[tuple[int, Credentials | None, Label | None]]:
        """The stream from a position on, in parts that came alike: where each ends."""
        for label in self._labels:
            if label.stop <= position:
                continue
            if label.start > position:
                yield label.start, None, None
            yield label.stop, label.credentials, label
            position = label.stop
        if position < self._taken + self.size:
            yield self._taken + self.size, None, None

    def unload(self) -> list[Cargo | None]:
        """Nobody will have what it came with."""
        labels, self._labels = self._labels, deque()
        return [Cargo(None, label.rights) for label in labels]

    def _next_writer(self) -> Credentials:
        for _, credentials, _ in self._runs(self._taken):
            return credentials or UNKNOWN
        return UNKNOWN

    # -- the verbs of its owner

    def receive(self, size: int, flags: int, room: ControlRoom | None) -> Message | WouldBlock:
        """recvmsg(2)"""
        owner = self._owner
        if flags & MSG_OOB or owner.peer is None:
            fail(errno.EINVAL)
        queue = owner.read_queue()
        if self.size and (queue.barred or owner.below_low_water(size, flags)):
            return queue.refusal
        if not self.size:
            owner.tell_error()
            if not owner.shut & RCV_SHUTDOWN:
                return queue.refusal
            told_flags, items = unpack(room, owner, None, end=True)
            return Message(b"", 0, told_flags, None, items)
        peek = bool(flags & MSG_PEEK)
        apart = owner.options.is_on(SO_PASSCRED)
        skip = max(0, owner.options.peek_offset) if peek else 0
        if apart and room is not None and room.writer not in {None, self._next_writer()}:
            return Message(b"", 0, stops=True)
        data, cargo = self.collect(size, skip, peek=peek, apart=apart)
        told_flags, items = unpack(room, owner, cargo)
        name = names.name_of(owner.peer) or None
        stops = cargo.rights is not None or (apart and len(data) < size and self.size > 0)
        message = Message(data, len(data), told_flags, name, items, stops)
        owner.moved_on(len(data), peek=peek)
        if len(data) < size and not stops:
            looked_for_more(owner, flags)
        if not peek and cargo.rights is not None:
            cargo.rights.drop()
        return message


def looked_for_more(owner: StreamEndpoint, flags: int) -> None:
    """MSG_WAITALL has found an error behind some bytes, and tells of the bytes alone."""
    if owner.error and flags & MSG_WAITALL and not flags & MSG_PEEK:
        owner.take_error()


def labelled_from(owner: StreamEndpoint) -> LabelledQueue:
    """A labelled buffer in the place of a socket's plain one, with what lies in that."""
    if owner.urgent is not None:
        raise Unsupported("asyncipc does not model MSG_OOB beside control messages")
    owner.own_options()  # so that reads take the long way
    labelled, former = LabelledQueue(owner), owner.buffer
    if former is not None:
        labelled.put_plain(former.take(former.size))
    elif owner.shut & RCV_SHUTDOWN:  # shut before it connected: nothing gets in
        return labelled
    else:
        owner.packets = deque()
    owner.buffer = labelled
    return labelled


def send_loaded(
    sender: StreamEndpoint,
    data: Buffer,
    flags: int,
    control: Outgoing,
    process: Process,
    done: int,
) -> int | WouldBlock:
    """sendmsg(2) with control messages; without bytes they are lost (unix_stream_sendmsg)."""
    peer = sender.peer
    plain = control.is_empty() or done == len(data) or sender.is_full()
    if plain or peer is None or sender.shut & SEND_SHUTDOWN or peer.shut & RCV_SHUTDOWN:
        return sender.send(data, flags, done)
    if flags & MSG_OOB:
        raise Unsupported("asyncipc does not model MSG_OOB with control messages")
    control.check(process, peer)
    queue = peer.label()
    queue.loading = control, sender.whole_max
    try:
        return sender.send(data, flags, done)
    finally:
        queue.loading = None
