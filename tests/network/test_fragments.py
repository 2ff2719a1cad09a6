"""Fragments: what is too long for the wire is cut, and made whole again or forgotten."""

from __future__ import annotations

import errno
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncipc.kernel.ip.options import (
    IP_MTU_DISCOVER,
    IP_RECVERR,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_MTU_DISCOVER,
)
from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.ancillary import ControlRoom
from asyncipc.kernel.sockets.socket import MSG_ERRQUEUE
from asyncipc.kernel.udp.socket import UdpSocket
from asyncipc.network.internet.fragments import HIGH_THRESHOLD, Fragment, cut
from asyncipc.network.internet.udp import UdpBody
from asyncipc.network.packet import Packet
from tests.network.datagrams import bound, outcome, received, send, unbound
from tests.network.lab import Host, Lab

A, B = "10.0.0.1", "10.0.0.2"
A6, B6 = "fd00::1", "fd00::2"
WANT, DO = 1, 2


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def a(lab: Lab) -> Host:
    return lab.host("a", A, A6)


@pytest.fixture
def b(lab: Lab) -> Host:
    return lab.host("b", B, B6)


def pattern(size: int) -> bytes:
    return Random(size).randbytes(size)


def packet(data: bytes, source: str = A, target: str = B) -> Packet:
    kind = Inet6Address if ":" in source else InetAddress
    return Packet(source, target, UdpBody((data, kind(source, 4000), kind(target, 53), 832)))


def pieces(data: bytes, number: int = 1, mtu: int = 1500) -> list[Packet]:
    return [*cut(packet(data), mtu, number)]


@pytest.mark.parametrize(
    ("target", "size", "packets"),
    [(B, 1472, 1), (B, 1473, 2), (B, 65507, 45), (B6, 1452, 1), (B6, 1453, 2), (B6, 65527, 46)],
)
def test_a_datagram_over_the_mtu_travels_in_pieces(
    lab: Lab, a: Host, b: Host, target: str, size: int, packets: int
) -> None:
    six = ":" in target
    server = bound(b, ("::" if six else "0.0.0.0", 53))
    client = bound(a, ("::" if six else "0.0.0.0", 4000))
    send(a, client, pattern(size), (target, 53))
    assert a.stack.counts.sent == packets
    lab.run()
    assert received(server) == [(pattern(size), A6 if six else A, 4000)]
    assert b.stack.reassembly.held == 0


@given(
    size=st.integers(0, 65507),
    mtu=st.integers(68, 9000),
    narrower=st.integers(68, 9000),
    seed=st.integers(0, 1000),
)
def test_pieces_fit_and_make_the_whole_in_whatever_order_they_come(
    size: int, mtu: int, narrower: int, seed: int
) -> None:
    lab = Lab()
    host = lab.host("b", B)
    data = pattern(size)
    found = [small for piece in pieces(data, mtu=mtu) for small in cut(piece, narrower, 9)]
    assert all(piece.size <= narrower for piece in found)
    Random(seed).shuffle(found)
    wholes = [host.stack.reassembly.add(piece) for piece in found]
    assert [whole is not None for whole in wholes] == [False] * (len(found) - 1) + [True]
    assert wholes[-1] is not None
    assert wholes[-1].body.data == data
    assert not wholes[-1].damaged
    assert host.stack.reassembly.held == 0


def test_a_piece_that_comes_twice_counts_once(lab: Lab, b: Host) -> None:
    server = b.udp(53)
    first, second, third = pieces(pattern(4000))
    for piece in (first, first, third, second):
        b.stack.input(piece)
    assert len(received(server)) == 1
    b.stack.input(second)
    lab.run()
    assert received(server) == []


@pytest.mark.parametrize(("source", "target", "due_s"), [(A, B, 30), (A6, B6, 60)])
def test_what_is_not_whole_in_time_is_forgotten_and_its_sender_told(
    lab: Lab, a: Host, b: Host, source: str, target: str, due_s: int
) -> None:
    b.udp(53)
    client = a.udp(4000)
    client.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
    first, *_ = cut(packet(pattern(3000), source, target), 1500, 1)
    b.stack.input(first)
    lab.run()
    assert b.stack.counts.dropped == (("fragments", 1),)
    assert b.stack.reassembly.held == 0
    assert lab.now_ns == due_s * 1_000_000_000 + 1_000_000  # and the message on its way
    told = "EHOSTUNREACH" if source == A else "would block"
    assert outcome(lambda: client.recv(1, 0)) == told


def test_without_the_first_piece_nobody_is_told(lab: Lab, a: Host, b: Host) -> None:
    b.stack.input(pieces(pattern(3000))[1])
    lab.run()
    assert b.stack.counts.sent == 0


def test_pieces_that_overlap_end_the_whole(lab: Lab, b: Host) -> None:
    server = b.udp(53)
    first, *_ = pieces(pattern(3000))
    _, *others = pieces(pattern(3000), mtu=1000)
    for piece in (first, *others):
        b.stack.input(piece)
    lab.run()
    assert received(server) == []
    assert dict(b.stack.counts.dropped)["fragments"] >= 2


def test_pieces_of_two_packets_with_one_number_are_found_out(lab: Lab, b: Host) -> None:
    server = b.udp(53)
    first, _ = pieces(b"a" * 2000)
    _, second = pieces(b"b" * 2000)
    b.stack.input(first)
    b.stack.input(second)
    assert received(server) == []
    assert b.stack.counts.dropped == (("damage", 1),)


