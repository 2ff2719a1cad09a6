"""A segment arrives at a connection that stands: RFC 9293, 3.10.7.4, in its order.

First whether it may be listened to at all (timestamps, numbers, RST, SYN, after RFC
7323 and 5961 as tcp_validate_incoming), then its acknowledgement, then its data, then its FIN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asyncipc.network.tcp.emission import send_plain
from asyncipc.network.tcp.estimator import MILLISECOND
from asyncipc.network.tcp.numbers import HALF, MASK, unwrap
from asyncipc.network.tcp.recovery import RECOVERY
from asyncipc.network.tcp.segment import ACK, FIN, RST, SYN, URG
from asyncipc.network.tcp.urgency import announce

if TYPE_CHECKING:
    from asyncipc.network.tcp.segment import Segment
    from asyncipc.network.tcp.sender import Sender
    from asyncipc.network.tcp.transport import SegmentTransport

INVALID_NS: Final = 500 * MILLISECOND
"""So often at most is something that is not valid answered (tcp_invalid_ratelimit)."""
STAMPS_APART: Final = 1
SILENCE_NS: Final = 2_147 * 1000 * MILLISECOND
"""TCP_PAWS_WINDOW, in milliseconds; TCP_PAWS_WRAP"""


def arrive(transport: SegmentTransport, segment: Segment) -> None:
    receiver, sender = transport.receiver, transport.sender
    start = unwrap(segment.sequence, receiver.next)
    flags = segment.flags
    now = transport.timers.now()
    if not _is_valid(transport, segment, start, now) or not flags & ACK:
        return
    ack = unwrap(segment.ack, sender.una)
    if ack > sender.next or ack < sender.una - sender.window_max:
        answer_invalid(transport, now)
        return
    transport.heard_ns = now
    hear(transport, segment, start, ack, now)
    if transport.over:
        return
    if segment.data:
        if flags & URG and segment.urgent:
            announce(transport, start + segment.urgent - 1)
        if not _take(transport, segment, start, now):
            return
    if flags & FIN:
        _take_finish(transport, start + len(segment.data))
    elif receiver.finish is not None:
        _finish_if_all_came(transport)


# -- may it be listened to?


def _is_valid(transport: SegmentTransport, segment: Segment, start: int, now: int) -> bool:
    receiver, flags = transport.receiver, segment.flags
    stamp = segment.options.stamp if transport.stamps else None
    if flags & RST:
        if receiver.is_reset_by(start, may_sack=transport.sender.recovery.may_sack):
            transport.socket.peer_reset()
        elif receiver.accepts(start, start):
            answer_invalid(transport, now)
        return False
    stale = stamp is not None and _is_late(transport, segment, start, stamp[0], now)
    if stale or not receiver.accepts(start, start + segment.span):
        _answer_stray(transport, segment, now)
        return False
    if flags & SYN:
        answer_invalid(transport, now)
        return False
    if stamp is not None and start <= receiver.told:
        transport.recent = stamp[0]
        if len(segment.data) >= receiver.segment:
            late = (transport.stamp(now) - stamp[1]) & MASK
            transport.buffering.sample(late * MILLISECOND, stamp[1])
    return True


def _is_late(
    transport: SegmentTransport, segment: Segment, start: int, stamp: int, now: int
) -> bool:
    """Is it older than what has come (PAWS, tcp_paws_discard)?  After a silence, no stamp tells;
    and an acknowledgement that others have overtaken does no harm.
    """
    late = (transport.recent - stamp) & MASK
    if not STAMPS_APART < late < HALF or now - transport.heard_ns >= SILENCE_NS:
        return False
    sender = transport.sender
    overtaken = not segment.span and start == transport.receiver.next
    overtaken = overtaken and segment.ack == sender.una & MASK
    overtaken = overtaken and segment.window << transport.send_scale <= sender.window
    return not overtaken or late * MILLISECOND > transport.estimator.timeout


def _answer_stray(transport: SegmentTransport, segment: Segment, now: int) -> None:
    """Something old, or far ahead: say what is expected (to data and FIN always: an
    acknowledgement may have been lost).
    """
    if segment.span and not segment.flags & SYN:
        transport.acknowledging.hurry()
    else:
        answer_invalid(transport, now)


def answer_invalid(transport: SegmentTransport, now: int) -> None:
    """A challenge ACK (RFC 5961)."""
    if not transport.answered_ns or now - transport.answered_ns >= INVALID_NS:
        transport.answered_ns = max(now, 1)
        transport.acknowledging.now = True


# -- its acknowledgement


def hear(transport: SegmentTransport, segment: Segment, start: int, ack: int, now: int) -> None:
    sender = transport.sender
    board, una = sender.board, sender.una
    window = segment.window << transport.send_scale
    moved = ack >= una and sender.heard_window(start, ack, window)
    transport.soft_error = 0
    transport.probes.answered(moved=moved, usable=sender.window > 0)
    if not board.out:
        if moved:
            transport.room_perhaps()
        return
    used, in_slow_start = board.pipe, sender.congestion.window < sender.congestion.threshold
    news = 0
    for left, right in segment.options.blocks:
        high = unwrap(right, una)
        if una < high <= sender.next:
            news += board.sack(max(unwrap(left, una), una), high, sender.mss)
    acked = sender.advance(ack) if ack > una else 0
    advanced = ack > una
    if advanced:
        _sample(transport, segment, now)
    transport.delivered += acked + news
    duplicate = ack == una and not (moved or segment.span)
    sender.recovery.heard(ack, sender.next, sender.mss, acked=acked, news=news, duplicate=duplicate)
    if acked and sender.recovery.state != RECOVERY:
        window = sender.congestion.window
        if sender.limited or used >= window or (in_slow_start and 2 * used > window):
            sender.congestion.acknowledged(acked, now, transport.estimator.round_trip)
    sender.limited = False
    if advanced:
        transport.probes.advanced(now)
        _acknowledged(transport, sender)


def _sample(transport: SegmentTransport, segment: Segment, now: int) -> None:
    """A round trip: of what was sent once, or by the stamp that comes back."""
    sender, sent_ns = transport.sender, transport.sender.board.first_sent_ns
    stamp = segment.options.stamp
    if sent_ns >= 0:
        time = now - sent_ns
    elif transport.stamps and stamp is not None and stamp[1]:
        time = ((transport.stamp(now) - stamp[1]) & MASK) * MILLISECOND
    else:
        return
    transport.estimator.sample(time, sender.una, sender.next)


def _acknowledged(transport: SegmentTransport, sender: Sender) -> None:
    """What follows from it for the socket."""
    if sender.finished and sender.una == sender.next:
        transport.socket.finish_acknowledged()
    elif not transport.over:
        transport.room_perhaps()


# -- its data


def _take(transport: SegmentTransport, segment: Segment, start: int, now: int) -> bool:
    """Data.  False: it was refused, and the connection is over."""
    receiver, data = transport.receiver, segment.data
    if transport.deaf and start + len(data) > receiver.next:
        send_plain(transport, segment.ack, 0, RST, 0)
        transport.socket.peer_reset()
        return False
    transport.data_segments_in += segment.count
    mended, before = bool(receiver.pieces), receiver.next
    ready = receiver.take(start, data)
    if ready:
        size = min(len(data), segment.segment_max or len(data))
        _in_order(transport, ready, size, now, mended=mended)
    elif receiver.pieces and start > before:
        transport.acknowledging.now = True
    else:
        transport.acknowledging.hurry()
    return True


def _in_order(
    transport: SegmentTransport,
    ready: list[bytes | memoryview],
    size: int,
    now: int,
    *,
    mended: bool,
) -> None:
    """``size``: of the segments.  ``mended``: what is out of order, or was, is told at once."""
    receiver, acknowledging = transport.receiver, transport.acknowledging
    receiver.segment = max(size, receiver.segment)
    acknowledging.data_came(now, transport.estimator.timeout, small=size < receiver.segment)
    transport.deliver(ready)
    much = receiver.next - receiver.told > receiver.segment and transport.window_is_kept()
    round_trip = transport.estimator.round_trip
    acknowledging.owe(now, much=much or mended, round_trip=round_trip)


# -- its FIN


def _take_finish(transport: SegmentTransport, number: int) -> None:
    receiver = transport.receiver
    if receiver.finished:
        if number < receiver.next:
            transport.acknowledging.hurry()  # it was sent again: the answer was lost
        return
    if receiver.finish is None and number <= receiver.edge:
        receiver.finish = number
    if receiver.next != number:
        transport.acknowledging.now = True
    _finish_if_all_came(transport)


def _finish_if_all_came(transport: SegmentTransport) -> None:
    if transport.receiver.take_finish():
        transport.acknowledging.now = True
        transport.peer_finished()
