from __future__ import annotations

from asyncipc.kernel.datagram import DatagramEndpoint, datagram_pair
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.readiness import HUP, IN, OUT, RDHUP
from asyncipc.kernel.socket import MSG_PEEK, SHUT_RD, SHUT_RDWR, SHUT_WR
from tests.kernel.helpers import failure, hold, refused, sleep_in


def new_pair(flags: int = 0) -> tuple[DatagramEndpoint, DatagramEndpoint]:
    pair = datagram_pair(Kernel(), flags)
    hold(*pair)
    return pair


def fill(endpoint: DatagramEndpoint, size: int) -> int:
    count = 0
    while isinstance(endpoint.write(bytes(size)), int):
        count += 1
    return count


def test_boundaries_are_kept_and_a_short_read_drops_the_rest() -> None:
    a, b = new_pair()
    for data in (b"first", b"", b"third"):
        assert a.write(data) == len(data)
    assert b.unread() == 5
    assert b.recv(9, MSG_PEEK) == b"first"
    assert [b.recv(2, 0), b.recv(9, 0), b.recv(9, 0)] == [b"fi", b"", b"third"]
    assert refused(b.recv, 1, 0)


def test_an_empty_datagram_is_readable() -> None:
    a, b = new_pair()
    a.write(b"")
    assert b.poll() & IN
    assert b.unread() == 0


def test_a_recv_of_nothing_drops_a_datagram_and_a_read_of_nothing_does_not() -> None:
    a, b = new_pair()
    a.write(b"one")
    a.write(b"two")
    assert b.read(0) == b""
    assert b.recv(0, 0) == b""
    assert b.recv(9, 0) == b"two"


def test_the_first_send_to_a_closed_peer_is_refused_and_then_nobody_is_connected() -> None:
    a, b = new_pair()
    b.write(b"kept")
    b.drop()
    assert [failure(a.write, b"x") for _ in range(3)] == ["ECONNREFUSED", "ENOTCONN", "ENOTCONN"]
    assert a.recv(9, 0) == b"kept"
    assert refused(a.recv, 9, 0)
    assert a.poll() & OUT


def test_a_datagram_goes_whole_or_not() -> None:
    a, _ = new_pair()
    assert failure(a.write, bytes(a.send_limit - 31)) == "EMSGSIZE"
    assert a.write(bytes(a.send_limit - 32)) == a.send_limit - 32


def test_a_sender_sleeps_until_a_quarter_is_left() -> None:
    a, b = new_pair()
    assert fill(a, 1) == 278
    sender, _ = sleep_in(a.write, b"x")
    b.recv(1, 0)
    assert sender.wakes == 0
    while a.in_flight * 4 > a.send_limit:
        b.recv(1, 0)
    assert sender.wakes == 1


def test_a_closed_receiver_frees_what_was_on_its_way_and_wakes_the_sender() -> None:
    a, b = new_pair()
    fill(a, 1000)
    sender, refusal = sleep_in(a.write, b"x")
    b.drop()
    assert sender.wakes == 1
    refusal.line.try_again(sender)
    assert failure(a.write, b"x") == "ECONNREFUSED"


def test_shut_halves() -> None:
    a, b = new_pair()
    a.shutdown(SHUT_WR)
    assert failure(a.write, b"x") == "EPIPE"
    a.shutdown(SHUT_RD)
    assert failure(b.write, b"x") == "EPIPE"
    assert a.recv(1, 0) == b""
    assert a.poll() & (IN | HUP | RDHUP) == IN | HUP | RDHUP
    assert not b.poll() & (HUP | RDHUP)


def test_after_a_shutdown_a_nonblocking_recv_still_refuses() -> None:
    a, _ = new_pair(O_NONBLOCK)
    a.shutdown(SHUT_RDWR)
    assert refused(a.recv, 1, 0)
