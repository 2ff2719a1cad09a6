"""The segment: what travels on a TCP connection (RFC 9293, 3.1)."""

from __future__ import annotations

from typing import Final, NamedTuple, final

from asyncipc.kernel.sockets.address import InetAddress

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20

TCP_HEAD: Final = 20
FLAG_LETTERS: Final = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "."), (URG, "U"))
"""In tcpdump(8)'s words and order."""


class Options(NamedTuple):
    """``mss``, ``window_scale`` and ``may_sack`` come with SYNs only.

    ``stamp``: TSval and TSecr (RFC 7323), in milliseconds.  ``blocks``: SACK's
    (left, right) edges (RFC 2018).
    """

    mss: int | None = None
    window_scale: int | None = None
    may_sack: bool = False
    stamp: tuple[int, int] | None = None
    blocks: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        """Bytes, padded as Linux pads them."""
        plain = 4 * (self.mss is not None) + 4 * (self.window_scale is not None)
        plain += 12 * (self.stamp is not None)
        if self.may_sack and self.stamp is None:
            plain += 4
        return plain + (4 + 8 * len(self.blocks) if self.blocks else 0)


NO_OPTIONS: Final = Options()


@final
class Segment:
    """``sequence``, ``ack``: numbers modulo 2**32.  ``window``: as in the head, unscaled.

    ``urgent``: the urgent pointer, if URG is set: an offset from ``sequence``.
    ``segment_max``: the sender's MSS in force.  More data than that is a *big*
    segment: it stands for the train of segments that the sender's interface
    would have made of it (TSO); 0 where there is none to cut.
    """

    __slots__ = (
        "ack", "data", "flags", "options", "segment_max", "sequence", "source", "target",
        "urgent", "window",
    )  # fmt: skip

    protocol = "TCP"

    def __init__(
        self,
        source: InetAddress,
        target: InetAddress,
        sequence: int,
        ack: int,
        flags: int,
        window: int,
        data: bytes = b"",
        *,
        options: Options = NO_OPTIONS,
        urgent: int = 0,
        segment_max: int = 0,
    ) -> None:
        self.source = source
        self.target = target
        self.sequence = sequence
        self.ack = ack
        self.flags = flags
        self.window = window
        self.data = data
        self.options = options
        self.urgent = urgent
        self.segment_max = segment_max

    @property
    def count(self) -> int:
        """How many segments it stands for."""
        size = self.segment_max
        return -(-len(self.data) // size) if 0 < size < len(self.data) else 1

    @property
    def size(self) -> int:
        return TCP_HEAD + self.options.size + len(self.data)

    @property
    def span(self) -> int:
        """How many sequence numbers it takes: its bytes, SYN and FIN."""
        return len(self.data) + (self.flags & SYN > 0) + (self.flags & FIN > 0)

    def with_data(self, data: bytes) -> Segment:
        """The same head over other data of the same length, or less."""
        return Segment(
            self.source,
            self.target,
            self.sequence,
            self.ack,
            self.flags,
            self.window,
            data,
            options=self.options,
            urgent=self.urgent,
            segment_max=self.segment_max,
        )

    def train(self, mtu: int) -> list[Segment]:
        """The segments that it stands for: what its sender's MSS allows, which follows its own
        interface's MTU; where it names none, what fits into ``mtu`` with IPv6's head.
        """
        size = self.segment_max or max(mtu - 40 - TCP_HEAD - self.options.size, 1)
        if len(self.data) <= size:
            return [self]
        return [self._car(start, size) for start in range(0, len(self.data), size)]

    def _car(self, start: int, size: int) -> Segment:
        """One of a train: only the last has the whole's FIN and PSH (tcp_gso_segment)."""
        car = self.with_data(self.data[start : start + size])
        car.sequence = (self.sequence + start) & 0xFFFFFFFF
        if start + size < len(self.data):
            car.flags &= ~(FIN | PSH)
        if self.flags & URG:
            car.urgent = self.urgent - start
            if car.urgent <= 0:
                car.flags, car.urgent = car.flags & ~URG, 0
        return car

    def describe(self) -> str:
        letters = "".join(letter for flag, letter in FLAG_LETTERS if self.flags & flag)
        end = f":{(self.sequence + len(self.data)) & 0xFFFFFFFF}" if self.data else ""
        ack = f", ack {self.ack}" if self.flags & ACK else ""
        return (
            f"{self.source.port} > {self.target.port} [{letters}], seq {self.sequence}{end}{ack}, "
            f"win {self.window}, length {len(self.data)}"
        )
