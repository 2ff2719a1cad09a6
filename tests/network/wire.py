"""A link by itself, without hosts: what it makes of the packets that it is given."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.network.internet.udp import UdpBody
from asyncipc.network.links.conditions import Conditions
from asyncipc.network.links.link import Link
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import ACK, Segment

MS = 1_000_000
SECOND = 1_000_000_000
UDP_HEADS = 28


class DiceBox:
    """Dice of one seed; ``asked``: for which purposes, in order."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.asked: list[str] = []

    def __call__(self, purpose: str) -> Random:
        self.asked.append(purpose)
        return Random(f"{self.seed}:{purpose}")


def link(
    conditions: Conditions,
    *,
    seed: int = 0,
    dice: Callable[[str], Random] | None = None,
    source: str = "a",
    target: str = "b",
) -> Link:
    return Link(source, target, conditions, dice or DiceBox(seed))


def datagram(data: bytes = b"x", *, whole: bool = False, source: str = "10.0.0.1") -> Packet:
    ends = InetAddress(source, 1000), InetAddress("10.0.0.2", 53)
    return Packet(source, "10.0.0.2", UdpBody((data, *ends, len(data))), whole=whole)


def segment(data: bytes, *, segment_max: int = 0, flags: int = ACK) -> Packet:
    ends = InetAddress("10.0.0.1", 1000), InetAddress("10.0.0.2", 80)
    body = Segment(*ends, 0, 0, flags, 1000, data, segment_max=segment_max)
    return Packet("10.0.0.1", "10.0.0.2", body, whole=True)


def arrivals(wire: Link, packet: Packet, now: int = 0) -> list[tuple[int, Packet]]:
    fate = wire.carry(packet, now)
    assert not isinstance(fate, str), fate
    return list(fate)


def due(wire: Link, packet: Packet, now: int = 0) -> int:
    """When it arrives, alone."""
    ((due_ns, _),) = arrivals(wire, packet, now)
    return due_ns


def fates(wire: Link, count: int, apart_ns: int = MS) -> list[str | None]:
    """Of so many packets: the cause for which each was dropped, or None."""
    packet, answers = datagram(), []
    for number in range(count):
        fate = wire.carry(packet, number * apart_ns)
        answers.append(fate if isinstance(fate, str) else None)
    return answers


def delays(wire: Link, count: int, apart_ns: int = MS) -> list[int]:
    """Of so many packets, in nanoseconds."""
    packet = datagram()
    return [due(wire, packet, number * apart_ns) - number * apart_ns for number in range(count)]