def test_a_damaged_piece_is_found_out_when_the_whole_is_there(lab: Lab, b: Host) -> None:
    server = b.udp(53)
    first, second = pieces(pattern(2000))
    wrong = second.with_body(second.body.with_data(bytes(len(second.body.data))), damaged=True)
    for piece in (first, wrong):
        b.stack.input(piece)
    assert (received(server), b.stack.counts.dropped) == ([], (("damage", 1),))
    b.stack.checksums = False
    for piece in (first, wrong):
        b.stack.input(piece)
    [(data, _, _)] = received(server)
    assert data == pattern(2000)[:1472] + bytes(528)


def test_pieces_hold_four_mebibytes_at_most(lab: Lab, b: Host) -> None:
    for number in range(2500):
        b.stack.input(pieces(bytes(2000), number)[0])
    assert HIGH_THRESHOLD < b.stack.reassembly.held < HIGH_THRESHOLD + 3000
    assert dict(b.stack.counts.dropped)["fragments"] > 0
    b.stack.power_off()
    assert b.stack.reassembly.held == 0


# -- what must not be cut


@pytest.mark.parametrize("discover", range(6))
@pytest.mark.parametrize(("target", "most"), [(B, 1472), (B6, 1452)])
def test_path_mtu_discovery_says_whether_a_long_datagram_is_refused(
    lab: Lab, a: Host, b: Host, discover: int, target: str, most: int
) -> None:
    """As measured, for each value of IP_MTU_DISCOVER."""
    six = ":" in target
    client = bound(a, ("::" if six else "0.0.0.0", 4000))
    option = (IPPROTO_IPV6, IPV6_MTU_DISCOVER) if six else (IPPROTO_IP, IP_MTU_DISCOVER)
    client.setsockopt(*option, discover)
    assert outcome(lambda: send(a, client, bytes(most), (target, 53))) == "no error"
    expected = "EMSGSIZE" if discover in {2, 3, 4} else "no error"
    assert outcome(lambda: send(a, client, bytes(most + 1), (target, 53))) == expected


def test_the_error_queue_tells_the_mtu(lab: Lab, a: Host, b: Host) -> None:
    client = unbound(a)
    client.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
    client.setsockopt(IPPROTO_IP, IP_MTU_DISCOVER, DO)
    client.connect(a.process, InetAddress(B, 53))
    assert outcome(lambda: client.send(bytes(1473), 0)) == "EMSGSIZE"
    client.recvmsg(9, MSG_ERRQUEUE, room := ControlRoom(a.process, 1000, 0))
    report = room.items[0][2]
    assert report[:8] == bytes([errno.EMSGSIZE, 0, 0, 0, 1, 0, 0, 0])
    assert report[8:12] == (1500).to_bytes(4, "little")


def narrow(lab: Lab, mtu: int) -> None:
    link = lab.fabric.link("a", "b")
    link.conditions = replace(link.conditions, mtu=mtu)


def asker(a: Host, discover: int = WANT) -> UdpSocket:
    client = unbound(a)
    client.setsockopt(IPPROTO_IP, IP_MTU_DISCOVER, discover)
    client.connect(a.process, InetAddress(B, 53))
    return client


def test_a_narrow_wire_is_found_by_the_first_datagram_and_cut_for_by_the_next(
    lab: Lab, a: Host, b: Host
) -> None:
    """RFC 1191: it is lost, its sender told once; 600 seconds later it is tried again."""
    narrow(lab, 1000)
    server, client = b.udp(53), asker(a)
    client.send(bytes(1400), 0)
    lab.run()
    assert outcome(lambda: client.send(bytes(1400), 0)) == "EMSGSIZE"
    client.send(bytes(1400), 0)
    lab.run()
    assert [len(data) for data, _, _ in received(server)] == [1400]
    lab.run(until_s=601.0)
    client.send(bytes(1400), 0)
    lab.run()
    assert outcome(lambda: client.recv(1, 0)) == "EMSGSIZE"


def test_who_is_not_connected_hears_of_a_narrow_wire_in_its_error_queue(
    lab: Lab, a: Host, b: Host
) -> None:
    narrow(lab, 1000)
    client = a.udp()
    client.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
    send(a, client, bytes(1400), (B, 53))
    lab.run()
    assert outcome(lambda: client.recv(1, 0)) == "EMSGSIZE"
    client.recvmsg(9, MSG_ERRQUEUE, room := ControlRoom(a.process, 1000, 0))
    report = room.items[0][2]
    assert report[4:12] == bytes([2, 3, 4, 0, *(1000).to_bytes(4, "little")])


def test_what_may_be_cut_passes_a_narrow_wire(lab: Lab, a: Host, b: Host) -> None:
    narrow(lab, 1000)
    server, client = b.udp(53), asker(a, discover=0)
    client.send(pattern(1400), 0)
    lab.run()
    assert received(server) == [(pattern(1400), A, client.port)]


def test_ipv6_is_cut_at_the_source_only(lab: Lab, a: Host, b: Host) -> None:
    narrow(lab, 1300)
    server, client = bound(b, ("::", 53)), bound(a, ("::", 4000))
    client.connect(a.process, Inet6Address(B6, 53))
    client.send(pattern(1400), 0)
    lab.run()
    assert received(server) == []
    assert outcome(lambda: client.recv(1, 0)) == "EMSGSIZE"
    client.send(pattern(1400), 0)
    lab.run()
    assert received(server) == [(pattern(1400), A6, 4000)]


def test_a_piece_describes_itself(lab: Lab) -> None:
    first, second = pieces(bytes(2000), number=7)
    assert isinstance(first.body, Fragment)
    assert first.describe() == "10.0.0.1 > 10.0.0.2: UDP fragment 7: 1480 bytes at 0+"
    assert second.describe() == "10.0.0.1 > 10.0.0.2: UDP fragment 7: 528 bytes at 1480"
