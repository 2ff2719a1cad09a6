"""Verdicts, carried out: what a rule's answer does to a packet.

Everything here ends in one call of the fabric that books the packet and
its copies at once, so that the books are balanced whenever anybody looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncipc.network.faults.rules import (
    Delay,
    Deliver,
    Drop,
    Hold,
    Installed,
    Pass,
    Replace,
    Reset,
    Verdict,
    nanoseconds,
)
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import ACK, RST, SYN, Segment

if TYPE_CHECKING:
    from asyncipc.network.fabric import Fabric
    from asyncipc.network.flight import Flight, Lane

MODULUS = 1 << 32


def obey(
    fabric: Fabric,
    answer: tuple[Installed, Verdict],
    lane: Lane,
    packet: Packet,
    now: int,
    flight: Flight | None,
) -> None:
    """``flight``: it stood for the packet while that was held."""
    installed, verdict = answer
    match verdict:
        case Drop(cause):
            fabric.refuse(lane, packet, cause, flight)
        case Delay(seconds):
            fabric.carry(lane, packet, now, flight, nanoseconds(seconds))
        case Deliver(delays):
            arrivals = [(now + nanoseconds(delay), packet) for delay in delays]
            fabric.send_off(lane, packet, arrivals, now, flight)
        case Replace(other):
            fabric.carry(_lane_of(fabric, lane, other), other, now, flight)
        case Hold():
            fabric.hold(installed, lane, packet, flight)
        case Reset():
            _break(fabric, verdict, lane, packet, now, flight)
        case Pass():
            fabric.carry(lane, packet, now, flight)
        case _:  # a rule is anybody's
            raise TypeError(f"rule {installed.name} answered {verdict!r}, which is no verdict")


def _lane_of(fabric: Fabric, lane: Lane, packet: Packet) -> Lane:
    """Where it goes, which may be another host."""
    station = fabric.stations.get(packet.hop)
    if station is None or station.name == lane.link.target:
        return lane
    return fabric.lane(lane.link.source, station.name)


def _break(
    fabric: Fabric, verdict: Reset, lane: Lane, packet: Packet, now: int, flight: Flight | None
) -> None:
    body = packet.body
    if not isinstance(body, Segment):
        fabric.refuse(lane, packet, "cut", flight)
        return
    if is_reset(packet):  # an end's own: perhaps the answer to one that came with a wrong number
        fabric.carry(lane, packet, now, flight)
        return
    if verdict.passes:
        fabric.carry(lane, verdict.packet or packet, now, flight)
    else:
        fabric.refuse(lane, packet, "cut", flight)
    break_connection(fabric, lane, verdict.packet or packet, now, passed=verdict.passes)


def is_reset(packet: Packet) -> bool:
    """It breaks a connection by itself."""
    return isinstance(packet.body, Segment) and packet.body.flags & RST != 0


def break_connection(fabric: Fabric, lane: Lane, packet: Packet, now: int, *, passed: bool) -> None:
    """A RST to either end, by the links between them, and by no rule."""
    body = packet.body
    if not isinstance(body, Segment) or body.flags & RST:
        return
    back = fabric.lane(lane.link.target, lane.link.source)
    if not (body.flags & SYN and not body.flags & ACK):  # whom a SYN is for knows of nothing yet
        fabric.carry(lane, _onward(packet, body, passed=passed), now)
    fabric.carry(back, _answer(packet, body), now)


def _onward(packet: Packet, body: Segment, *, passed: bool) -> Packet:
    """From the sender: with the number that is expected next (RFC 5961, 3.2)."""
    sequence = (body.sequence + body.span) % MODULUS if passed else body.sequence
    reset = Segment(body.source, body.target, sequence, body.ack, RST | ACK, 0)
    return Packet(packet.source, packet.target, reset)


def _answer(packet: Packet, body: Segment) -> Packet:
    """As the host itself would answer it without a connection (RFC 9293, 3.10.7.1)."""
    if body.flags & ACK:
        reset = Segment(body.target, body.source, body.ack, 0, RST, 0)
    else:
        ack = (body.sequence + body.span) % MODULUS
        reset = Segment(body.target, body.source, 0, ack, RST | ACK, 0)
    return Packet(packet.target, packet.source, reset)
