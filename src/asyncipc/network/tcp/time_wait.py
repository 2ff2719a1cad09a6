"""TIME-WAIT: what an end that closed first answers for a minute, and to whom it gives way.

The minute itself is the kernel's (:class:`~asyncipc.kernel.tcp.ports.TimeWait`),
because it is the port that it holds; here is what a segment means to it, after
tcp_timewait_state_process (net/ipv4/tcp_minisocks.c):

* The peer's FIN again, or anything else that is not to be expected: the last
  ACK is sent again (twice a second at most; to data and FIN always), and after an ACK the
  minute begins anew.
* A new SYN may take the names over when it cannot be an old one: its number is
  beyond all that were used, or its timestamp is later (RFC 6191).
* A RST with exactly the next number ends the minute, as net.ipv4.tcp_rfc1337 is 0 (measured,
  6.18).  RFC 1337 warns of that; but it is how a peer that was refused comes in again.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from asyncipc.network.tcp.numbers import HALF, MASK, is_older
from asyncipc.network.tcp.segment import ACK, NO_OPTIONS, RST, SYN, Options, Segment

if TYPE_CHECKING:
    from asyncipc.network.tcp.agreed import Left

TAKEN_OVER_BY: Final = 65535 + 2
"""So far beyond the last number of its predecessor does a connection begin that takes
its names over: more than a window."""


class Fate(enum.Flag):
    """What a segment does to a connection in TIME-WAIT."""

    NOTHING = 0
    ACKNOWLEDGED = enum.auto()
    AGAIN = enum.auto()
    """The minute begins anew."""
    OVER = enum.auto()
    TAKEN_OVER = enum.auto()


def fate(left: Left, segment: Segment) -> Fate:
    """What ``segment`` does, if a listener is there for it."""
    flags = segment.flags
    stamp = None if left.recent is None else segment.options.stamp
    stale = stamp is not None and left.recent is not None and is_older(stamp[0], left.recent)
    if not stale and segment.sequence == left.receive_next and (flags & RST or not segment.span):
        return Fate.OVER if flags & RST else Fate.AGAIN
    if flags & (SYN | RST | ACK) == SYN and not stale and _is_new(left, segment):
        return Fate.TAKEN_OVER
    if flags & RST:
        return Fate.NOTHING
    return Fate.ACKNOWLEDGED | (Fate.AGAIN if stale or flags & ACK else Fate.NOTHING)


def _is_new(left: Left, segment: Segment) -> bool:
    stamp = segment.options.stamp
    if stamp is not None and left.recent is not None and is_older(left.recent, stamp[0]):
        return True
    return 0 < (segment.sequence - left.receive_next) & MASK < HALF


def successor(left: Left) -> int:
    """Where the numbers of a connection begin that takes the names over."""
    return (left.send_next + TAKEN_OVER_BY) & MASK


def remember(left: Left, segment: Segment) -> Left:
    """An expected segment's timestamp is the last one."""
    stamp = segment.options.stamp
    if left.recent is None or stamp is None or segment.sequence != left.receive_next:
        return left
    return left._replace(recent=stamp[0])


def last_ack(left: Left, to: Segment, milliseconds: int) -> Segment:
    """The last ACK of the connection, again."""
    options = NO_OPTIONS
    if left.recent is not None:
        options = Options(stamp=((milliseconds + left.base) & MASK, left.recent))
    return Segment(
        to.target,
        to.source,
        left.send_next & MASK,
        left.receive_next & MASK,
        ACK,
        left.window,
        options=options,
    )
