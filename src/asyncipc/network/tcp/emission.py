"""The one place where segments go out: data, acknowledgements, and those of their own kind.

Each carries what is to be acknowledged and the window as they are at that
moment.  To send is the last thing that a function here does: the answer may come inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asyncipc.network.tcp.numbers import MASK
from asyncipc.network.tcp.receiver import BLOCKS_MAX
from asyncipc.network.tcp.recovery import RECOVERY
from asyncipc.network.tcp.segment import ACK, FIN, NO_OPTIONS, PSH, URG, Options, Segment

if TYPE_CHECKING:
    from asyncipc.network.tcp.scoreboard import Sent
    from asyncipc.network.tcp.transport import SegmentTransport

URGENT_FAR: Final = 0xFFFF


def send_one(transport: SegmentTransport) -> bool:
    """Send one segment of those that may go now, if there is one."""
    if not transport.is_open:
        return False
    acknowledging = transport.acknowledging
    if not transport.over:
        if transport.has_read:
            transport.has_read = False
            transport.look_after_reading()
        now = transport.timers.now()
        sent = transport.sender.produce(now)
        if sent is not None:
            transmit(transport, sent, now)
            return True
        transport.probes.settle(now)
    if acknowledging.now:
        send_now(transport, transport.sender.next, ACK)
        return True
    return False


def transmit(transport: SegmentTransport, sent: Sent, now: int) -> None:
    """Data, or a FIN, for the first time or again."""
    sender, data = transport.sender, sent.data
    flags, urgent = (ACK | FIN, 0) if sent.fin else (ACK, 0)
    if data and sent.end >= sender.next and not sender.waiting.size:
        flags |= PSH
    if sender.urgent > sent.start:
        flags, urgent = flags | URG, min(sender.urgent - sent.start, URGENT_FAR)
    if sent.tries:
        transport.total_retries += sent.count
        transport.bytes_retried += len(data)
        if sent.start == sender.una and sender.recovery.state == RECOVERY:
            transport.probes.sent_again(now)
    if data:
        transport.acknowledging.data_sent(now)
        transport.data_segments_out += sent.count
    transport.sent_ns = now
    transport.probes.sent(now)
    send_now(transport, sent.start, flags, data, urgent)


def send_now(
    transport: SegmentTransport, sequence: int, flags: int, data: bytes = b"", urgent: int = 0
) -> None:
    """With the acknowledgement and the window of this moment.

    A full segment has no room for SACK blocks.  What is owed of them goes
    out by itself then (Linux makes the segment smaller).
    """
    receiver, buffering, names = transport.receiver, transport.buffering, transport.names
    window = receiver.offer(buffering.unread, buffering.full)
    blocks = receiver.blocks[: BLOCKS_MAX + (not transport.stamps)]
    whole = not blocks or len(data) + 4 + 8 * len(blocks) <= transport.segment_max
    transport.acknowledging.told(keep=not whole)
    segment = Segment(
        names[0],
        names[1],
        sequence & MASK,
        receiver.next & MASK,
        flags,
        window,
        data,
        options=_options(transport, blocks if whole else []),
        urgent=urgent,
        segment_max=transport.segment_max,
    )
    transport.segments_out += segment.count
    transport.connections.output(segment)


def _options(transport: SegmentTransport, blocks: list[tuple[int, int]]) -> Options:
    stamp = None
    if transport.stamps:
        stamp = transport.stamp(transport.timers.now()), transport.recent
    if not blocks or not transport.sender.recovery.may_sack:
        return NO_OPTIONS if stamp is None else Options(None, None, False, stamp)
    told = tuple((left & MASK, right & MASK) for left, right in blocks)
    return Options(None, None, False, stamp, told)


def send_plain(
    transport: SegmentTransport,
    sequence: int,
    ack: int,
    flags: int,
    window: int,
    options: Options = NO_OPTIONS,
) -> None:
    """SYN, RST: what says nothing of data that came."""
    local, remote = transport.names
    segment = Segment(local, remote, sequence & MASK, ack & MASK, flags, window, options=options)
    transport.segments_out += 1
    transport.connections.output(segment)
