"""UDP's receive buffer: datagrams in order of arrival, and the memory they hold.

The rule (net/ipv4/udp.c, __udp_enqueue_schedule_skb): a datagram is dropped
when the memory held and its own would pass SO_RCVBUF, but an empty buffer
takes any one.  Memory comes back late (udp_rmem_release): a reader works
through the datagrams that were there when it came for the first of them, and
until the last of these is taken, what they held is given back a quarter of
SO_RCVBUF at a time.  All figures are measured (6.18).
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from asyncipc.kernel.udp.datagram import Datagram

SLABS: Final = ((197, 832), (645, 1280), (1669, 2304), (3717, 4352), (7813, 8448), (16004, 16640))
"""Up to so many bytes over IPv4, a datagram counts so much."""
OVERHEAD: Final = 832
"""What a longer one counts beside its bytes."""
IPV6_EXTRA: Final = 13
"""By so many bytes less fits into each slab over IPv6."""
IPV6_WHOLE_MAX: Final = 65488
"""The longest that passes the loopback's MTU (65536) over IPv6 in one piece."""

NO_DATAGRAMS: Final[deque[Datagram]] = deque()
"""Stands for every inbox that nothing has come into: an idle socket stays small."""


@lru_cache(maxsize=4096)
def datagram_memory(size: int, extra: int = 0) -> int:
    """What a datagram of ``size`` bytes counts (its truesize); ``extra``: IPV6_EXTRA or 0."""
    for most, memory in SLABS:
        if size + extra <= most:
            return memory
    if extra and size > IPV6_WHOLE_MAX:  # two fragments; the second is small
        return IPV6_WHOLE_MAX - 8 + OVERHEAD + SLABS[0][1]
    return size + OVERHEAD


@final
class Inbox:
    """``held``: memory that counts.  ``drops``: datagrams that found no room.

    What comes in is put in by the socket, since that is the hot path.
    """

    __slots__ = ("_begun", "_returning", "datagrams", "drops", "held")

    def __init__(self) -> None:
        self.datagrams = NO_DATAGRAMS
        self.held = 0
        self.drops = 0
        self._begun = 0  # datagrams left of those that the reader works through
        self._returning = 0  # their memory that still counts

    def take(self, limit: int) -> Datagram:
        datagrams = self.datagrams
        begun = (self._begun or len(datagrams)) - 1
        datagram = datagrams.popleft()
        returning = self._returning + datagram[3]
        self._begun = begun
        if begun and returning < limit >> 2:
            self._returning = returning
        else:
            self._returning = 0
            self.held -= returning
        return datagram

    def first(self) -> Datagram:
        """The first datagram, which stays; who looks has begun to read."""
        self._begun = self._begun or len(self.datagrams)
        return self.datagrams[0]

    def clear(self) -> None:
        self.datagrams = NO_DATAGRAMS
        self.held = self._begun = self._returning = 0
