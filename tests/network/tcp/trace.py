"""The exchange between two hosts as lines: when, who to whom, what.

    0 a > b SYN seq 0
    1 b > a SYN ACK seq 0 ack 1
    2 a > b ACK seq 1 ack 1

Times are milliseconds since the trace began (or was last looked at), numbers are
counted from each side's ISN.  What the test lets get lost says so.
"""

from __future__ import annotations

from collections.abc import Callable

from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import ACK, FIN, PSH, RST, SYN, URG, Segment
from tests.network.lab import Host, Lab

NAMES = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (URG, "URG"), (ACK, "ACK"))
MASK = 0xFFFFFFFF


class Trace:
    """Of all segments between ``hosts``.  ``loses``: numbers of segments to lose, by who sends
    them, counted from 1 from when it was told.
    """

    def __init__(self, lab: Lab, *hosts: Host) -> None:
        self.lab = lab
        self.lines: list[str] = []
        self.segments: list[Segment] = []
        self._isn: dict[object, int] = {}
        self._since_ns = lab.now_ns
        self._losing: dict[str, set[int]] = {}
        self._names = {host.address: host.stack.name for host in hosts}
        for host in hosts:
            stack = host.stack
            stack.output = self._recorder(stack.output)  # type: ignore[method-assign]

    def lose(self, sender: Host, *numbers: int) -> None:
        """The next, the second, … of what ``sender`` sends from now on."""
        self._losing[self._names[sender.address]] = set(numbers)

    def lose_all(self, sender: Host) -> None:
        self.lose(sender, *range(1, 1000))

    def since(self) -> list[str]:
        """What has happened since it was asked last."""
        lines, self.lines = self.lines, []
        self._since_ns = self.lab.now_ns
        return lines

    def _recorder(self, output: Callable[[Packet], None]) -> Callable[[Packet], None]:
        def record(packet: Packet) -> None:
            segment = packet.body
            assert isinstance(segment, Segment)
            sender = self._names[packet.source]
            losing = self._losing.get(sender, set())
            lost = 1 in losing
            self._losing[sender] = {number - 1 for number in losing if number > 1}
            self.segments.append(segment)
            self.lines.append(self._line(packet, segment) + (" (lost)" if lost else ""))
            if not lost:
                output(packet)

        return record

    def _line(self, packet: Packet, segment: Segment) -> str:
        milliseconds = (self.lab.now_ns - self._since_ns) / 1e6
        own, other = (segment.source, segment.target), (segment.target, segment.source)
        if segment.flags & SYN or own not in self._isn:
            self._isn[own] = segment.sequence
        flags = " ".join(name for flag, name in NAMES if segment.flags & flag)
        words = [
            f"{milliseconds:g}",
            self._names[packet.source],
            ">",
            self._names[packet.target],
            flags,
            f"seq {(segment.sequence - self._isn[own]) & MASK}",
        ]
        if segment.flags & ACK:
            words.append(f"ack {(segment.ack - self._isn.get(other, segment.ack)) & MASK}")
        if segment.data:
            words.append(f"len {len(segment.data)}")
        for left, right in segment.options.blocks:
            isn = self._isn[other]
            words.append(f"sack {(left - isn) & MASK}:{(right - isn) & MASK}")
        return " ".join(words)
