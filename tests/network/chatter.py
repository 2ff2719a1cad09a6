"""Chatter: datagrams between hosts, each unlike all others, and who may receive how many."""

from __future__ import annotations

import errno
from collections import Counter
from random import Random
from typing import Final

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.udp.socket import UdpSocket
from asyncipc.network.packet import Packet
from tests.network.lab import Host, Lab
from tests.network.tasks import Program

PORT: Final = 53
SIZES: Final = (20, 20, 200, 1_472, 1_473, 4_000, 20_000)
PERMITTED: Final = (errno.EMSGSIZE, errno.ECONNREFUSED)


class Chatter:
    """``sent``: who has sent what, and to whom.  ``again``: how many were received a second time,
    by the hosts' names.  ``hurt``: how many packets for a host were damaged; ``strange``: how
    many datagrams that it received nobody has sent.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.sent: dict[bytes, tuple[str, str]] = {}
        self.received: dict[tuple[str, bytes], None] = {}
        self.again: Counter[tuple[str, str]] = Counter()
        self.hurt: Counter[str] = Counter()
        self.strange: Counter[str] = Counter()
        self._number = 0

    def talk(self, host: Host, targets: list[Host], die: Random) -> Program:
        socket = host.udp()
        try:
            for _ in range(die.choice((3, 10, 30))):
                target = die.choice(targets)
                data = self._message(die)
                self.sent[data] = (host.stack.name, target.stack.name)
                self._send(socket, host, target, data)
                yield die.choice((0.0, 0.001, 0.05, 0.5))
        finally:
            socket.drop()

    def _message(self, die: Random) -> bytes:
        self._number += 1
        return b"%08d" % self._number + die.randbytes(die.choice(SIZES) - 8)

    def _send(self, socket: UdpSocket, host: Host, target: Host, data: bytes) -> None:
        try:
            socket.sendto(data, 0, InetAddress(target.address, PORT), host.process)
        except OSError as error:
            if error.errno not in PERMITTED:
                raise

    def listen(self, host: Host, die: Random) -> Program:
        socket, name = host.udp(PORT), host.stack.name
        try:
            while True:
                message = yield lambda: socket.recvmsg(1 << 16, 0)
                self.heard(name, message.data, checksums=host.stack.checksums)
                if die.random() < 0.1:
                    yield die.choice((0.001, 0.1))
        finally:
            socket.drop()

    def watch(self, packet: Packet, target: str, fate: str) -> None:
        """As a tap."""
        if fate == "damaged" and packet.body.protocol == "UDP":
            self.hurt[target] += 1

    def heard(self, name: str, data: bytes, *, checksums: bool) -> None:
        ends = self.sent.get(data)
        if ends is None:
            assert not checksums, f"{name} got a datagram that nobody has sent: {data[:20]!r}"
            self.strange[name] += 1
            assert self.strange[name] <= self.hurt[name], f"{name} got too much that was damaged"
            return
        assert ends[1] == name, f"{name} got a datagram for {ends[1]}"
        if (name, data) in self.received:
            self.again[ends] += 1
        self.received[name, data] = None
        again, copied = self.again[ends], self.lab.fabric.statistics(*ends).copied
        assert again <= copied, f"{name} got {again} datagrams again, of which {copied} were copied"
