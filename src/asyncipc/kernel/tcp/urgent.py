"""The urgent byte of TCP: one mark in the stream, and a way around it.

The last byte of a send with MSG_OOB is urgent.  It stays where it is in the
stream; a plain read stops before it, and the next one skips it.  Meanwhile
recv with MSG_OOB reads it once.  With SO_OOBINLINE it is a byte like any
other, at which a read still stops.  A newer urgent byte takes the mark over,
and the older becomes plain data (tcp_check_urg, tcp_recvmsg_locked).
"""

from __future__ import annotations

from typing import final

from asyncipc.kernel.buffers import ByteQueue


@final
class UrgentMark:
    """``distance``: unread bytes before the urgent ``byte``; ``taken``: was it read by MSG_OOB?"""

    __slots__ = ("byte", "distance", "taken")

    def __init__(self, distance: int, byte: bytes) -> None:
        self.distance = distance
        self.byte = byte
        self.taken = False

    def hides(self, *, inline: bool) -> int:
        """How many bytes at the head of the queue a plain read does not get."""
        return 0 if inline or self.distance else 1

    def readable(self, size: int, *, inline: bool) -> int:
        """How many of ``size`` unread bytes one plain read may get."""
        return self.distance or size - self.hides(inline=inline)


def replace_mark(
    mark: UrgentMark | None, buffer: ByteQueue, byte: bytes, *, inline: bool
) -> UrgentMark:
    """The last byte of ``buffer`` is urgent.

    An older urgent byte at which the reader stands disappears: it has been
    offered out of band.
    """
    if mark is not None and mark.hides(inline=inline):
        buffer.take(1)
    return UrgentMark(buffer.size - 1, byte)
