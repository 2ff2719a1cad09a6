"""UDP's receive buffer: every figure was measured on Linux 6.18."""

from __future__ import annotations

import pytest

from asyncipc.kernel.sockets.options import SO_MEMINFO, SO_RCVBUF, SOL_SOCKET
from asyncipc.kernel.sockets.socket import MSG_DONTWAIT
from asyncipc.kernel.udp.inbox import IPV6_EXTRA, datagram_memory
from asyncipc.kernel.udp.socket import UdpSocket
from tests.kernel.helpers import refused
from tests.kernel.udp import Host


def held_and_drops(socket: UdpSocket) -> tuple[int, int]:
    info = socket.getsockopt(SOL_SOCKET, SO_MEMINFO)
    assert isinstance(info, bytes)
    assert len(info) == 36
    return int.from_bytes(info[:4], "little"), int.from_bytes(info[32:], "little")


@pytest.mark.parametrize(
    ("size", "memory"),
    [
        (0, 832), (197, 832), (198, 1280), (645, 1280), (646, 2304), (1669, 2304), (1670, 4352),
        (3717, 4352), (3718, 8448), (7813, 8448), (7814, 16640), (16004, 16640), (16005, 16837),
        (32000, 32832), (65507, 66339),
    ],
)  # fmt: skip
def test_what_a_datagram_counts(size: int, memory: int) -> None:
    assert datagram_memory(size) == memory


@pytest.mark.parametrize(
    ("size", "memory"),
    [
        (184, 832), (185, 1280), (632, 1280), (633, 2304), (1657, 4352), (3705, 8448),
        (7801, 16640), (15991, 16640), (15992, 16824), (20000, 20832), (65527, 67144),
    ],
)  # fmt: skip
def test_over_ipv6_the_head_is_longer(size: int, memory: int) -> None:
    assert datagram_memory(size, IPV6_EXTRA) == memory


def test_the_newest_is_dropped_when_the_memory_would_pass_the_limit() -> None:
    host = Host()
    receiver = host.bound()
    receiver.setsockopt(SOL_SOCKET, SO_RCVBUF, 1)
    sender = host.connected(receiver.getsockname())
    for data in (b"one", b"two", b"three", b"four"):
        assert sender.send(data, 0) == len(data)
    assert held_and_drops(receiver) == (1664, 2)
    assert [receiver.recv(9, 0), receiver.recv(9, 0)] == [b"one", b"two"]
    assert refused(receiver.recv, 9, 0)


def test_an_empty_buffer_takes_any_one() -> None:
    host = Host()
    receiver = host.bound()
    receiver.setsockopt(SOL_SOCKET, SO_RCVBUF, 1)
    sender = host.connected(receiver.getsockname())
    sender.send(bytes(60000), 0)
    sender.send(b"dropped", 0)
    assert held_and_drops(receiver) == (60832, 1)
    assert receiver.recv(60000, 0) == bytes(60000)
    assert refused(receiver.recv, 9, 0)


def test_a_larger_buffer_is_used_at_once() -> None:
    host = Host()
    receiver = host.bound()
    receiver.setsockopt(SOL_SOCKET, SO_RCVBUF, 1)
    sender = host.connected(receiver.getsockname())
    for _ in range(3):
        sender.send(b"x", 0)
    receiver.setsockopt(SOL_SOCKET, SO_RCVBUF, 10000)
    for _ in range(3):
        sender.send(b"x", 0)
    assert held_and_drops(receiver) == (5 * 832, 1)


@pytest.mark.parametrize(
    ("read", "room"), [(1, 0), (63, 0), (64, 64), (128, 128), (255, 192), (256, 256)]
)
def test_memory_comes_back_a_quarter_at_a_time(read: int, room: int) -> None:
    host = Host()
    receiver = host.bound()
    sender = host.connected(receiver.getsockname())
    for _ in range(300):
        sender.send(b"x", 0)
    assert held_and_drops(receiver) == (256 * 832, 44)
    for _ in range(read):
        assert receiver.recv(9, 0) == b"x"
    for _ in range(300):
        sender.send(b"y", 0)
    assert receiver.inbox.drops == 44 + 300 - room


def test_who_has_read_all_that_was_there_gives_all_back() -> None:
    host = Host()
    receiver = host.bound()
    sender = host.connected(receiver.getsockname())
    held = []
    for _ in range(4):
        sender.send(b"x", 0)
    receiver.recv(9, 0)
    held.append(receiver.inbox.held)
    for _ in range(2):
        sender.send(b"x", 0)
    for _ in range(5):
        held.append(receiver.inbox.held)
        receiver.recv(9, 0)
    held.append(receiver.inbox.held)
    assert held == [3328, 4992, 4992, 4992, 1664, 1664, 0]


def test_a_full_buffer_of_the_default_size() -> None:
    host = Host()
    receiver = host.bound()
    sender = host.connected(receiver.getsockname())
    for _ in range(1000):
        sender.send(b"x", 0)
    count = 0
    while receiver.recv(9, MSG_DONTWAIT) == b"x":
        count += 1
    assert count == 256
    assert held_and_drops(receiver)[0] == 0


def test_a_closed_socket_loses_what_was_not_read() -> None:
    host = Host()
    receiver = host.bound()
    name = receiver.getsockname()
    host.send(host.bound(), b"lost", receiver)
    receiver.drop()
    again = host.bound(port=name[1] if not isinstance(name, bytes) else 0)
    assert again.getsockname() == name
    assert refused(again.recv, 9, 0)
