"""Fragments: a packet that is longer than the wire allows, in pieces, and made whole again.

After ip_do_fragment, ip_frag_queue and inet_frag_queue_insert (net/ipv4):
pieces are multiples of eight bytes; one that is there already is forgotten;
one that overlaps others ends the whole (RFC 5722 for IPv6, and IPv4 does the
same); what is not complete in 30 seconds (IPv6: 60) is forgotten, and its
sender told, if the first piece had come.

Not modelled: net.ipv4.ipfrag_max_dist.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, final

from asyncipc.kernel.ip.address import is_ipv6
from asyncipc.kernel.udp.inbox import datagram_memory
from asyncipc.network.packet import HEAD4, HEAD6, Body, Packet

if TYPE_CHECKING:
    from asyncipc.kernel.timers import Timer
    from asyncipc.network.fabric import Fabric

UNIT: Final = 8
"""Offsets count in eights."""
FRAGMENT_HEAD6: Final = 8
"""IPv6's fragment header."""
HIGH_THRESHOLD: Final = 4 << 20
"""net.ipv4.ipfrag_high_thresh: bytes of memory that pieces may hold."""
TIME4: Final = 30_000_000_000
TIME6: Final = 60_000_000_000
"""net.ipv4.ipfrag_time, net.ipv6.ip6frag_time."""


@final
class Fragment:
    """Bytes ``start`` to ``end`` of the body that ``whole`` is, counted with its head.

    ``number``: IP's identification.  ``last``: no more follow.  ``data``: what
    the piece carries of the program's.
    """

    __slots__ = ("_head6", "data", "end", "last", "number", "protocol", "start", "whole")

    def __init__(
        self,
        whole: Body,
        number: int,
        start: int,
        end: int,
        data: bytes,
        *,
        last: bool,
        head6: bool,
    ) -> None:
        self.whole = whole
        self.protocol = whole.protocol
        self.number = number
        self.start = start
        self.end = end
        self.data = data
        self.last = last
        self._head6 = FRAGMENT_HEAD6 if head6 else 0

    @property
    def size(self) -> int:
        return self.end - self.start + self._head6

    def with_data(self, data: bytes) -> Fragment:
        """Cut short, it leaves a hole."""
        end = self.end - len(self.data) + len(data)
        return Fragment(
            self.whole, self.number, self.start, end, data, last=self.last, head6=self._head6 > 0
        )

    def part(self, start: int, end: int) -> Fragment:
        """The bytes ``start`` to ``end`` of it, which a narrower wire lets through."""
        head = self.end - self.start - len(self.data)  # of the whole's own, if it is the first
        first, after = max(start - self.start - head, 0), end - self.start - head
        return Fragment(
            self.whole,
            self.number,
            start,
            end,
            self.data[first:after],
            last=self.last and end == self.end,
            head6=self._head6 > 0,
        )

    def describe(self) -> str:
        more = "" if self.last else "+"
        return f"fragment {self.number}: {self.end - self.start} bytes at {self.start}{more}"


def cut(packet: Packet, mtu: int, number: int) -> Iterator[Packet]:
    """The pieces of ``packet`` for a wire of ``mtu``, under IP's identification ``number``."""
    body, six = packet.body, is_ipv6(packet.source)
    if not isinstance(body, Fragment):
        body = Fragment(body, number, 0, body.size, body.data, last=True, head6=six)
    most = (mtu - (HEAD6 + FRAGMENT_HEAD6 if six else HEAD4)) // UNIT * UNIT
    for start in range(body.start, body.end, most):
        yield packet.with_body(body.part(start, min(start + most, body.end)))


Key: TypeAlias = tuple[str, str, str, int]
"""Source, target, protocol, identification."""


class Assembler(Protocol):
    """The host that makes packets whole."""

    fabric: Fabric

    def given_up(self, pieces: list[Packet], *, late: bool) -> None:
        """These, in the order of their places, are forgotten.  ``late``: others took too long."""


@final
class Reassembly:
    """The packets of one host that are not whole yet.  ``held``: memory of their pieces."""

    __slots__ = ("_host", "_wholes", "held")

    def __init__(self, host: Assembler) -> None:
        self._host = host
        self._wholes: dict[Key, Pieces] = {}
        self.held = 0

    def add(self, packet: Packet) -> Packet | None:
        """A piece has come: the whole, if that was what it lacked."""
        fragment = packet.body
        assert isinstance(fragment, Fragment)
        if self.held > HIGH_THRESHOLD:
            self._host.given_up([packet], late=False)
            return None
        key = packet.source, packet.target, fragment.protocol, fragment.number
        pieces = self._wholes.get(key)
        if pieces is None:
            pieces = self._begin(key)
        if pieces.has(fragment):
            return None
        if pieces.overlaps(fragment):
            self._forget(key)
            self._host.given_up([*pieces.in_order(), packet], late=False)
            return None
        pieces.put(packet, fragment)
        self.held += datagram_memory(packet.size)
        if not pieces.are_all:
            return None
        self._forget(key)
        return pieces.joined()

    def clear(self) -> None:
        """The host is off."""
        for key in tuple(self._wholes):
            self._forget(key)

    def _begin(self, key: Key) -> Pieces:
        timers = self._host.fabric.timers
        due = timers.now() + (TIME6 if is_ipv6(key[0]) else TIME4)
        pieces = self._wholes[key] = Pieces(timers.arm(due, partial(self._expire, key)))
        return pieces

    def _expire(self, key: Key) -> None:
        pieces = self._wholes[key]
        self._forget(key)
        self._host.given_up(pieces.in_order(), late=True)

    def _forget(self, key: Key) -> None:
        pieces = self._wholes.pop(key)
        self._host.fabric.timers.cancel(pieces.timer)
        self.held -= sum(datagram_memory(packet.size) for packet in pieces.packets.values())


@final
class Pieces:
    """Those of one packet, by where they begin.  ``reach``: the end of the farthest."""

    __slots__ = ("_got", "_length", "packets", "reach", "timer")

    def __init__(self, timer: Timer) -> None:
        self.packets: dict[int, Packet] = {}
        self.timer = timer
        self.reach = 0
        self._got = 0
        self._length: int | None = None

    def put(self, packet: Packet, fragment: Fragment) -> None:
        self.packets[fragment.start] = packet
        self.reach = max(self.reach, fragment.end)
        self._got += fragment.end - fragment.start
        if fragment.last:
            self._length = fragment.end

    def in_order(self) -> list[Packet]:
        return [self.packets[start] for start in sorted(self.packets)]

    def fragments(self) -> list[Fragment]:
        bodies = (packet.body for packet in self.in_order())
        return [body for body in bodies if isinstance(body, Fragment)]

    def has(self, new: Fragment) -> bool:
        if new.start >= self.reach:
            return False
        return any(old.start <= new.start and new.end <= old.end for old in self.fragments())

    def overlaps(self, new: Fragment) -> bool:
        """Also what lies behind the last of them."""
        if self._length is not None and new.end > self._length:
            return True
        if new.start >= self.reach:
            return False
        return any(old.start < new.end and new.start < old.end for old in self.fragments())

    @property
    def are_all(self) -> bool:
        return self._got == self._length

    def joined(self) -> Packet:
        """The whole packet: damaged if a piece is, or is of another packet with its number."""
        packets, fragments = self.in_order(), self.fragments()
        first = fragments[0].whole
        strange = any(fragment.whole is not first for fragment in fragments)
        data = b"".join(fragment.data for fragment in fragments)
        damaged = strange or any(packet.damaged for packet in packets)
        return packets[0].with_body(first.with_data(data), damaged=damaged)
