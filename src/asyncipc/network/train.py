"""The train: the packets that one big TCP segment stands for.

On a clean link a sender's 64 KiB travel as one, due when the last byte is there.
Where single packets can be lost, or somebody looks at them, each goes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asyncipc.network.tcp.segment import Segment

if TYPE_CHECKING:
    from asyncipc.network.links.conditions import Conditions
    from asyncipc.network.packet import Packet


def pieces(packet: Packet, conditions: Conditions) -> Sequence[Packet]:
    """What an interface would have made of it, or the smaller ones that ``piece_max`` asks for."""
    body = packet.body
    if not isinstance(body, Segment):
        return (packet,)
    most, asked = body.segment_max or len(body.data), conditions.piece_max
    if asked is not None and asked < most:
        most = asked
    if not 0 < most < len(body.data):
        return (packet,)
    big = body.with_data(body.data)
    big.segment_max = most
    return [packet.with_body(car) for car in big.train(conditions.mtu)]
