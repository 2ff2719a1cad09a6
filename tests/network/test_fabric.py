"""The fabric: packets arrive when their link says so, in order, at once or later."""

from __future__ import annotations

import errno

import pytest

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.network.links.conditions import Conditions
from tests.network.lab import Lab


def test_a_datagram_crosses_to_another_host_in_the_time_of_its_link() -> None:
    lab = Lab()
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    receiver, sender = b.udp(53), a.udp(4000)
    assert sender.sendto(b"hello", 0, InetAddress("10.0.0.2", 53), a.process) == 5
    assert isinstance(receiver.recv(100, 0), WouldBlock)
    lab.run()
    message = receiver.recvmsg(100, 0)
    assert not isinstance(message, WouldBlock)
    assert (message.data, message.address) == (b"hello", InetAddress("10.0.0.1", 4000))
    assert lab.now_ns == 1_000_000


def test_a_link_that_takes_no_time_delivers_in_the_turn_of_the_sender() -> None:
    lab = Lab()
    lab.fabric.conditions = Conditions(latency_ns=0)
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    receiver, sender = b.udp(53), a.udp(4000)
    sender.sendto(b"hello", 0, InetAddress("10.0.0.2", 53), a.process)
    assert receiver.recv(100, 0) == b"hello"


def test_a_host_without_an_address_of_the_family_has_no_way() -> None:
    lab = Lab()
    a = lab.host("a", "fd00::1")
    with pytest.raises(OSError) as caught:
        a.udp().sendto(b"hello", 0, InetAddress("10.0.0.2", 53), a.process)
    assert caught.value.errno == errno.ENETUNREACH


def test_an_address_has_one_owner() -> None:
    lab = Lab()
    lab.host("a", "10.0.0.1")
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 is a's address already"):
        lab.host("b", "10.0.0.1")
