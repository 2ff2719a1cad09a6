"""A host without a stack: the test plays it, segment by segment."""

from __future__ import annotations

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import FLAG_LETTERS, NO_OPTIONS, Options, Segment
from tests.network.lab import SECOND, Lab

FLAGS = {letter: flag for flag, letter in FLAG_LETTERS}


def letters(flags: int) -> str:
    return "".join(letter for letter, flag in FLAGS.items() if flags & flag)


class Stranger:
    """``got``: what came, and ``times``: when, in seconds.  Its segments are numbered from 1000."""

    def __init__(self, lab: Lab, name: str, address: str, server: str, port: int) -> None:
        self.name = name
        self.lab = lab
        self.address = address
        self.server = InetAddress(server, port)
        self.got: list[Segment] = []
        self.times: list[float] = []
        lab.fabric.attach(self, address)

    def input(self, packet: Packet) -> None:
        assert isinstance(packet.body, Segment)
        self.got.append(packet.body)
        self.times.append(self.lab.now_ns / SECOND)

    def send(
        self,
        flags: str,
        sequence: int = 1000,
        ack: int = 0,
        data: bytes = b"",
        *,
        port: int = 4000,
        options: Options = NO_OPTIONS,
    ) -> Segment | None:
        """Send it; the answer, if one comes at once."""
        bits = sum(FLAGS[letter] for letter in flags)
        before = len(self.got)
        segment = Segment(
            InetAddress(self.address, port),
            self.server,
            sequence,
            ack,
            bits,
            65535,
            data,
            options=options,
        )
        packet = Packet(self.address, self.server.host, segment, whole=True)
        self.lab.fabric.submit(packet, self, self.lab.now())
        return self.got[-1] if len(self.got) > before else None

    def ask(self, *, port: int = 4000, options: Options = NO_OPTIONS) -> Segment:
        """A SYN that is answered."""
        answer = self.send("S", port=port, options=options)
        assert answer is not None
        assert letters(answer.flags) == "S."
        return answer

    def seen(self) -> list[str]:
        """The flags of all that came; it is forgotten."""
        seen = [letters(segment.flags) for segment in self.got]
        self.got.clear()
        self.times.clear()
        return seen
