"""TCP_INFO: a struct tcp_info of a connection between hosts.

The offsets are those of include/uapi/linux/tcp.h, 6.18.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asyncipc.kernel.tcp.options import INFO_SIZE

if TYPE_CHECKING:
    from asyncipc.network.tcp.transport import SegmentTransport

STAMPS_ON: Final = 1
SACK_ON: Final = 2
SCALING_ON: Final = 4
SYN_DATA_START: Final = 3
"""tcpi_reordering where none was seen."""
MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
WORD: Final = 0xFFFFFFFF


def information(transport: SegmentTransport) -> bytes:
    """Of what is not known (pacing, delivery rates, times of being limited) 0."""
    room = bytearray(INFO_SIZE)
    room[0] = transport.socket.state
    if transport.is_open:
        _bytes(transport, room)
        for offset, value in _words(transport).items():
            room[offset : offset + 4] = (value & WORD).to_bytes(4, "little")
        for offset, value in _counters(transport).items():
            room[offset : offset + 8] = value.to_bytes(8, "little")
    elif transport.opening is not None:
        room[2] = min(transport.opening.retries, 255)
    return bytes(room)


def _bytes(transport: SegmentTransport, room: bytearray) -> None:
    probes, recovery = transport.probes, transport.sender.recovery
    scale = transport.receiver.scale
    room[1] = recovery.state
    room[2] = min(probes.retries, 255)
    room[3] = min(probes.count, 255)
    room[4] = max(transport.estimator.backoff, probes.backoff)
    room[5] = STAMPS_ON * transport.stamps | SACK_ON * recovery.may_sack
    room[5] |= SCALING_ON * (transport.send_scale > 0 or scale > 0)
    room[6] = transport.send_scale | scale << 4


def _words(transport: SegmentTransport) -> dict[int, int]:
    """The fields of 32 bits, by their offsets."""
    now = transport.timers.now()
    sender, receiver, estimator = transport.sender, transport.receiver, transport.estimator
    board, buffering = sender.board, transport.buffering
    space, round_trip = buffering.space
    acknowledging = transport.acknowledging
    return {
        8: estimator.timeout // MICROSECOND,
        12: acknowledging.delay // MICROSECOND,
        16: transport.segment_max,
        20: receiver.segment,
        24: board.out,
        28: board.sacked,
        32: board.lost,
        36: board.resent,
        44: (now - transport.sent_ns) // MILLISECOND,
        52: (now - acknowledging.received_ns) // MILLISECOND,
        56: (now - transport.heard_ns) // MILLISECOND,
        60: transport.connections.mtu(transport.names[1]),
        64: buffering.full,
        68: estimator.round_trip // MICROSECOND,
        72: (estimator.variation >> 2) // MICROSECOND,
        76: sender.congestion.threshold,
        80: sender.congestion.window,
        84: transport.segment_max,
        88: SYN_DATA_START,
        92: (round_trip >> 3) // MICROSECOND,
        96: space,
        100: transport.total_retries,
        136: transport.segments_out,
        140: transport.segments_in,
        144: sender.waiting.size,
        148: estimator.least // MICROSECOND,
        152: transport.data_segments_in,
        156: transport.data_segments_out,
        192: transport.delivered,
        224: receiver.out_of_order,
        228: sender.window,
    }


def _counters(transport: SegmentTransport) -> dict[int, int]:
    """The fields of 64 bits."""
    sender, receiver = transport.sender, transport.receiver
    sent = sender.next - sender.first - sender.finished
    return {
        120: sender.una - sender.first,
        128: receiver.next - receiver.first,
        200: sent + transport.bytes_retried,
        208: transport.bytes_retried,
    }
