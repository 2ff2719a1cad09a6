"""The passage: what happens to a packet on a link that is more than a latency.

In the order of a real wire: it must fit (MTU), it waits for its turn and is sent
(bandwidth, queue), and on the way it may get lost, be doubled, hurt, and delayed.
Each concern has a die of its own, made when it is first cast.  Dice and
memories outlive a change of the conditions that does not concern them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.network.dice import Dice, Die
from asyncipc.network.links.conditions import PERFECT, Conditions
from asyncipc.network.links.damage import truncated
from asyncipc.network.links.loss import Judge
from asyncipc.network.links.port import Port
from asyncipc.network.links.queueing import QUEUE
from asyncipc.network.links.reordering import Overtaking
from asyncipc.network.tcp.segment import Segment

if TYPE_CHECKING:
    from asyncipc.network.links.link import Link
    from asyncipc.network.packet import Packet

TOO_BIG: Final = "mtu"


@final
class Passage:
    __slots__ = (
        "_conditions", "_dice", "_dies", "_judge", "_last_ns", "_name", "_overtaking", "_port",
    )  # fmt: skip

    def __init__(self, name: str, dice: Dice) -> None:
        self._name = name
        self._dice = dice
        self._dies: dict[str, Die] = {}
        self._conditions = PERFECT
        self._judge: Judge | None = None
        self._overtaking: Overtaking | None = None
        self._port: Port | None = None
        self._last_ns: int | None = None

    def take(self, conditions: Conditions) -> None:
        """From now on these."""
        old, self._conditions = self._conditions, conditions
        loss, reorder = conditions.loss, conditions.reorder
        if loss != old.loss:
            self._judge = loss.begin(self._die("loss")) if loss else None
        if reorder != old.reorder:
            self._overtaking = Overtaking(reorder, self._die("reorder")) if reorder else None
        if conditions.jitter != old.jitter:
            self._last_ns = None
        if (conditions.bandwidth, conditions.queue) != (old.bandwidth, old.queue):
            self._take_port(conditions)

    def _take_port(self, conditions: Conditions) -> None:
        rate, queue = conditions.bandwidth, conditions.queue
        if rate is None:
            self._port = None
            return
        gate = queue.begin(self._die("queue"), rate) if queue else None
        if self._port is None:
            self._port = Port(rate, gate)
        else:
            self._port.change(rate, gate)

    def _die(self, concern: str) -> Die:
        die = self._dies.get(concern)
        if die is None:
            die = self._dies[concern] = self._dice(f"{self._name}: {concern}")
        return die

    def carry(self, packet: Packet, now: int, link: Link) -> Sequence[tuple[int, Packet]] | str:
        """As :meth:`Link.carry`."""
        if packet.size > link.mtu and is_too_big(packet, link.mtu):
            return TOO_BIG
        up, begin = link.up, now
        size = 0 if up is None and self._port is None else wire_size(packet)
        if up is not None:
            out = up.send(size, now)
            if out is None:
                return QUEUE
            begin = out
        out = self._send(size, begin)
        if out is None:
            return QUEUE
        if self._judge is not None and (cause := self._judge()) is not None:
            return cause
        first = self._arrival(packet, out, link)
        if self._is_doubled() and (out := self._send(size, begin)) is not None:
            return first, self._arrival(packet, out, link)
        return (first,)

    def _send(self, size: int, begin: int) -> int | None:
        return begin if self._port is None else self._port.send(size, begin)

    def _is_doubled(self) -> bool:
        share = self._conditions.duplicate
        return share > 0 and self._die("duplicate").random() < share

    def _arrival(self, packet: Packet, out: int, link: Link) -> tuple[int, Packet]:
        """Of one that was sent by ``out``."""
        conditions, overtaking = self._conditions, self._overtaking
        if conditions.corrupt is not None:
            packet = conditions.corrupt.strike(packet, self._die("corrupt"))
        if conditions.truncate and self._die("truncate").random() < conditions.truncate:
            packet = truncated(packet, self._die("truncate"))
        delay = link.latency_ns
        if conditions.jitter is not None:
            delay = max(0, delay + self._jitter(conditions))
        if overtaking is not None and overtaking.picks():
            return out + overtaking.shifted(delay), packet
        due, last = out + delay, link.last_due_ns
        if due < last and conditions.keep_order:
            due = last
        if due == last and conditions.piece_max is not None:
            due += 1
        link.last_due_ns = max(due, last)
        return due, packet

    def _jitter(self, conditions: Conditions) -> int:
        """Correlated as get_crandom in net/sched/sch_netem.c: so much of the last, the rest new."""
        assert conditions.jitter is not None
        drawn = conditions.jitter.draw(self._die("jitter"))
        if conditions.correlation:
            if self._last_ns is not None:
                drawn += round(conditions.correlation * (self._last_ns - drawn))
            self._last_ns = drawn
        return drawn


def wire_size(packet: Packet) -> int:
    """Bytes on the wire: a big segment stands for a train, each of whose packets has its head."""
    size, body = packet.size, packet.body
    if isinstance(body, Segment):
        size += (body.count - 1) * (size - len(body.data))
    return size


def is_too_big(packet: Packet, mtu: int) -> bool:
    """Over ``mtu``, and not to be cut: IPv6 is never cut on its way (RFC 8200, 4.5)."""
    size, body = packet.size, packet.body
    if size <= mtu or not (packet.whole or is_ipv6(packet.source)):
        return False
    if isinstance(body, Segment) and 0 < body.segment_max < len(body.data):
        size -= len(body.data) - body.segment_max
    return size > mtu
