"""A hostile wire between a host and the fabric: it loses, copies, delays and cuts what is sent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import SYN, Segment
from tests.network.lab import Host, Lab

MILLISECOND = 1_000_000


class Hostile:
    """On ``host``'s way out.  ``loss``, ``copies``, ``late``: shares of its packets;
    ``hides``: options that it takes from SYNs.  It does so until it is ``tame``.
    """

    def __init__(
        self,
        lab: Lab,
        host: Host,
        die: Random,
        *,
        loss: float,
        copies: float = 0.05,
        late: float = 0.2,
        hides: tuple[str, ...] = (),
    ) -> None:
        self.lab, self.die = lab, die
        self.loss, self.copies, self.late, self.hides = loss, copies, late, hides
        self.tame = False
        self._output: Callable[[Packet], None] = host.stack.output
        host.stack.output = self.output  # type: ignore[method-assign]

    def output(self, packet: Packet) -> None:
        segment = packet.body
        assert isinstance(segment, Segment)
        if segment.flags & SYN:
            segment.options = segment.options._replace(
                **{name: False if name == "may_sack" else None for name in self.hides}
            )
        if self.tame:
            self._output(packet)
            return
        for part in segment.train(1500) if self.die.random() < 0.7 else [segment]:
            self._carry(packet.with_body(part))

    def _carry(self, packet: Packet) -> None:
        die = self.die
        if die.random() < self.loss:
            return
        for _ in range(2 if die.random() < self.copies else 1):
            if die.random() < self.late:
                due = self.lab.now_ns + die.randrange(1, 20 * MILLISECOND)
                self.lab.arm(due, partial(self._output, packet))
            else:
                self._output(packet)
