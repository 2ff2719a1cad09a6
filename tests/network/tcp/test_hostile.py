"""Whatever the wire does, what was received is a prefix of what was sent, and all in the end."""

from __future__ import annotations

from random import Random

import pytest

from asyncipc.kernel.sockets.options import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.tcp.states import State
from asyncipc.kernel.waitqueue import WouldBlock
from tests.network.lab import Host, Lab
from tests.network.tcp.exchange import SERVER
from tests.network.tcp.hostile import Hostile

SEEDS = 300
HIDEABLE = ("may_sack", "stamp", "window_scale")
HOSTILE_S = 200
"""From then on nothing is lost, and all must come to its end: within a time-out or two."""
PATIENCE_S = 600
HANDSHAKE_S = 64
SHUT_WR = 1


class End:
    """One program: it writes ``data`` as it likes, reads as it likes, and shuts its half down."""

    def __init__(self, socket: TcpSocket, data: bytes, die: Random) -> None:
        self.socket, self.data, self.die = socket, data, die
        self.sent = 0
        self.received = bytearray()
        self.shut = self.at_end = False

    def act(self) -> None:
        if self.sent < len(self.data):
            size = self.die.choice((1, 100, 1460, 5000, 100_000))
            moved = self.socket.write(self.data[self.sent : self.sent + size])
            self.sent += 0 if isinstance(moved, WouldBlock) else moved
        elif not self.shut:
            self.shut = True
            self.socket.shutdown(SHUT_WR)
        if not self.at_end and self.die.random() < 0.7:
            got = self.socket.read(self.die.choice((1, 1000, 200_000)))
            if not isinstance(got, WouldBlock):
                self.received += got
                self.at_end = not got

    @property
    def is_done(self) -> bool:
        return self.shut and self.at_end


def connected(lab: Lab, a: Host, b: Host, die: Random) -> tuple[TcpSocket, TcpSocket] | None:
    """Both ends; None if so much was lost that the server has given its SYN-ACK up."""
    listener, client = b.listener(80), a.tcp()
    if die.random() < 0.2:
        client.setsockopt(SOL_SOCKET, SO_RCVBUF, die.choice((3000, 20_000)))
        client.setsockopt(SOL_SOCKET, SO_SNDBUF, die.choice((5000, 40_000)))
    client.connect(a.process, SERVER)
    while isinstance(accepted := listener.accept(), WouldBlock):
        if lab.now_ns / 1e9 > HANDSHAKE_S:
            return None
        lab.run(lab.now_ns / 1e9 + 0.01)
    assert isinstance(accepted[0], TcpSocket)
    return client, accepted[0]


@pytest.mark.parametrize("block", range(10))
def test_what_is_received_is_a_prefix_of_what_was_sent_and_complete_when_both_close(
    block: int,
) -> None:
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        _one_life(seed)


def _one_life(seed: int) -> None:
    lab, die = Lab(seed), Random(f"hostile {seed}")
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    loss = die.choice((0.0, 0.02, 0.1, 0.3))
    hides = tuple(name for name in HIDEABLE if die.random() < 0.3)
    wires = [Hostile(lab, host, die, loss=loss, hides=hides) for host in (a, b)]
    pair = connected(lab, a, b, die)
    if pair is None:
        assert loss == 0.3, f"seed {seed} does not connect"
        return
    client, server = pair
    ends = [
        End(socket, die.randbytes(die.choice((0, 1, 3000, 60_000))), die)
        for socket in (client, server)
    ]
    while not all(end.is_done for end in ends):
        for wire in wires:
            wire.tame = lab.now_ns / 1e9 > HOSTILE_S
        assert lab.now_ns / 1e9 < PATIENCE_S, f"seed {seed} does not end"
        for end, other in (ends, ends[::-1]):
            end.act()
            assert other.data.startswith(bytes(end.received)), f"seed {seed}"
        lab.run(lab.now_ns / 1e9 + die.choice((0.0001, 0.01, 0.1)))
    assert ends[0].received == ends[1].data, f"seed {seed}"
    assert ends[1].received == ends[0].data, f"seed {seed}"
    lab.run(lab.now_ns / 1e9 + 1000)
    assert (client.state, server.state) == (State.CLOSE, State.CLOSE), f"seed {seed}"
    assert len(a.stack.tcp) == len(b.stack.tcp) == 0, f"seed {seed}"
