"""Where a link takes no time, the answer to a segment comes inside the call that sends it."""

from __future__ import annotations

from random import Random

import pytest

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.socket import MSG_MORE
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.network.links.conditions import Conditions
from tests.network.lab import Lab


def connected() -> tuple[Lab, TcpSocket, TcpSocket]:
    lab = Lab()
    lab.fabric.conditions = Conditions(latency_ns=0)
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    listener, client = b.listener(80), a.tcp()
    client.connect(a.process, InetAddress("10.0.0.2", 80))
    accepted = listener.accept()
    assert isinstance(accepted, tuple)
    assert isinstance(accepted[0], TcpSocket)
    return lab, client, accepted[0]


@pytest.mark.parametrize("size", [100, 700, 1448, 1500, 5000])
def test_what_is_held_back_goes_out_once_though_the_answer_pushes_it(size: int) -> None:
    lab, client, server = connected()
    data = Random(size).randbytes(20_000)
    for start in range(0, len(data), size):
        chunk = data[start : start + size]
        assert client.send(chunk, MSG_MORE) == len(chunk)
    client.shutdown(1)
    lab.run(1)
    assert server.read(1 << 20) == data
