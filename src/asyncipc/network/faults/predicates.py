"""Predicates: which packets are meant.  Rules are built of them.

    drop(protocol("udp") & to_port(53) & nth(3))
    delay(from_host("a") & ~flags(SYN), 0.2)

``a & b`` asks ``b`` only of what ``a`` means, so the first rule drops the third
datagram to port 53, not the third packet if that is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, final

from asyncipc.network.faults.rules import (
    Delay,
    Deliver,
    Drop,
    Hold,
    Journey,
    Replace,
    Reset,
    Rule,
    Verdict,
)
from asyncipc.network.internet.udp import UdpBody
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import FLAG_LETTERS, Segment

if TYPE_CHECKING:
    from asyncipc.network.packet import Body

Test: TypeAlias = Callable[[Packet, Journey], bool]


@final
class Predicate:
    """Is it meant?  ``words``: as it reads in a description."""

    __slots__ = ("_test", "words")

    def __init__(self, test: Test, words: str) -> None:
        self._test = test
        self.words = words

    def __call__(self, packet: Packet, journey: Journey) -> bool:
        return self._test(packet, journey)

    def __and__(self, other: Predicate) -> Predicate:
        return Predicate(lambda p, j: self(p, j) and other(p, j), f"({self} & {other})")

    def __or__(self, other: Predicate) -> Predicate:
        return Predicate(lambda p, j: self(p, j) or other(p, j), f"({self} | {other})")

    def __invert__(self) -> Predicate:
        return Predicate(lambda p, j: not self(p, j), f"~{self}")

    def __str__(self) -> str:
        return self.words


# -- which

EVERY: Final = Predicate(lambda packet, journey: True, "every")


def protocol(name: str) -> Predicate:
    """``udp``, ``tcp``, ``icmp``; a fragment has its whole's."""
    wanted = name.upper()
    return Predicate(lambda packet, journey: packet.body.protocol == wanted, f"protocol({name!r})")


def from_host(*names: str) -> Predicate:
    return Predicate(lambda packet, journey: journey.source in names, _call("from_host", names))


def to_host(*names: str) -> Predicate:
    return Predicate(lambda packet, journey: journey.target in names, _call("to_host", names))


def between(one: str, other: str) -> Predicate:
    """Either way."""
    ends = (one, other), (other, one)
    words = _call("between", (one, other))
    return Predicate(lambda packet, journey: (journey.source, journey.target) in ends, words)


def from_port(*ports: int) -> Predicate:
    """Of a datagram or a segment; a fragment that is not the first has none."""
    return Predicate(lambda p, j: _ports(p.body)[0] in ports, _call("from_port", ports))


def to_port(*ports: int) -> Predicate:
    return Predicate(lambda p, j: _ports(p.body)[1] in ports, _call("to_port", ports))


def _ports(body: Body) -> tuple[int, int]:
    if isinstance(body, Segment):
        return body.source.port, body.target.port
    if isinstance(body, UdpBody):
        return body.datagram[1].port, body.datagram[2].port
    return -1, -1


def flags(bits: int) -> Predicate:
    """A TCP segment that has all of these, ``SYN | ACK`` for instance, and perhaps others."""

    def test(packet: Packet, journey: Journey) -> bool:
        return isinstance(packet.body, Segment) and packet.body.flags & bits == bits

    letters = "".join(letter for flag, letter in FLAG_LETTERS if bits & flag)
    return Predicate(test, f"flags({letters})")


def carries(data: bytes) -> Predicate:
    """These bytes are somewhere in its data."""
    return Predicate(lambda packet, journey: data in packet.body.data, f"carries({data!r})")


def nth(*numbers: int) -> Predicate:
    """The first it is asked of is number 1.  It counts all runs of its rule."""
    if not numbers or min(numbers) < 1:
        raise ValueError(f"nth counts from 1, not {numbers}")
    seen = 0

    def test(packet: Packet, journey: Journey) -> bool:
        nonlocal seen
        seen += 1
        return seen in numbers

    return Predicate(test, _call("nth", numbers))


def chance(probability: float) -> Predicate:
    """By the die of its rule; 0 and 1 throw none."""
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability is from 0 to 1, not {probability}")

    def test(packet: Packet, journey: Journey) -> bool:
        return probability == 1 or (probability > 0 and journey.die.random() < probability)

    return Predicate(test, f"chance({probability})")


def _call(name: str, values: tuple[object, ...]) -> str:
    return f"{name}({', '.join(map(repr, values))})"


# -- what shall become of them


def drop(predicate: Predicate = EVERY, cause: str = "rule") -> Rule:
    return _when(predicate, Drop(cause))


def delay(predicate: Predicate, seconds: float) -> Rule:
    """Longer than the link says."""
    return _when(predicate, Delay(seconds))


def deliver(predicate: Predicate, *delays: float) -> Rule:
    """After exactly these times, whatever the link says; several make copies."""
    return _when(predicate, Deliver(*delays))


def hold(predicate: Predicate = EVERY) -> Rule:
    """Until what ``fabric.rule`` answered is told to ``release`` or ``discard``, or removed."""
    return _when(predicate, Hold())


def reset(predicate: Predicate = EVERY) -> Rule:
    """Break their connections."""
    return _when(predicate, Reset())


def change(predicate: Predicate, data: Callable[[bytes], bytes]) -> Rule:
    """Others' data in their place, under checksums that are right."""

    def rule(packet: Packet, journey: Journey) -> Verdict | None:
        if not predicate(packet, journey):
            return None
        return Replace(packet.with_body(packet.body.with_data(data(packet.body.data))))

    return rule


def _when(predicate: Predicate, verdict: Verdict) -> Rule:
    return lambda packet, journey: verdict if predicate(packet, journey) else None
